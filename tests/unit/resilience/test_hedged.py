"""Two attempts for one call: when the second starts, which counts, and what is left behind."""

import asyncio
import random

import pytest
from tests.support.routing import VirtualClock, soon

from tandem.resilience.budget import RetryBudget
from tandem.resilience.concurrency import ConcurrencyLimit
from tandem.resilience.deadline import Deadline
from tandem.resilience.errors import Rejected, RejectReason
from tandem.resilience.hedge import HedgeDelay, HedgeSettings
from tandem.resilience.layers import Hedged, Limited
from tandem.resilience.pipeline import Pipeline

pytestmark = pytest.mark.anyio

_AT_ONCE = HedgeSettings(delay_s_min=0.0, delay_s_max=0.0)


class _Down(Exception):  # noqa: N818 - a test's own word
    """The other side failed."""


class _Attempts:
    """Calls that end one by one, as a test says."""

    def __init__(self) -> None:
        self.ends: list[asyncio.Future[str]] = []
        self.cancelled = 0
        self.started = asyncio.Event()

    async def __call__(self, _deadline: Deadline) -> str:
        """Begin an attempt; the second one tells that it did."""
        end: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.ends.append(end)
        if len(self.ends) == 2:
            self.started.set()
        try:
            return await end
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


def _hedged(budget: RetryBudget, *, may: bool = True) -> Hedged:
    return Hedged(HedgeDelay(_AT_ONCE), budget, lambda: may, VirtualClock())


async def _both(attempts: _Attempts) -> asyncio.Task[str]:
    call = asyncio.create_task(_hedged(RetryBudget()).run(attempts, soon()))
    await attempts.started.wait()
    return call


@pytest.mark.parametrize(("winner", "loser"), [(0, 1), (1, 0)])
async def test_the_first_answer_counts(winner: int, loser: int) -> None:
    """Whichever comes first; the other is cancelled and has ended when it returns."""
    attempts = _Attempts()
    call = await _both(attempts)
    attempts.ends[winner].set_result("ok")
    assert await call == "ok"
    assert attempts.ends[loser].cancelled()
    assert attempts.cancelled == 1


@pytest.mark.parametrize("failing", [0, 1])
async def test_a_failure_waits_for_the_other_attempt(failing: int) -> None:
    """An error of one attempt, a local rejection too, is no answer while the other may give one."""
    attempts = _Attempts()
    call = await _both(attempts)
    attempts.ends[failing].set_exception(Rejected(RejectReason.CONCURRENCY))
    await asyncio.sleep(0)
    attempts.ends[1 - failing].set_result("ok")
    assert await call == "ok"


async def test_where_both_fail_the_first_error_stands() -> None:
    """The second attempt was only a help."""
    attempts = _Attempts()
    call = await _both(attempts)
    attempts.ends[1].set_exception(Rejected(RejectReason.CONCURRENCY))
    attempts.ends[0].set_exception(_Down("first"))
    with pytest.raises(_Down, match="first"):
        await call


async def test_a_quick_failure_is_not_hedged() -> None:
    """That is a retry's business."""
    budget = RetryBudget()

    async def fails(_deadline: Deadline) -> str:
        raise _Down

    delay = HedgeDelay(HedgeSettings(delay_s_min=5.0, delay_s_max=5.0))
    with pytest.raises(_Down):
        await Hedged(delay, budget, lambda: True, VirtualClock()).run(fails, soon())
    assert budget.tokens == 10


@pytest.mark.parametrize(("tokens", "may"), [(0.5, True), (10.0, False)])
async def test_no_second_attempt_without_budget_or_leave(tokens: float, may: bool) -> None:
    """An empty budget fails nothing (failsafe-go#141), and a priced call is made once."""
    attempts, budget = _Attempts(), RetryBudget(tokens)
    call = asyncio.create_task(_hedged(budget, may=may).run(attempts, soon()))
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(attempts.ends) == 1
    attempts.ends[0].set_result("ok")
    assert await call == "ok"
    assert budget.tokens == tokens


async def test_each_hedge_is_paid_for_and_told() -> None:
    """One token each, from the budget of the retries."""
    attempts, budget, told = _Attempts(), RetryBudget(5), list[str]()
    layer = Hedged(
        HedgeDelay(_AT_ONCE), budget, lambda: True, VirtualClock(), lambda: told.append("hedge")
    )
    call = asyncio.create_task(layer.run(attempts, soon()))
    await attempts.started.wait()
    attempts.ends[0].set_result("ok")
    await call
    assert (budget.tokens, told) == (4, ["hedge"])


def test_the_delay_is_a_quantile_within_its_bounds() -> None:
    """Its longest until enough was seen, then the quantile of the last, bounded."""
    delay = HedgeDelay(HedgeSettings(0.95, 0.02, 0.5))
    for _ in range(19):
        delay.learn(0.1)
    assert delay.delay_s() == 0.5
    delay.learn(0.3)
    assert delay.delay_s() == 0.1
    for number in range(1, 201):
        delay.learn(number / 1_000)
    assert delay.delay_s() == 0.19
    for seconds, expected_s in ((0.001, 0.02), (9.0, 0.5)):
        for _ in range(200):
            delay.learn(seconds)
        assert delay.delay_s() == expected_s


@pytest.mark.parametrize("settings", [(0.0, 0.0, 1.0), (1.0, 0.0, 1.0), (0.5, 2.0, 1.0)])
def test_senseless_settings_are_refused(settings: tuple[float, float, float]) -> None:
    """A quantile lies between 0 and 1, and bounds are in order."""
    with pytest.raises(ValueError, match="hedge"):
        HedgeSettings(*settings)


async def test_only_what_ended_well_is_learnt() -> None:
    """Latencies of failures say nothing of how long an answer takes."""
    delay, clock = HedgeDelay(HedgeSettings(0.5, 0.0, 60.0)), VirtualClock()
    layer = Hedged(delay, RetryBudget(), lambda: True, clock)

    async def answers(_deadline: Deadline) -> None:
        clock.advance(0.25)

    async def fails(_deadline: Deadline) -> None:
        clock.advance(9.0)
        raise _Down

    for _ in range(20):
        await layer.run(answers, soon())
        with pytest.raises(_Down):
            await layer.run(fails, soon())
    assert delay.delay_s() == 0.25


async def test_ten_thousand_cancelled_hedges_leave_nothing_behind() -> None:
    """No slot and no task, wherever the cancellation comes."""
    limit, chance = ConcurrencyLimit(1_000), random.Random(9)
    pipeline = Pipeline((_hedged(RetryBudget(1e9)), Limited(limit)))
    before = asyncio.all_tasks()

    async def never(_deadline: Deadline) -> None:
        await asyncio.Event().wait()

    for _ in range(100):
        calls = [asyncio.create_task(pipeline.run(never, soon())) for _ in range(100)]
        for call in calls:
            if chance.random() < 0.2:
                await asyncio.sleep(0)
            call.cancel()
            if chance.random() < 0.2:
                await asyncio.sleep(0)
                call.cancel()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ended)
    assert limit.in_flight == 0
    assert asyncio.all_tasks() == before
