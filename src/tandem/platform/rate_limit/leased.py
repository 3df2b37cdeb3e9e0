"""A slice of a shared rate limit, held by a process, so that not every call is a round trip.

What is leased now is spent a while later, so on the other side a window sees the credits of a
slightly longer window here. The plan in the database is therefore given a burst that is smaller by
what flows in during a lease; with it the whole keeps to its plan, whatever the processes do.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from tandem.platform.database import Pool
from tandem.platform.errors import DatabaseUnavailable
from tandem.platform.limits import (
    RATE_ALONE_S,
    RATE_ASK_TIMEOUT_S,
    RATE_LEASE_S,
    RATE_SLICE_S,
    RATE_SLICE_SHARE,
)
from tandem.platform.rate_limit.shared import SharedRateLimit
from tandem.resilience.deadline import Clock
from tandem.resilience.errors import Rejected, RejectReason
from tandem.resilience.gcra import Denied, LocalRateLimit, Plan, Reservation, check_cost
from tandem.resilience.limits import RATE_KEYS_MAX


@dataclass(slots=True)
class _Lease:
    """Credits of a key that this process holds, and those it has to give back."""

    left: float = 0.0
    until_s: float = 0.0
    back: float = 0.0
    wanted: float = 0.0
    denied_until_s: float = 0.0
    denied_cost: float = 0.0
    alone_until_s: float = 0.0
    refill: asyncio.Task[float | Denied] | None = None


class _Alone(Reservation):
    """Credits that were not taken from the database, so they are not given back to it."""


def _looked_at(refill: asyncio.Task[float | Denied]) -> None:
    """Look at how it ended, since who waited for it may be gone, so that nobody reports it."""
    if not refill.cancelled():
        refill.exception()


class LeasedRateLimit:
    """Credits of a plan, by key, taken from the database by the slice.

    `processes` is how many share the plan: while the database is away, or takes longer than
    `patience_s` (of the real clock), each keeps to its part by itself, and owes afterwards what has
    not flowed in since. The burst covers what flows in during a lease (`lease_s`) and the dearest
    usual call.
    `clock` tells monotonic seconds; `now_s` as for `SharedRateLimit`.
    """

    def __init__(
        self,
        pool: Pool,
        plan: Plan,
        clock: Clock,
        *,
        processes: int,
        lease_s: float = RATE_LEASE_S,
        patience_s: float = RATE_ASK_TIMEOUT_S,
        now_s: Callable[[], float] | None = None,
    ) -> None:
        lent = lease_s / plan.credit_s
        if lent >= plan.burst:
            raise ValueError("a plan whose burst flows in during one lease cannot be leased")
        self._shared = SharedRateLimit(pool, replace(plan, burst=plan.burst - lent), now_s)
        self._part = Plan(plan.credits / processes, plan.per_s, plan.burst / processes)
        self._alone = LocalRateLimit(self._part, clock)
        slices = min(self._shared.plan.burst * RATE_SLICE_SHARE, RATE_SLICE_S / plan.credit_s)
        self._slice = slices / processes
        self._clock = clock
        self._lease_s = lease_s
        self._patience_s = patience_s
        self._leases: dict[str, _Lease] = {}

    async def reserve(self, key: str, cost: float) -> Reservation | Denied:
        """Take credits, from the lease where it has them; raises ValueError for what is no cost."""
        check_cost(cost)
        lease = self._lease(key)
        if self._clock() < lease.alone_until_s:
            return await self._reserve_alone(key, cost)
        lease.wanted += cost
        try:
            return await self._reserve(key, lease, cost)
        except DatabaseUnavailable:
            lease.alone_until_s = self._clock() + RATE_ALONE_S
            return await self._reserve_alone(key, cost)
        finally:
            lease.wanted -= cost

    async def settle(self, reservation: Reservation, cost_actual: float) -> None:
        """Put right what a call really cost: at once where it was more, else with the next slice.

        Credits that came back are another's to take, so they do not prolong this lease.
        """
        if isinstance(reservation, _Alone):
            await self._alone.settle(reservation, cost_actual)
            return
        excess = cost_actual - reservation.credits
        lease = self._leases.get(reservation.key)
        if lease is None:
            # Another process reserved it, as of a job that went on here.
            await self._shared.settle(reservation, cost_actual)
        elif excess > 0:
            await self._owe(lease, reservation, cost_actual)
        elif math.isfinite(excess):
            lease.back -= excess

    async def close(self) -> None:
        """Give back what is left; raises DatabaseUnavailable."""
        for key, lease in self._leases.items():
            if lease.refill is not None:
                await asyncio.wait([lease.refill])
            back, lease.left, lease.back = lease.left + lease.back, 0.0, 0.0
            await self._shared.settle(Reservation(key, back), 0.0)

    async def _owe(self, lease: _Lease, reservation: Reservation, cost_actual: float) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                await self._shared.settle(reservation, cost_actual)
        except (DatabaseUnavailable, TimeoutError):
            # Nobody shares a debt while the database is away; the next slice brings it.
            if math.isfinite(cost_actual):
                lease.back -= cost_actual - reservation.credits

    def _lease(self, key: str) -> _Lease:
        lease = self._leases.get(key)
        if lease is None:
            if len(self._leases) >= RATE_KEYS_MAX:
                raise Rejected(RejectReason.RATE_LIMIT)
            lease = self._leases[key] = _Lease()
        return lease

    async def _reserve_alone(self, key: str, cost: float) -> Reservation | Denied:
        granted = await self._alone.reserve(key, cost)
        return granted if isinstance(granted, Denied) else _Alone(key, cost)

    async def _reserve(self, key: str, lease: _Lease, cost: float) -> Reservation | Denied:
        while not self._spend(lease, cost):
            now_s = self._clock()
            if now_s < lease.denied_until_s and cost >= lease.denied_cost:
                return Denied(lease.denied_until_s - now_s)
            if lease.refill is None:
                # A task of its own: a caller that gives up must not lose what is being granted.
                lease.refill = asyncio.create_task(self._refill(key, lease, cost))
                lease.refill.add_done_callback(_looked_at)
            refill = lease.refill
            await asyncio.wait([refill], timeout=self._patience_s)
            if not refill.done():
                raise DatabaseUnavailable("the shared rate limit takes too long")
            granted = refill.result()
            if isinstance(granted, Denied):
                return granted
        return Reservation(key, cost)

    def _spend(self, lease: _Lease, cost: float) -> bool:
        if self._clock() >= lease.until_s:
            lease.back += lease.left
            lease.left = 0.0
        if cost > lease.left:
            return False
        lease.left -= cost
        return True

    async def _refill(self, key: str, lease: _Lease, cost: float) -> float | Denied:
        """Take a slice, or what is wanted if that is more, with at least one caller's cost."""
        lacking = cost - lease.left
        try:
            await self._pay(key, lease)
            begun_s, back = self._clock(), lease.back
            wish = max(self._slice, lease.wanted - lease.left, lacking)
            granted = await self._shared.take(key, lacking, wish, back)
        finally:
            lease.refill = None
        if isinstance(granted, Denied):
            lease.denied_until_s = self._clock() + granted.retry_after_s
            lease.denied_cost = cost
            return granted
        lease.back -= back
        lease.left += granted
        # From before the question: the database granted it later, so it is spent in its time.
        lease.until_s = begun_s + self._lease_s
        return granted

    async def _pay(self, key: str, lease: _Lease) -> None:
        """Tell everybody of what this process spent alone and has not flowed in since."""
        alone = self._part.burst - self._alone.free(key)
        debt = alone - min(lease.back, 0.0)
        if debt <= 0:
            return
        # Credits come back before: on top of a debt a full bucket would take them in again.
        await self._shared.settle(Reservation(key, max(lease.back, 0.0)), 0.0)
        lease.back = min(lease.back, 0.0)
        await self._shared.settle(Reservation(key, 0.0), debt)
        lease.back = 0.0
        await self._alone.settle(Reservation(key, alone), 0.0)
