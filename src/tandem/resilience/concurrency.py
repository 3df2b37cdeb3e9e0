"""A bound on calls in flight, without a queue: a queue would only hide that there are too many."""

from tandem.resilience.errors import Rejected, RejectReason


class ConcurrencyLimit:
    """Counts calls in flight."""

    def __init__(self, in_flight_max: int) -> None:
        if in_flight_max < 1:
            raise ValueError("at least one call must be allowed in flight")
        self._in_flight_max = in_flight_max
        self._in_flight = 0

    @property
    def in_flight(self) -> int:
        """How many calls are in flight."""
        return self._in_flight

    def acquire(self) -> None:
        """Take a place; raises Rejected where there is none."""
        if self._in_flight >= self._in_flight_max:
            raise Rejected(RejectReason.CONCURRENCY)
        self._in_flight += 1

    def release(self) -> None:
        """Give a place back."""
        self._in_flight -= 1
