"""The concurrency limiter: its bounds, whom it gives its slots, and a provider that turns slow."""

import asyncio
import heapq
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.support.routing import VirtualClock, soon

from tandem.resilience.caller import LIVE, Caller, Partition
from tandem.resilience.deadline import Deadline
from tandem.resilience.errors import Rejected, RejectReason
from tandem.resilience.layers import Sized
from tandem.resilience.limiter import GradientLimiter, LimiterSettings, Slot
from tandem.resilience.limits import TENANTS_MAX
from tandem.resilience.outcome import Outcome

_BATCH = Caller(Partition.BATCH)
_CALLERS = st.builds(
    Caller, st.sampled_from(Partition), st.sampled_from([None, "one", "two", "three"])
)


class LimiterMachine(RuleBasedStateMachine):
    """Calls of many callers start and end while time goes by."""

    def __init__(self) -> None:
        super().__init__()
        self.limiter = GradientLimiter(LimiterSettings(initial=12, limit_min=4, limit_max=40))
        self.now_s = 0.0
        self.held: list[Slot] = []

    @rule(seconds=st.floats(0, 3))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds

    @rule(caller=_CALLERS, count=st.integers(1, 8))
    def start(self, caller: Caller, count: int) -> None:
        """Ask for slots; none is given beyond the limit or the caller's share."""
        for _ in range(count):
            free = self.limiter.limit - self.limiter.in_flight
            try:
                slot = self.limiter.acquire(self.now_s, caller)
            except Rejected as rejected:
                assert self._is_just(rejected.reason, caller, free)  # noqa: PT017 - both are right
                continue
            assert free > 0
            self.held.append(slot)

    @precondition(lambda self: bool(self.held))
    @rule(data=st.data(), outcome=st.sampled_from(Outcome))
    def end(self, data: st.DataObject, outcome: Outcome) -> None:
        """End any call."""
        slot = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        self.limiter.release(slot, outcome, self.now_s)

    @invariant()
    def slots_are_conserved(self) -> None:
        """What is in flight is what was given and not released, of tenants too."""
        assert self.limiter.in_flight == len(self.held)
        tenants = Counter(slot.caller.tenant for slot in self.held if slot.caller.tenant)
        shares = self.limiter._tenants
        assert all(shares.in_flight(name) == tenants[name] for name in ("one", "two", "three"))
        assert shares._unused == sum(tenant.unused for tenant in shares._tenants.values())
        assert 4 <= self.limiter.limit <= 40
        assert self.limiter.batch_max <= max(1, self.limiter.limit / 10)

    def _is_just(self, reason: RejectReason, caller: Caller, free: int) -> bool:
        batch = sum(slot.caller.partition is Partition.BATCH for slot in self.held)
        own = sum(slot.caller.tenant == caller.tenant for slot in self.held)
        return {
            RejectReason.CONCURRENCY: free <= 0,
            RejectReason.BATCH_YIELDS: caller.partition is Partition.BATCH
            and batch >= self.limiter.batch_max,
            # Never one below a third of the limit, as there are three.
            RejectReason.TENANT_SHARE: caller.tenant is not None and 3 * own >= self.limiter.limit,
        }[reason]


TestLimiter = LimiterMachine.TestCase


def _fill(limiter: GradientLimiter, caller: Caller) -> int:
    """Take slots until there are no more; returns how many."""
    taken = 0
    while True:
        try:
            limiter.acquire(0.0, caller)
        except Rejected:
            return taken
        taken += 1


def test_live_calls_always_find_nine_tenths() -> None:
    """Batch calls that came first hold no more than their tenth, on an idle limiter too."""
    limiter = GradientLimiter()
    assert _fill(limiter, _BATCH) == 2
    assert _fill(limiter, LIVE) == 18


def test_batch_yields_to_live_entirely() -> None:
    """Where live calls fill the limit, no batch call starts."""
    limiter = GradientLimiter()
    assert _fill(limiter, LIVE) == 20
    assert _fill(limiter, _BATCH) == 0


def test_tenants_keep_what_they_lately_used() -> None:
    """One that asks for all gets what others do not use, and they find theirs when they come."""
    limiter = GradientLimiter(LimiterSettings(initial=60))
    quiet = [limiter.acquire(0.0, Caller(tenant="quiet")) for _ in range(10)]
    for slot in quiet[:8]:
        limiter.release(slot, Outcome.NEUTRAL, 0.1)
    assert _fill(limiter, Caller(tenant="greedy")) == 50
    assert _fill(limiter, Caller(tenant="quiet")) == 8


