"""Credits: taken by estimate before a call, and put right after it."""

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

    Where that is None, or the call was cancelled and nobody knows, the estimate stands; a call
    that was rejected further in cost nothing.
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
        except Rejected:
            await self._settle(reservation, 0.0)
            raise
        except Exception as error:
            await self._settle(reservation, self.spent(error))
            raise
        await self._settle(reservation, self.spent(result))
        return result

    async def _settle(self, reservation: Reservation, cost_actual: float | None) -> None:
        if cost_actual is not None and cost_actual != reservation.credits:
            await self.limit.settle(reservation, cost_actual)
