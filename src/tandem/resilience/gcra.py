"""Keeping to a plan of so many credits a second: the generic cell rate algorithm, with weights.

All of a bucket's state is one time, at which it will be full again: what is free now follows from
how far off that is. Taking moves it on, giving back moves it back. So a bucket is one number in
memory or one row in a database, and needs no timer that refills it.

Costs may be known only afterwards: `reserve` takes an estimate, `settle` puts it right. What was
too much is given back; what was too little is a debt that is waited for before the next call.
"""

import math
from dataclasses import dataclass
from typing import Protocol

from tandem.resilience.deadline import Clock
from tandem.resilience.errors import Rejected, RejectReason
from tandem.resilience.limits import DEBT_S_MAX, RATE_KEYS_MAX, RATE_SLACK


@dataclass(frozen=True, slots=True)
class Plan:
    """So many credits in so many seconds, of which `burst` may come at once.

    In any window of w seconds it allows no more than `burst + w * credits / per_s`; a call that
    costs more than the burst counts as one, and is waited for afterwards.
    """

    credits: float
    per_s: float
    burst: float

    def __post_init__(self) -> None:
        if not all(0 < part < math.inf for part in (self.credits, self.per_s, self.burst)):
            raise ValueError("a plan's credits, time and burst are above 0 and finite")

    @classmethod
    def within(
        cls, quota: float, window_s: float, burst: float, unit: float = 0.0, late_s: float = 0.0
    ) -> "Plan":
        """Return the plan that takes no more than a quota in any window, however it is aligned.

        The other side's windows start when they like, so what may come at once is not there for
        the steady rate: the smaller the burst, the more of the quota is used. Where quota, burst
        and all costs are multiples of a `unit`, the last one is, since windows are half open.
        What is taken here may arrive there up to `late_s` later, so a window there sees what was
        taken in a longer one.
        """
        return cls(quota - burst + unit, window_s + late_s, burst)

    @property
    def credit_s(self) -> float:
        """The seconds in which one credit comes back."""
        return self.per_s / self.credits

    def free(self, full_at_s: float, now_s: float) -> float:
        """Return the credits that are free; below 0 is a debt."""
        return self.burst - max(0.0, full_at_s - now_s) / self.credit_s

    def take(self, full_at_s: float, now_s: float, cost: float) -> float:
        """Return when the bucket is full after taking a cost, whether that is free or not."""
        return max(full_at_s, now_s) + cost * self.credit_s

    def wait_s(self, full_at_s: float, now_s: float, cost: float) -> float:
        """Return for how long a cost is not free yet, 0 if it is."""
        lacking = min(cost, self.burst) - self.free(full_at_s, now_s)
        return lacking * self.credit_s if lacking > RATE_SLACK * self.burst else 0.0

    def put_right(self, full_at_s: float, now_s: float, excess: float) -> float:
        """Return when the bucket is full after a cost proved higher, or lower where negative.

        The debt is bounded: no figure from outside shuts us off for longer.
        """
        latest_s = now_s + self.burst * self.credit_s + DEBT_S_MAX
        return min(max(full_at_s, now_s) + excess * self.credit_s, max(latest_s, full_at_s))


@dataclass(frozen=True, slots=True)
class Reservation:
    """Credits that were taken for one call; settle it once the cost is known."""

    key: str
    credits: float


@dataclass(frozen=True, slots=True)
class Denied:
    """Credits that are not free; they may be after a wait."""

    retry_after_s: float


class RateLimit(Protocol):
    """Credits by key: of one process, or of all that share a database."""

    async def reserve(self, key: str, cost: float) -> Reservation | Denied:
        """Take credits, or learn when to come back; raises ValueError for less than 0.

        What costs nothing is never denied.
        """
        ...

    async def settle(self, reservation: Reservation, cost_actual: float) -> None:
        """Put right what a call really cost; below 0 where credits came back."""
        ...


class LocalRateLimit:
    """The rate limit of one process; it forgets keys whose buckets are full."""

    def __init__(self, plan: Plan, clock: Clock, keys_max: int = RATE_KEYS_MAX) -> None:
        self._plan = plan
        self._clock = clock
        self._keys_max = keys_max
        self._full_at_s: dict[str, float] = {}

    def free(self, key: str) -> float:
        """Return the credits that are free now."""
        return self._plan.free(self._full_at_s.get(key, -math.inf), self._clock())

    async def reserve(self, key: str, cost: float) -> Reservation | Denied:
        """Take credits, or learn when to come back; Rejected where there are too many keys."""
        check_cost(cost)
        if cost == 0:
            return Reservation(key, cost)
        now_s, full_at_s = self._clock(), self._full_at_s.get(key, -math.inf)
        wait_s = self._plan.wait_s(full_at_s, now_s, cost)
        if wait_s > 0:
            return Denied(wait_s)
        if not self._keep(key, self._plan.take(full_at_s, now_s, cost), now_s):
            raise Rejected(RejectReason.RATE_LIMIT)
        return Reservation(key, cost)

    async def settle(self, reservation: Reservation, cost_actual: float) -> None:
        """Put right what a call really cost; the call was made, so this never fails it."""
        excess = cost_actual - reservation.credits
        if excess and math.isfinite(excess):
            now_s = self._clock()
            full_at_s = self._full_at_s.get(reservation.key, -math.inf)
            self._keep(reservation.key, self._plan.put_right(full_at_s, now_s, excess), now_s)

    def _keep(self, key: str, full_at_s: float, now_s: float) -> bool:
        """Remember a bucket; False where there is no room for another."""
        if key not in self._full_at_s and len(self._full_at_s) >= self._keys_max:
            self._full_at_s = {k: at_s for k, at_s in self._full_at_s.items() if at_s > now_s}
            if len(self._full_at_s) >= self._keys_max:
                return False
        self._full_at_s[key] = full_at_s
        return True


def check_cost(cost: float) -> None:
    """Raise ValueError for what is no cost."""
    if not 0 <= cost < math.inf:
        raise ValueError("a call's credits are 0 or more, and finite")
