"""The limits of a process, and their end."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from tandem.platform.database import DatabaseUnavailable, open_pool
from tandem.platform.limits import RATE_LEASE_S, RATE_POOL_CONNECTIONS_MAX
from tandem.platform.rate_limit.leased import LeasedRateLimit
from tandem.platform.rate_limit.shared import ROLE, migrate_rate_limit
from tandem.resilience.gcra import Plan


@asynccontextmanager
async def open_rate_limits(
    conninfo: str, processes: int, lease_s: float = RATE_LEASE_S
) -> AsyncIterator[Callable[[Plan], LeasedRateLimit]]:
    """Give what makes a limit for a plan that so many processes share; at the end give back.

    It raises ValueError for a plan whose burst is too small to be leased. Raises MigrationError
    and DatabaseUnavailable.
    """
    await asyncio.to_thread(migrate_rate_limit, conninfo)
    made: list[LeasedRateLimit] = []
    async with await open_pool(
        conninfo,
        role=ROLE,
        min_size=1,
        max_size=RATE_POOL_CONNECTIONS_MAX,
        name="tandem rate limits",
    ) as pool:

        def limited(plan: Plan) -> LeasedRateLimit:
            limit = LeasedRateLimit(
                pool, plan, time.monotonic, processes=processes, lease_s=lease_s
            )
            made.append(limit)
            return limit

        try:
            yield limited
        finally:
            for limit in made:
                with suppress(DatabaseUnavailable):  # what is left flows in again by itself
                    await limit.close()
