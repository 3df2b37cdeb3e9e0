"""The rate limit against a plain token bucket, and credits around calls."""

import asyncio
import math
import random
from collections.abc import Coroutine
from typing import Any, cast

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.support.routing import VirtualClock, soon

from tandem.resilience.deadline import Deadline
from tandem.resilience.errors import Rejected, RejectReason
from tandem.resilience.gcra import Denied, LocalRateLimit, Plan, Reservation
from tandem.resilience.layers import Reserved

_PLAN = Plan(credits=4, per_s=1.0, burst=10)


def _now[T](call: Coroutine[Any, Any, T]) -> T:
    """Run what never really waits, without an event loop."""
    try:
        call.send(None)
    except StopIteration as done:
        return cast("T", done.value)
    raise AssertionError("it waited")


class BucketMachine(RuleBasedStateMachine):
    """Credits are taken and put right while time goes by; the model is refilled step by step."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock(0.0)
        self.limit = LocalRateLimit(_PLAN, self.clock)
        self.free = _PLAN.burst
        self.spent = 0.0
        self.held: list[Reservation] = []

    @rule(seconds=st.integers(0, 64).map(lambda eighths: eighths / 8))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)
        self.free = min(_PLAN.burst, self.free + seconds * 4)

    @rule(cost=st.integers(0, 60).map(lambda quarters: quarters / 4))
    def reserve(self, cost: float) -> None:
        """Take credits; denied exactly where they are not free, with the exact wait."""
        answer = _now(self.limit.reserve("k", cost))
        lacking = min(cost, _PLAN.burst) - self.free
        if cost > 0 and lacking > 0:
            assert isinstance(answer, Denied)
            assert answer.retry_after_s == pytest.approx(lacking / 4)
            return
        assert answer == Reservation("k", cost)
        self.free -= cost
        self.spent += cost
        self.held.append(Reservation("k", cost))

    @precondition(lambda self: bool(self.held))
    @rule(data=st.data(), actual=st.integers(-8, 80).map(lambda quarters: quarters / 4))
    def settle(self, data: st.DataObject, actual: float) -> None:
        """Put a cost right; what comes back never makes more free than the burst."""
        reservation = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        _now(self.limit.settle(reservation, actual))
        excess = actual - reservation.credits
        self.spent += excess
        self.free = min(_PLAN.burst, self.free - excess)

    @invariant()
    def the_bucket_is_the_model(self) -> None:
        """Free credits agree, and nobody spent more than the plan gave."""
        assert self.limit.free("k") == pytest.approx(self.free)
        assert self.spent - max(0.0, -self.free) <= _PLAN.burst + 4 * self.clock.now_s + 1e-6


TestBucket = BucketMachine.TestCase


def test_a_quota_is_kept_in_any_window() -> None:
    """However the other side's windows lie, none sees more than the quota, and 95 % is used."""
    plan, clock = Plan.within(quota=100, window_s=10.0, burst=5), VirtualClock(0.0)
    limit, taken_s = LocalRateLimit(plan, clock), list[float]()
    for _ in range(10_000):
        clock.advance(0.01)
        if isinstance(_now(limit.reserve("k", 1.0)), Reservation):
            taken_s.append(clock.now_s)
    for start_s in range(90):
        for shift in (0.0, 0.37, 0.73):
            seen = sum(start_s + shift <= at_s < start_s + shift + 10 for at_s in taken_s)
            assert 94 <= seen <= 100


def test_a_quota_is_kept_though_calls_arrive_late() -> None:
    """A stall, and all that was taken meanwhile arrives at once: no window sees more."""
    plan = Plan.within(quota=100, window_s=10.0, burst=5, late_s=1.5)
    clock, chance = VirtualClock(0.0), random.Random(2)
    limit, seen_s, stalled_until_s = LocalRateLimit(plan, clock), list[float](), 0.0
    for _ in range(10_000):
        clock.advance(0.01)
        if chance.random() < 0.003:
            stalled_until_s = clock.now_s + 1.5
        if isinstance(_now(limit.reserve("k", 1.0)), Reservation):
            seen_s.append(max(clock.now_s, stalled_until_s))
    for start_s in (moment / 7 for moment in range(600)):
        assert sum(start_s <= at_s < start_s + 10 for at_s in seen_s) <= 100