def test_one_tenant_alone_may_use_everything() -> None:
    """And another who comes then is given each slot that falls free, up to a fair share."""
    limiter = GradientLimiter()
    first = [limiter.acquire(0.0, Caller(tenant="first")) for _ in range(20)]
    assert _fill(limiter, Caller(tenant="second")) == 0
    second = 0
    for slot in first:
        limiter.release(slot, Outcome.NEUTRAL, 0.1)
        second += _fill(limiter, Caller(tenant="second"))
        _fill(limiter, Caller(tenant="first"))
    assert second >= 9


def test_what_was_used_long_ago_is_free_to_all() -> None:
    """After two epochs nothing is kept for who is gone, nor remembered."""
    limiter = GradientLimiter()
    gone = [limiter.acquire(0.0, Caller(tenant="gone")) for _ in range(20)]
    for slot in gone:
        limiter.release(slot, Outcome.NEUTRAL, 0.1)
    for now_s, expected in ((0.2, 10), (5.1, 0), (10.2, 10)):
        taken = 0
        with suppress(Rejected):
            while True:
                limiter.acquire(now_s, Caller(tenant="new"))
                taken += 1
        assert taken == expected
    assert len(limiter._tenants) == 1


def test_tenants_beyond_the_bound_are_one() -> None:
    """Their names cost no more memory, and their slots come back."""
    limiter = GradientLimiter(LimiterSettings(initial=200))
    for number in range(10_000):
        slot = limiter.acquire(0.0, Caller(tenant=str(number)))
        limiter.release(slot, Outcome.NEUTRAL, 0.0)
    assert len(limiter._tenants) <= TENANTS_MAX + 1
    assert limiter.in_flight == 0


