"""How many calls may be in flight, found from how long they take (Netflix's Gradient2).

The limit follows the ratio of the usual round trip (a long average) to the present one (a short
one): where calls take longer than usual, a queue is growing on the other side, and the limit
shrinks until it does not; where they do not, it grows by a few. Little's law does the rest: a
provider that becomes ten times as slow is not given ten times as many calls in flight.

In one thing it differs from Netflix's: the long average learns only while calls have room, so only
from round trips that hold no queue of our own making. Learning from all, it takes the queue for
usual in minutes and lets the limit climb to its bound (measured here, at constant overload). Where
calls have had no room and taken too long for half a minute on end, the other side may be slower
now: the round trip is measured at the least concurrency, for ten calls, as Envoy does regularly.

There is no queue here. Who finds no slot is told at once, while a fallback still has time.

Slots are shared in two ways. Batch calls never hold more than a tenth of the limit, so that live
calls find the rest whenever they come: what is lent cannot be called back, as calls are not
interrupted. And each tenant keeps what it lately used (`tenants`).
"""

import math
from dataclasses import dataclass

from tandem.resilience.caller import LIVE, Caller, Partition
from tandem.resilience.errors import Rejected, RejectReason
from tandem.resilience.limits import (
    LIMITER_BACKOFF,
    LIMITER_BATCH_SHARE,
    LIMITER_GRADIENT_MIN,
    LIMITER_GROWTH,
    LIMITER_INITIAL,
    LIMITER_LONG_SAMPLES,
    LIMITER_MAX,
    LIMITER_MIN,
    LIMITER_PROBE_AFTER_S,
    LIMITER_RECOVERY,
    LIMITER_RECOVERY_RATIO,
    LIMITER_ROUND_TRIP_S_MIN,
    LIMITER_SHORT_SAMPLES,
    LIMITER_SMOOTHING,
    LIMITER_TOLERANCE,
)
from tandem.resilience.outcome import Outcome
from tandem.resilience.tenants import TenantShares


@dataclass(frozen=True, slots=True)
class LimiterSettings:
    """Bounds of the limit, and how it moves. Defaults are Netflix's.

    `tolerance`: how many times the usual a round trip may take before the limit shrinks.
    `smoothing`: the weight of each new estimate. `backoff`: what a failure leaves of the limit.
    """

    initial: int = LIMITER_INITIAL
    limit_min: int = LIMITER_MIN
    limit_max: int = LIMITER_MAX
    tolerance: float = LIMITER_TOLERANCE
    smoothing: float = LIMITER_SMOOTHING
    backoff: float = LIMITER_BACKOFF
    batch_share: float = LIMITER_BATCH_SHARE

    def __post_init__(self) -> None:
        if not 1 <= self.limit_min <= self.initial <= self.limit_max:
            raise ValueError("a limiter's bounds: 1 <= limit_min <= initial <= limit_max")
        shares = (self.smoothing, self.backoff, self.batch_share)
        if self.tolerance < 1 or not all(0 < share <= 1 for share in shares):
            raise ValueError("a limiter tolerates what is usual, and its shares are up to 1")


class _Average:
    """A mean of the first samples, and then one that forgets exponentially."""

    def __init__(self, samples: int) -> None:
        self._samples = samples
        self.count = 0
        self.value = 0.0

    def add(self, sample: float) -> None:
        self.count = min(self.count + 1, self._samples)
        self.value += (sample - self.value) / self.count