def test_whole_costs_use_the_whole_quota() -> None:
    """Calls of one credit each, one at a time: ten of ten in any second."""
    plan, clock = Plan.within(quota=10, window_s=1.0, burst=1, unit=1), VirtualClock(0.0)
    limit, taken_s = LocalRateLimit(plan, clock), list[float]()
    for _ in range(20_000):
        clock.advance(0.001)
        if isinstance(_now(limit.reserve("k", 1.0)), Reservation):
            taken_s.append(clock.now_s)
    for start_s in (moment / 7 for moment in range(100)):
        assert 9 <= sum(start_s <= at_s < start_s + 1 for at_s in taken_s) <= 10


@pytest.mark.parametrize("cost", [-1.0, math.inf, math.nan])
def test_what_is_no_cost_is_refused(cost: float) -> None:
    """A mistake of the caller's, not a denial."""
    with pytest.raises(ValueError, match="credits"):
        _now(LocalRateLimit(_PLAN, VirtualClock()).reserve("k", cost))


def test_a_debt_is_bounded() -> None:
    """No figure from outside shuts us off for more than an hour and the burst's time."""
    clock = VirtualClock()
    limit = LocalRateLimit(_PLAN, clock)
    for actual in (1e12, math.inf, math.nan):
        _now(limit.settle(Reservation("k", 1.0), actual))
    denied = _now(limit.reserve("k", 10.0))
    assert isinstance(denied, Denied)
    assert denied.retry_after_s <= 3_600 + 2.5


def test_keys_are_bounded_and_forgotten_when_full() -> None:
    """Full buckets make room; where there are none, a new key is rejected."""
    clock = VirtualClock()
    limit = LocalRateLimit(_PLAN, clock, keys_max=2)
    _now(limit.reserve("a", 1.0))
    _now(limit.reserve("b", 8.0))
    with pytest.raises(Rejected):
        _now(limit.reserve("c", 1.0))
    _now(limit.settle(Reservation("c", 0.0), 1.0))
    clock.advance(1.0)
    assert isinstance(_now(limit.reserve("c", 1.0)), Reservation)
    assert limit.free("b") == pytest.approx(6.0)


@pytest.mark.parametrize("numbers", [(0, 1, 1), (1, 0, 1), (1, 1, 0), (1, math.inf, 1)])
def test_senseless_plans_are_refused(numbers: tuple[float, float, float]) -> None:
    """A plan has credits, a time and a burst."""
    with pytest.raises(ValueError, match="plan"):
        Plan(*numbers)


class _Bill(Exception):  # noqa: N818 - a test's own word
    """A call that failed, and what it cost."""

    def __init__(self, cost: float | None) -> None:
        self.cost = cost


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("end", "left"),
    [
        (5.0, 5.0),
        (None, 8.0),
        (_Bill(1.0), 9.0),
        (_Bill(None), 8.0),
        (Rejected(RejectReason.CONCURRENCY), 10.0),
    ],
)
async def test_credits_are_put_right_after_the_call(
    end: float | Exception | None, left: float
) -> None:
    """By what the end says it cost, else by the estimate; a call that was not made cost nothing."""
    limit = LocalRateLimit(_PLAN, VirtualClock())

    def spent(ended: object) -> float | None:
        if isinstance(ended, _Bill):
            return ended.cost
        return None if isinstance(ended, Rejected) else cast("float | None", ended)

    layer = Reserved(limit, "k", lambda: 2.0, spent)

    async def call(_deadline: Deadline) -> float | None:
        if isinstance(end, Exception):
            raise end
        return end

    if isinstance(end, Exception):
        with pytest.raises(type(end)):
            await layer.run(call, soon())
    else:
        await layer.run(call, soon())
    assert limit.free("k") == pytest.approx(left)


@pytest.mark.anyio
async def test_a_call_without_credits_is_not_made() -> None:
    """It is rejected, with the wait; and a cancelled call has cost its estimate."""
    limit = LocalRateLimit(_PLAN, VirtualClock())
    layer, started = Reserved(limit, "k", lambda: 8.0), asyncio.Event()

    async def never(_deadline: Deadline) -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(layer.run(never, soon()))
    await started.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    with pytest.raises(Rejected) as rejected:
        await layer.run(never, soon())
    assert rejected.value.reason is RejectReason.RATE_LIMIT
    assert rejected.value.retry_after_s == pytest.approx(1.5)
