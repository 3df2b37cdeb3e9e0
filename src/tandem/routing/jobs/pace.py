"""How many items a process works on at once: as many as the gateway has capacity for.

Batch calls get what live ones leave, and who finds no slot there is turned away, not queued. So the
queue is here, and its width is found by trial: success widens it slowly, failure halves it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tandem.routing.limits import JOB_IN_FLIGHT, JOB_IN_FLIGHT_MAX


class Pace:
    """A limit that grows by one for each round of successes, and halves at a failure."""

    def __init__(self) -> None:
        self._limit = float(JOB_IN_FLIGHT)
        self._in_flight = 0
        self._changed = asyncio.Condition()

    @property
    def limit(self) -> int:
        """How many items may be worked on now."""
        return int(self._limit)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Callable[[bool], None]]:
        """Wait for a place; what it gives is to be told whether there was an answer."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._in_flight < self.limit)
            self._in_flight += 1
        try:
            yield self._learn
        finally:
            self._in_flight -= 1
            async with self._changed:
                self._changed.notify_all()

    def _learn(self, answered: bool) -> None:
        changed = self._limit + 1 / self._limit if answered else self._limit / 2
        self._limit = min(max(changed, 1.0), float(JOB_IN_FLIGHT_MAX))
