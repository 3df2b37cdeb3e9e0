"""The canary in PostgreSQL. Every call is one statement, and raises DatabaseUnavailable.

The canary is one row that moves by compare-and-set on its version; every move is kept.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, Final

from tandem.platform.database import Pool, borrowed, open_pool
from tandem.platform.migrations import migrate
from tandem.routing.change.canary import Canary, CanaryStatus
from tandem.routing.limits import CANARY_EVENTS_SHOWN_MAX, CANARY_POOL_CONNECTIONS_MAX
from tandem.routing.storage.change.queries import query

_SCHEMA: Final = "routing_change"
_ROLE: Final = "tandem_routing_change"


@asynccontextmanager
async def open_canary_store(conninfo: str) -> AsyncIterator["CanaryStore"]:
    """Bring the schema up to date and open the store. Raises DatabaseUnavailable."""
    await asyncio.to_thread(migrate, conninfo, "tandem.routing.storage.change:migrations", _SCHEMA)
    async with await open_pool(
        conninfo,
        role=_ROLE,
        min_size=1,
        max_size=CANARY_POOL_CONNECTIONS_MAX,
        name="tandem routing canary",
    ) as pool:
        yield CanaryStore(pool)


class CanaryStore:
    """The row, what was seen, and the moves."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def canary(self) -> Canary | None:
        """Return the canary that is under way, or was last."""
        rows = await self._execute("canary", {})
        return _canary(rows[0]) if rows else None

    async def move(self, canary: Canary) -> bool:
        """Make this the canary, if its version follows on the stored one; return whether it did."""
        return bool(await self._execute("move", asdict(canary)))

    async def moves(self) -> Sequence[Canary]:
        """Return what became of canaries, the last move first."""
        return [
            _canary(row) for row in await self._execute("moves", {"limit": CANARY_EVENTS_SHOWN_MAX})
        ]

    async def add(self, canary: Canary, counts: Mapping[str, int]) -> None:
        """Add what was seen of the stage that a canary is in."""
        seen = {what: count for what, count in counts.items() if count}
        if seen:
            what, numbers = list(seen), list(seen.values())
            stage = {"run": canary.run, "stage": canary.stage}
            await self._execute("add", {**stage, "what": what, "counts": numbers})

    async def counts(self, canary: Canary) -> Mapping[str, int]:
        """Return what all processes saw of the stage that a canary is in."""
        stage = {"run": canary.run, "stage": canary.stage}
        rows = await self._execute("counts", stage)
        return {str(what): int(count) for what, count in rows}

    async def _execute(self, name: str, parameters: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        async with borrowed(self._pool, "the store of canaries") as connection:
            cursor = await connection.execute(query(name), parameters)
            return [] if cursor.description is None else await cursor.fetchall()


def _canary(row: tuple[Any, ...]) -> Canary:
    run, version, candidate, baseline, status, stage, since_s, reason = row
    return Canary(run, version, candidate, baseline, CanaryStatus(status), stage, since_s, reason)
