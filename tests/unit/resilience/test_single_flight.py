"""One call for many callers, whoever of them gives up."""

import asyncio

import pytest
from anyio.lowlevel import checkpoint

from tandem.resilience.errors import WorkCancelled
from tandem.resilience.single_flight import SingleFlight

pytestmark = pytest.mark.anyio


class _Work:
    """Work that is under way until it is let go."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls = 0
        self.cancelled = 0
        self.error = error
        self.go = asyncio.Event()

    async def __call__(self) -> int:
        """Do it."""
        self.calls += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        return self.calls


async def _begun(
    count: int, flights: SingleFlight[str, int], work: _Work
) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(flights.run("key", work)) for _ in range(count)]
    while not work.calls:
        await checkpoint()
    return tasks


async def test_a_thousand_callers_make_one_call() -> None:
    """All get the one result, and the next caller begins anew."""
    flights, work = SingleFlight[str, int](), _Work()
    tasks = await _begun(1_000, flights, work)
    work.go.set()
    assert await asyncio.gather(*tasks) == [1] * 1_000
    assert len(flights) == 0
    assert await flights.run("key", work) == 2


async def test_the_first_caller_may_give_up() -> None:
    """The work goes on for the others."""
    flights, work = SingleFlight[str, int](), _Work()
    first, second, third = await _begun(3, flights, work)
    first.cancel()
    third.cancel()
    await checkpoint()
    work.go.set()
    assert await second == 1
    assert (work.calls, work.cancelled) == (1, 0)


async def test_the_last_caller_ends_the_work() -> None:
    """Work that nobody waits for is cancelled, and a new caller does not get it."""
    flights, work = SingleFlight[str, int](), _Work()
    tasks = await _begun(3, flights, work)
    for task in tasks:
        task.cancel()
    late = asyncio.create_task(flights.run("key", work))
    await asyncio.gather(*tasks, return_exceptions=True)
    work.go.set()
    assert await late in {1, 2}
    assert all(task.cancelled() for task in tasks)
    assert len(flights) == 0


async def test_everyone_has_an_error_of_their_own() -> None:
    """Equal errors, not one that gathers the tracebacks of a thousand tasks."""
    flights, work = SingleFlight[str, int](), _Work(ValueError("no"))
    tasks = await _begun(3, flights, work)
    work.go.set()
    errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(error) for error in errors] == ["no"] * 3
    assert len({id(error) for error in errors}) == 3


async def test_beyond_the_bound_calls_are_not_shared() -> None:
    """A full table costs sharing, not answers."""
    flights, work = SingleFlight[str, int](flights_max=1), _Work()
    tasks = await _begun(1, flights, work)
    others = [asyncio.create_task(flights.run("other", work)) for _ in range(2)]
    while work.calls < 3:
        await checkpoint()
    work.go.set()
    await asyncio.gather(*tasks, *others)
    assert work.calls == 3


async def test_ten_thousand_cancelled_callers_leave_nothing_behind() -> None:
    """Neither flights nor tasks leak."""
    flights, work = SingleFlight[int, int](), _Work()
    before = len(asyncio.all_tasks())
    tasks = [asyncio.create_task(flights.run(n % 100, work)) for n in range(10_000)]
    while work.calls < 100:
        await checkpoint()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    while len(asyncio.all_tasks()) > before:
        await checkpoint()
    assert (len(flights), work.cancelled) == (0, 100)


class _Particular(Exception):  # noqa: N818 - a test's own word
    """An error whose arguments are not those of its `__init__`."""

    def __init__(self, *, detail: str) -> None:
        super().__init__("particular")
        self.detail = detail


async def test_errors_of_any_make_are_copied() -> None:
    """With their attributes and cause, and without calling what would want other arguments."""
    error = _Particular(detail="why")
    error.__cause__ = OSError("below")
    flights, work = SingleFlight[str, int](), _Work(error)
    tasks = await _begun(2, flights, work)
    work.go.set()
    first, second = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(first, _Particular)
    assert isinstance(second, _Particular)
    assert first is not second
    assert (first.detail, str(first), str(first.__cause__)) == ("why", "particular", "below")


async def test_work_that_cancels_itself_cancels_no_caller() -> None:
    """Its callers were not cancelled, so they are told an error."""
    flights = SingleFlight[str, int]()

    async def work() -> int:
        raise asyncio.CancelledError

    with pytest.raises(WorkCancelled):
        await flights.run("key", work)
    assert len(flights) == 0
