"""The asynchronous wrappers around a call that a test controls."""

import asyncio

import pytest
from tests.support.routing import VirtualClock, soon

from tandem.resilience.breaker import BreakerSettings, BreakerState, CircuitBreaker
from tandem.resilience.budget import RetryBudget
from tandem.resilience.concurrency import ConcurrencyLimit
from tandem.resilience.deadline import Deadline
from tandem.resilience.errors import AttemptTimedOut, Rejected, RejectReason
from tandem.resilience.hold_off import HoldOff
from tandem.resilience.layers import (
    NO_RETRY,
    Advice,
    AttemptTimeout,
    Guarded,
    HeldOff,
    Limited,
    Observed,
    Retry,
)
from tandem.resilience.outcome import Outcome
from tandem.resilience.pipeline import Call, Pipeline

pytestmark = pytest.mark.anyio


class _Down(Exception):  # noqa: N818 - a test's own word
    """The other side failed."""


class _Script:
    """A call with scripted outcomes, and a sleep that moves the clock instead of waiting."""

    def __init__(self, *outcomes: Exception | str) -> None:
        self.outcomes = list(outcomes)
        self.calls = 0
        self.clock = VirtualClock()
        self.waits_s: list[float] = []

    async def __call__(self, _deadline: Deadline) -> str:
        self.calls += 1
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def sleep(self, seconds: float) -> None:
        self.waits_s.append(seconds)
        self.clock.advance(seconds)

    def deadline(self, timeout_ms: float = 1_000) -> Deadline:
        return Deadline.after_ms(timeout_ms, self.clock)


def _retry(script: _Script, advice: Advice, budget: RetryBudget) -> Retry:
    return Retry(lambda _error: advice, budget, lambda: 1.0, sleep=script.sleep)


async def test_retry_until_success() -> None:
    """A second failure is retried as well, each wait doubling, and each retry is paid for."""
    script, budget = _Script(_Down(), _Down(), "ok"), RetryBudget(5)
    assert await _retry(script, Advice(3), budget).run(script, script.deadline()) == "ok"
    assert script.waits_s == [0.05, 0.1]
    assert budget.tokens == pytest.approx(5 - 2 + 0.1)


async def test_attempts_are_bounded() -> None:
    """After the last attempt the error stands."""
    script, budget = _Script(_Down(), _Down(), "ok"), RetryBudget(5)
    with pytest.raises(_Down):
        await _retry(script, Advice(2), budget).run(script, script.deadline())
    assert script.calls == 2


async def test_no_retry_where_advice_says_no() -> None:
    """What is not worth repeating is not repeated, and nothing is paid."""
    script, budget = _Script(_Down(), "ok"), RetryBudget(5)
    with pytest.raises(_Down):
        await _retry(script, NO_RETRY, budget).run(script, script.deadline())
    assert budget.tokens == 5


async def test_empty_budget_leaves_the_first_error() -> None:
    """Without a token there is one attempt, and its own error comes out."""
    script, budget = _Script(_Down("first"), "ok"), RetryBudget(0.5)
    with pytest.raises(_Down, match="first"):
        await _retry(script, Advice(3), budget).run(script, script.deadline())
    assert script.calls == 1


async def test_no_retry_beyond_the_deadline() -> None:
    """A wait that does not fit is not begun, and costs nothing."""
    script, budget = _Script(_Down(), "ok"), RetryBudget(5)
    with pytest.raises(_Down):
        await _retry(script, Advice(3, wait_s=2.0), budget).run(script, script.deadline(1_500))
    assert script.waits_s == []
    assert budget.tokens == 5


async def test_wait_that_was_asked_for_is_kept() -> None:
    """The other side's wish takes the place of our own backoff."""
    script, budget = _Script(_Down(), "ok"), RetryBudget(5)
    await _retry(script, Advice(2, wait_s=0.7), budget).run(script, script.deadline())
    assert script.waits_s == [0.7]


def _breaker() -> CircuitBreaker:
    return CircuitBreaker(BreakerSettings(10.0, 2, 0.5, 1.0, 4.0), lambda: 1.0)


async def test_guarded_call_is_judged_and_then_refused() -> None:
    """Failures open the breaker, which then lets no call through."""
    script, breaker = _Script(_Down(), _Down(), "ok"), _breaker()
    layer = Guarded(breaker, lambda _error: Outcome.FAILURE, script.clock)
    for _ in range(2):
        with pytest.raises(_Down):
            await layer.run(script, script.deadline())
    with pytest.raises(Rejected) as rejected:
        await layer.run(script, script.deadline())
    assert rejected.value.reason is RejectReason.BREAKER_OPEN
    assert script.calls == 2
    script.clock.advance(1.1)
    assert await layer.run(script, script.deadline()) == "ok"
    assert breaker.state(script.clock()) is BreakerState.CLOSED


