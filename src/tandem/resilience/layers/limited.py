"""Layers that bound how many calls are in flight."""

from dataclasses import dataclass

from tandem.resilience.concurrency import ConcurrencyLimit
from tandem.resilience.deadline import Deadline
from tandem.resilience.pipeline import Call


@dataclass(frozen=True, slots=True)
class Limited:
    """Makes no call where too many are in flight."""

    limit: ConcurrencyLimit

    async def run[T](self, call: Call[T], deadline: Deadline) -> T:
        """Make the call if there is a place."""
        self.limit.acquire()
        try:
            return await call(deadline)
        finally:
            self.limit.release()