def test_a_noisy_neighbour_takes_nobodys_slots() -> None:
    """G20: one of four tenants at ten times its calls; the others' p99 and rejections stay."""
    calm, noisy = (_shared(factor) for factor in (1, 10))
    for tenant in ("b", "c", "d"):
        (calm_s, _), (noisy_s, rejected) = calm[tenant], noisy[tenant]
        p99_s = [sorted(waits_s)[len(waits_s) * 99 // 100] for waits_s in (calm_s, noisy_s)]
        assert p99_s[1] <= 1.1 * p99_s[0]
        assert rejected <= 0.01 * len(noisy_s)
    assert noisy["a"][1] > len(noisy["a"][0])


def _shared(factor: int) -> dict[str, tuple[list[float], int]]:
    """Four tenants, 40 calls a second each, `a` with a factor: waits and number of rejections."""
    limiter, chance = GradientLimiter(), random.Random(4)
    provider = _Provider(1_000, 0.8, chance)
    arrivals = sorted(
        (chance.uniform(0, 60), tenant)
        for tenant, times in (("a", factor), ("b", 1), ("c", 1), ("d", 1))
        for _ in range(40 * 60 * times)
    )
    flying: list[tuple[float, int, Slot]] = []
    ends: dict[str, tuple[list[float], int]] = {tenant: ([], 0) for tenant in "abcd"}
    for number, (now_s, tenant) in enumerate(arrivals):
        while flying and flying[0][0] <= now_s:
            end_s, _, slot = heapq.heappop(flying)
            limiter.release(slot, Outcome.SUCCESS, end_s)
        waits_s, rejected = ends[tenant]
        try:
            slot = limiter.acquire(now_s, Caller(tenant=tenant))
        except Rejected:
            # The limit first has to grow to what is needed.
            ends[tenant] = waits_s, rejected + (now_s > 20)
            continue
        end_s = provider.end_s(now_s)
        heapq.heappush(flying, (end_s, number, slot))
        waits_s.append(end_s - now_s)
    return ends


@dataclass(slots=True)
class _Provider:
    """Serves `servers` calls at once, each for about `service_s`; the rest queue there."""

    servers: int
    service_s: float
    chance: random.Random
    free_at_s: list[float] = field(default_factory=list)

    def end_s(self, now_s: float) -> float:
        """When a call that comes now is answered."""
        while len(self.free_at_s) < self.servers:
            heapq.heappush(self.free_at_s, 0.0)
        start_s = max(now_s, heapq.heappop(self.free_at_s))
        end_s = start_s + self.service_s * self.chance.uniform(0.9, 1.1)
        heapq.heappush(self.free_at_s, end_s)
        return end_s


@dataclass(slots=True)
class _Run:
    """Calls at a constant rate through a limiter."""

    limiter: GradientLimiter
    provider: _Provider
    now_s: float = 0.0
    flying: list[tuple[float, int, Slot]] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    in_flight_max: int = 0
    rejected: int = 0

    def offer(self, per_second: float, seconds: float) -> None:
        """Offer calls; leaves how long they took and how many were in flight."""
        self.waits_s, self.in_flight_max, self.rejected = [], 0, 0
        for number in range(round(per_second * seconds)):
            self.now_s += 1 / per_second
            while self.flying and self.flying[0][0] <= self.now_s:
                end_s, _, slot = heapq.heappop(self.flying)
                self.limiter.release(slot, Outcome.SUCCESS, end_s)
            try:
                slot = self.limiter.acquire(self.now_s)
            except Rejected:
                self.rejected += 1
                continue
            end_s = self.provider.end_s(self.now_s)
            heapq.heappush(self.flying, (end_s, number, slot))
            self.waits_s.append(end_s - self.now_s)
            self.in_flight_max = max(self.in_flight_max, self.limiter.in_flight)


def test_a_provider_that_turns_slow_is_given_what_it_serves() -> None:
    """Ten times the latency at constant load: seven tenths of its capacity used, no queue grows."""
    run = _Run(GradientLimiter(), _Provider(40, 0.08, random.Random(3)))
    run.offer(per_second=200, seconds=60)
    assert run.rejected == 0
    run.provider.service_s = 0.8
    run.offer(per_second=200, seconds=30)
    assert run.in_flight_max <= 60
    for _ in range(10):
        run.offer(per_second=200, seconds=60)
        # 40 at once of 0.8 s each are 50 a second.
        assert len(run.waits_s) >= 0.7 * 50 * 60
        assert run.in_flight_max <= 130
        assert sum(run.waits_s) / len(run.waits_s) <= 2 * 0.8
    run.provider.service_s = 0.08
    run.offer(per_second=200, seconds=10)
    run.offer(per_second=200, seconds=60)
    assert run.rejected == 0


def test_the_limit_grows_to_what_is_needed_and_no_further() -> None:
    """With room on the other side it follows the load; what is not used does not raise it."""
    run = _Run(GradientLimiter(), _Provider(1_000, 0.5, random.Random(3)))
    run.offer(per_second=150, seconds=60)
    run.offer(per_second=150, seconds=60)
    assert run.rejected == 0
    assert 75 <= run.limiter.limit <= 200
    idle = GradientLimiter()
    for _ in range(1_000):
        idle.release(idle.acquire(0.0), Outcome.SUCCESS, 0.1)
    assert idle.limit == 20


def test_failures_shrink_the_limit_to_its_least() -> None:
    """Each takes a tenth, and those that were under way together take it once."""
    limiter = GradientLimiter(LimiterSettings(initial=100, limit_min=5))
    together = [limiter.acquire(0.0) for _ in range(50)]
    for slot in together:
        limiter.release(slot, Outcome.FAILURE, 1.0)
    assert limiter.limit == 90
    for second in range(2, 100):
        limiter.release(limiter.acquire(second), Outcome.FAILURE, second + 0.5)
    assert limiter.limit == 5


def test_a_share_of_failures_leaves_room_for_the_rest() -> None:
    """Three of ten time out: twenty calls in flight are not made fewer."""
    limiter, chance, now_s, rejected = GradientLimiter(), random.Random(6), 0.0, 0
    for _ in range(500):
        slots = []
        for _ in range(20):
            try:
                slots.append(limiter.acquire(now_s))
            except Rejected:
                rejected += 1
        now_s += 0.1
        for slot in slots:
            outcome = Outcome.FAILURE if chance.random() < 0.3 else Outcome.SUCCESS
            limiter.release(slot, outcome, now_s)
    assert rejected <= 0.01 * 10_000


@pytest.mark.anyio
async def test_ten_thousand_cancelled_calls_leave_every_slot() -> None:
    """Cancelled before, while and after they run: the next ones find all slots."""
    limiter = GradientLimiter()
    layer = Sized(limiter, lambda _error: Outcome.FAILURE, VirtualClock())

    async def never(_deadline: Deadline) -> None:
        await asyncio.Event().wait()

    for batch in range(500):
        tasks = [asyncio.create_task(layer.run(never, soon())) for _ in range(20)]
        for turn in range(batch % 4):
            await asyncio.sleep(0)
            tasks[turn].cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert limiter.in_flight == 0
    assert _fill(limiter, LIVE) == limiter.limit == 20


@pytest.mark.parametrize(
    "settings",
    [
        {"limit_min": 0},
        {"initial": 5},
        {"initial": 300},
        {"tolerance": 0.5},
        {"smoothing": 0.0},
        {"backoff": 1.5},
        {"batch_share": 0.0},
    ],
)
def test_senseless_settings_are_refused(settings: dict[str, float]) -> None:
    """Bounds are in order, and shares are shares."""
    with pytest.raises(ValueError, match="limiter"):
        LimiterSettings(**settings)  # type: ignore[arg-type]  # wrong on purpose