async def test_cancelled_probe_lets_the_next_one_out() -> None:
    """A probe whose caller went away neither closes the breaker nor blocks it for ever."""
    script, breaker = _Script(_Down(), _Down(), "ok"), _breaker()
    layer = Guarded(breaker, lambda _error: Outcome.FAILURE, script.clock)
    for _ in range(2):
        with pytest.raises(_Down):
            await layer.run(script, script.deadline())
    script.clock.advance(1.1)
    started = asyncio.Event()

    async def never(_deadline: Deadline) -> str:
        started.set()
        await asyncio.Event().wait()
        return ""

    probe = asyncio.create_task(layer.run(never, soon()))
    await started.wait()
    with pytest.raises(Rejected):
        await layer.run(script, script.deadline())
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert breaker.state(script.clock()) is BreakerState.HALF_OPEN
    assert await layer.run(script, script.deadline()) == "ok"


async def test_hold_off_keeps_away_for_as_long_as_asked() -> None:
    """After a wish no call is made until its time is over, and not a moment longer."""
    script = _Script(_Down(), "ok")
    layer = HeldOff(HoldOff(), lambda _error: 30.0, script.clock)
    with pytest.raises(_Down):
        await layer.run(script, script.deadline())
    script.clock.advance(29.9)
    with pytest.raises(Rejected) as rejected:
        await layer.run(script, script.deadline())
    assert rejected.value.reason is RejectReason.HOLD_OFF
    script.clock.advance(0.1)
    assert await layer.run(script, script.deadline()) == "ok"


async def test_limit_has_no_queue_and_loses_no_place() -> None:
    """One call too many is refused at once; failure and cancellation both free their place."""
    limit = ConcurrencyLimit(1)
    layer, started = Limited(limit), asyncio.Event()

    async def never(_deadline: Deadline) -> str:
        started.set()
        await asyncio.Event().wait()
        return ""

    running = asyncio.create_task(layer.run(never, soon()))
    await started.wait()
    with pytest.raises(Rejected) as rejected:
        await layer.run(never, soon())
    assert rejected.value.reason is RejectReason.CONCURRENCY
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert limit.in_flight == 0
    script = _Script(_Down())
    with pytest.raises(_Down):
        await layer.run(script, soon())
    assert limit.in_flight == 0


async def test_attempt_is_given_up_in_its_time() -> None:
    """The attempt ends with its time, though the caller has more, and says how long it was."""

    async def never(_deadline: Deadline) -> str:
        await asyncio.Event().wait()
        return ""

    with pytest.raises(AttemptTimedOut) as timed_out:
        await AttemptTimeout(30).run(never, soon(10_000))
    assert timed_out.value.given_s == pytest.approx(0.03, abs=0.005)


async def test_a_timeout_of_somebody_else_passes() -> None:
    """A TimeoutError that is not the attempt's own is not renamed."""
    script = _Script(TimeoutError("theirs"))
    with pytest.raises(TimeoutError, match="theirs"):
        await AttemptTimeout(5_000).run(script, soon(10_000))


async def test_observer_sees_each_end() -> None:
    """Success and failure are both told, with the time they took."""
    script, ends = _Script("ok", _Down()), list[str]()
    layer = Observed(lambda raised, seconds: ends.append(f"{raised!r} {seconds}"), script.clock)
    await layer.run(script, script.deadline())
    with pytest.raises(_Down):
        await layer.run(script, script.deadline())
    assert ends == ["None 0.0", "_Down() 0.0"]


class _Tracer:
    """A layer that writes down when it is entered."""

    place = None

    def __init__(self, name: str, trace: list[str]) -> None:
        self.name, self.trace = name, trace

    async def run[T](self, call: Call[T], deadline: Deadline) -> T:
        self.trace.append(self.name)
        return await call(deadline)


async def test_first_layer_is_outermost() -> None:
    """A pipeline enters its layers in the order in which they are written."""
    trace: list[str] = []
    script = _Script("ok")
    pipeline = Pipeline((_Tracer("outer", trace), _Tracer("inner", trace)))
    assert await pipeline.run(script, soon()) == "ok"
    assert trace == ["outer", "inner"]