class GradientEstimate:
    """The limit alone: told of each round trip, it says how many calls may be in flight."""

    def __init__(self, settings: LimiterSettings) -> None:
        self._settings = settings
        self._limit = float(settings.initial)
        self._long = _Average(LIMITER_LONG_SAMPLES)
        self._short = _Average(LIMITER_SHORT_SAMPLES)
        self._probe: _Average | None = None
        self._usual_at_s = self._shrunk_at_s = -math.inf

    @property
    def limit(self) -> int:
        """How many calls may be in flight."""
        return self._settings.limit_min if self._probe else int(self._limit)

    def answered(self, started_s: float, now_s: float, in_flight: int) -> None:
        """Learn from a call that ended well, one of `in_flight` at its end."""
        round_trip_s = max(now_s - started_s, LIMITER_ROUND_TRIP_S_MIN)
        if self._probe is not None:
            self._measure(self._probe, started_s, round_trip_s)
            return
        has_room = in_flight * 2 < self.limit
        self._short.add(round_trip_s)
        if has_room or self._long.count < LIMITER_SHORT_SAMPLES:
            self._long.add(round_trip_s)
        # After a slow time the long average would call everything fast for long.
        if self._long.value > LIMITER_RECOVERY_RATIO * self._short.value:
            self._long.value *= LIMITER_RECOVERY
        ratio = self._settings.tolerance * self._long.value / self._short.value
        if has_room or ratio >= 1:
            self._usual_at_s = now_s
        elif now_s - self._usual_at_s >= LIMITER_PROBE_AFTER_S:
            self._probe, self._usual_at_s = _Average(LIMITER_SHORT_SAMPLES), now_s
        # What was not used was not tried: the limit does not grow on it.
        if not has_room:
            self._follow(ratio)

    def _measure(self, probe: _Average, started_s: float, round_trip_s: float) -> None:
        """Take in a round trip at the least concurrency: what began before is not one."""
        if started_s >= self._usual_at_s:
            probe.add(round_trip_s)
        if probe.count == LIMITER_SHORT_SAMPLES:
            self._long.value = self._short.value = probe.value
            self._probe = None

    def _follow(self, ratio: float) -> None:
        target = self._limit * max(LIMITER_GRADIENT_MIN, min(1.0, ratio)) + LIMITER_GROWTH
        smoothing = self._settings.smoothing
        self._set(self._limit * (1 - smoothing) + target * smoothing)

    def failed(self, started_s: float, now_s: float) -> None:
        """Learn from a call that failed: its time says nothing, its failure does.

        Calls that began before the limit shrank last failed of the same cause, which was heard.
        """
        if started_s >= self._shrunk_at_s:
            self._shrunk_at_s = now_s
            self._set(self._limit * self._settings.backoff)

    def _set(self, limit: float) -> None:
        self._limit = min(max(limit, self._settings.limit_min), float(self._settings.limit_max))


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one call in flight; it must be released once, with the call's outcome."""

    caller: Caller
    at_s: float
    tenant: str | None = None


class GradientLimiter:
    """Shares the slots of an estimated limit; it is told the time (monotonic seconds)."""

    def __init__(self, settings: LimiterSettings = LimiterSettings()) -> None:
        self._settings = settings
        self._estimate = GradientEstimate(settings)
        self._in_flight = 0
        self._batch = 0
        self._tenants = TenantShares()

    @property
    def limit(self) -> int:
        """How many calls may be in flight now."""
        return self._estimate.limit

    @property
    def in_flight(self) -> int:
        """How many calls are in flight; above the limit only just after it shrank."""
        return self._in_flight

    @property
    def batch_max(self) -> int:
        """How many of them may be of the batch partition; at least one, or it would starve."""
        return max(1, int(self.limit * self._settings.batch_share))

    def acquire(self, now_s: float, caller: Caller = LIVE) -> Slot:
        """Take a slot; raises Rejected where there is none for this caller."""
        free = self.limit - self._in_flight
        if free <= 0:
            raise Rejected(RejectReason.CONCURRENCY)
        if caller.partition is Partition.BATCH and self._batch >= self.batch_max:
            raise Rejected(RejectReason.BATCH_YIELDS)
        tenant = None
        if caller.tenant is not None:
            tenant = self._tenants.claim(caller.tenant, free, self.limit, now_s)
            if tenant is None:
                raise Rejected(RejectReason.TENANT_SHARE)
        self._count(caller.partition, 1)
        return Slot(caller, now_s, tenant)

    def release(self, slot: Slot, outcome: Outcome, now_s: float) -> None:
        """Give a slot back.

        FAILURE is for what tells of overload (timeouts, 503) and shrinks the limit; a refusal that
        was ANSWERED is a round trip like any other; what is NEUTRAL teaches nothing.
        """
        in_flight = self._in_flight
        self._count(slot.caller.partition, -1)
        if slot.tenant is not None:
            self._tenants.release(slot.tenant)
        if outcome is Outcome.FAILURE:
            self._estimate.failed(slot.at_s, now_s)
        elif outcome is not Outcome.NEUTRAL:
            self._estimate.answered(slot.at_s, now_s, in_flight)

    def _count(self, partition: Partition, change: int) -> None:
        self._in_flight += change
        if partition is Partition.BATCH:
            self._batch += change
