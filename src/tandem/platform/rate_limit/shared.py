"""A rate limit that processes share: the bucket of `tandem.resilience.gcra` as a row.

Each call is one statement in a transaction of its own, on the database's clock; the row is locked
while that statement runs, and never while anybody waits for a provider.
"""

import math
from collections.abc import Callable
from typing import Any, Final

from psycopg import InterfaceError, OperationalError
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from tandem.platform.database import Pool, migrate
from tandem.platform.errors import DatabaseUnavailable
from tandem.platform.rate_limit.queries import query
from tandem.resilience.gcra import Denied, Plan, Reservation, check_cost
from tandem.resilience.limits import DEBT_S_MAX, RATE_SLACK

ROLE: Final = "tandem_rate_limit"
_SCHEMA: Final = "rate_limit"
_MIGRATIONS: Final = "tandem.platform.rate_limit:migrations"
_UNAVAILABLE: Final = (
    OperationalError, InterfaceError, PoolTimeout, PoolClosed, TooManyRequests
)  # fmt: skip


def migrate_rate_limit(conninfo: str) -> None:
    """Bring the schema of the buckets up to date. Blocking."""
    migrate(conninfo, _MIGRATIONS, _SCHEMA)


class SharedRateLimit:
    """Credits of a plan, by key, over all processes on a database.

    `now_s` replaces the database's clock, where a test wants its own. Every method raises
    DatabaseUnavailable.
    """

    def __init__(self, pool: Pool, plan: Plan, now_s: Callable[[], float] | None = None) -> None:
        self.plan = plan
        self._pool = pool
        self._now_s = now_s

    async def reserve(self, key: str, cost: float) -> Reservation | Denied:
        """Take credits, or learn when to come back; raises ValueError for what is no cost."""
        granted = await self.take(key, cost, wish=cost)
        return granted if isinstance(granted, Denied) else Reservation(key, cost)

    async def settle(self, reservation: Reservation, cost_actual: float) -> None:
        """Put right what a call really cost."""
        excess = cost_actual - reservation.credits
        if excess and math.isfinite(excess):
            more = {"excess": excess, "debt_s_max": DEBT_S_MAX}
            await self._run("put_right", reservation.key, more)

    async def take(self, key: str, cost: float, wish: float, back: float = 0.0) -> float | Denied:
        """Take `cost` credits at least, and up to `wish` if free; returns how many.

        `back` are credits that were taken before and are given back, if any are granted.
        """
        check_cost(cost)
        if cost == 0:
            return 0.0
        more = {"cost": cost, "wish": wish, "back": back, "slack": RATE_SLACK}
        row = await self._run("take", key, more)
        if row is None:
            # Another process made the row at this moment, and took all of it.
            return Denied(cost * self.plan.credit_s)
        granted, full_at_s, now_s = row
        if granted is not None:
            return float(granted)
        # The row may have moved since it was read; at least a moment is waited for.
        wait_s = self.plan.wait_s(full_at_s - back * self.plan.credit_s, now_s, cost)
        return Denied(max(wait_s, min(cost, self.plan.burst) * self.plan.credit_s * 0.01))

    async def _run(self, name: str, key: str, more: dict[str, float]) -> Any:
        parameters = {
            "key": key,
            "burst": self.plan.burst,
            "credit_s": self.plan.credit_s,
            "now_s": None if self._now_s is None else self._now_s(),
            **more,
        }
        try:
            async with self._pool.connection() as connection:
                cursor = await connection.execute(query(name), parameters)
                return await cursor.fetchone() if cursor.description else None
        except _UNAVAILABLE as error:
            raise DatabaseUnavailable(f"cannot share a rate limit: {error}") from error
