"""Plans: credits are taken by estimate before a call and put right after it; attempts are paced."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from tandem.resilience.deadline import Deadline
from tandem.resilience.errors import Rejected, RejectReason
from tandem.resilience.gcra import Denied, RateLimit, Reservation
from tandem.resilience.pipeline import Call, Place


@dataclass(frozen=True, slots=True)
class Reserved:
    """Makes no call whose credits are not free; `spent` reads from an end what it really cost.

    Where that is None, or the call was cancelled and nobody knows, the estimate stands; but a call
    that was rejected further in cost nothing then.
    """

    place: ClassVar[Place] = Place.QUOTA
    limit: RateLimit
    key: str
    cost: Callable[[], float]
    spent: Callable[[object], float | None] = lambda _end: None

    async def run[T](self, call: Call[T], deadline: Deadline) -> T:
        """Make the call if its credits are free."""
        reservation = await self.limit.reserve(self.key, self.cost())
        if isinstance(reservation, Denied):
            raise Rejected(RejectReason.RATE_LIMIT, reservation.retry_after_s)
        try:
            result = await call(deadline)
        except Rejected as error:
            await self._settle(reservation, self.spent(error) or 0.0)
            raise
        except Exception as error:
            await self._settle(reservation, self.spent(error))
            raise
        await self._settle(reservation, self.spent(result))
        return result

    async def _settle(self, reservation: Reservation, cost_actual: float | None) -> None:
        if cost_actual is not None and cost_actual != reservation.credits:
            await self.limit.settle(reservation, cost_actual)


@dataclass(frozen=True, slots=True)
class Paced:
    """Makes no attempt that comes sooner than a plan of requests allows.

    Innermost but for the attempt's own time: what is allowed is sent at once, and nothing that
    rejects stands between.
    """

    place: ClassVar[Place] = Place.PACE
    limit: RateLimit
    key: str

    async def run[T](self, call: Call[T], deadline: Deadline) -> T:
        """Make the attempt if the plan has a request free."""
        taken = await self.limit.reserve(self.key, 1.0)
        if isinstance(taken, Denied):
            raise Rejected(RejectReason.RATE_LIMIT, taken.retry_after_s)
        return await call(deadline)
