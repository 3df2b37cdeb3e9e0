"""Room for so many computations at a time, each with so much time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tandem.sandbox import engine, limits
from tandem.sandbox.problems import ApiProblem, Code


class Room:
    """Counts computations under way; beyond the bound the service says that it is overloaded."""

    def __init__(self) -> None:
        self._running = 0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Compute within; raises ApiProblem where there is no room, no engine or no time left."""
        if self._running >= limits.COMPUTES_MAX:
            retry = {"Retry-After": str(limits.OVERLOADED_RETRY_S)}
            raise ApiProblem(Code.OVERLOADED, headers=retry)
        self._running += 1
        try:
            async with asyncio.timeout(limits.COMPUTE_TIMEOUT_S):
                yield
        except (TimeoutError, engine.ComputeTimeout) as error:
            raise ApiProblem(Code.COMPUTE_TIMEOUT) from error
        except engine.Unavailable as error:
            retry = {"Retry-After": str(limits.MAINTENANCE_RETRY_S)}
            raise ApiProblem(Code.MAINTENANCE, headers=retry) from error
        finally:
            self._running -= 1
