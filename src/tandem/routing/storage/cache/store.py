"""Entries, leases and purges in PostgreSQL, shared by all processes.

Every call raises `DatabaseUnavailable` where the database does not do its part; what then becomes
of a request is the cache's matter.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import UUID

from tandem.platform.database import Pool, borrowed, open_pool
from tandem.platform.migrations import migrate
from tandem.routing.cache.lifetime import Lifetime
from tandem.routing.domain.area import Area
from tandem.routing.limits import (
    CACHE_POOL_CONNECTIONS_MAX,
    CACHE_PURGES_AT_ONCE,
    CACHE_PURGES_KEPT_S,
    CACHE_SHARED_ENTRIES_MAX,
    CACHE_SWEEP_ENTRIES_MAX,
)
from tandem.routing.storage.cache.queries import query

_SCHEMA: Final = "routing_cache"
_ROLE: Final = "tandem_routing_cache"
_PURGE_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('routing_cache purge', 0))"


@asynccontextmanager
async def open_cache_store(conninfo: str) -> AsyncIterator["CacheStore"]:
    """Bring the schema up to date and open the store. Raises DatabaseUnavailable."""
    await asyncio.to_thread(migrate, conninfo, "tandem.routing.storage.cache:migrations", _SCHEMA)
    async with await open_pool(
        conninfo,
        role=_ROLE,
        min_size=1,
        max_size=CACHE_POOL_CONNECTIONS_MAX,
        name="tandem routing cache",
    ) as pool:
        yield CacheStore(pool)


class CacheStore:
    """The tables of the cache; values are bytes here."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, key: bytes, now_s: float) -> tuple[Lifetime, bytes] | None:
        """Return what is kept under a key and may still be used."""
        rows = await self._execute("find", {"key": key, "now_s": now_s})
        return (Lifetime(*rows[0][:4]), bytes(rows[0][4])) if rows else None

    async def keep(
        self, key: bytes, area: Area, lifetime: Lifetime, value: bytes, *, purges_seen: int
    ) -> None:
        """Keep a value, unless its place was purged after `purges_seen` or a newer one is there."""
        await self._execute(
            "keep",
            {
                "key": key,
                "area": _box(area),
                "stored_s": lifetime.stored_s,
                "fresh_until_s": lifetime.fresh_until_s,
                "revalidate_until_s": lifetime.revalidate_until_s,
                "keep_until_s": lifetime.keep_until_s,
                "value": value,
                "purges_seen": purges_seen,
            },
        )

    async def purge(self, area: Area) -> int:
        """Forget what touches an area, for every process; return how many entries that were."""
        async with borrowed(self._pool, "the shared cache") as connection, connection.transaction():
            # Purges commit in the order of their numbers, so nobody who reads on misses one.
            await connection.execute(_PURGE_LOCK)
            cursor = await connection.execute(query("purge"), {"area": _box(area)})
            row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def purges(self, after: int) -> Sequence[tuple[int, Area]]:
        """Return numbers and areas of the purges after a number, in order, some at a time."""
        rows = await self._execute("purges", {"after": after, "limit": CACHE_PURGES_AT_ONCE})
        return [(row[0], Area(*row[1:])) for row in rows]

    async def last_purge(self) -> int:
        """Return the number of the last purge, 0 if there was none."""
        rows = await self._execute("last_purge", {})
        return int(rows[0][0])

    async def sweep(self, now_s: float) -> int:
        """Forget what is over and what is too much, some at a time; return how many entries."""
        rows = await self._execute(
            "sweep",
            {
                "now_s": now_s,
                "batch": CACHE_SWEEP_ENTRIES_MAX,
                "entries_max": CACHE_SHARED_ENTRIES_MAX,
                "purges_kept_s": CACHE_PURGES_KEPT_S,
            },
        )
        return int(rows[0][0])

    async def lease(self, key: bytes, holder: UUID, now_s: float, until_s: float) -> bool:
        """Become the one who fetches a key until a moment; False where another is at it."""
        parameters = {"key": key, "holder": holder, "now_s": now_s, "until_s": until_s}
        return bool(await self._execute("lease", parameters))

    async def end_lease(self, key: bytes, holder: UUID) -> None:
        """Let others fetch the key."""
        await self._execute("end_lease", {"key": key, "holder": holder})

    async def _execute(self, name: str, parameters: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        async with borrowed(self._pool, "the shared cache") as connection:
            cursor = await connection.execute(query(name), parameters)
            return [] if cursor.description is None else await cursor.fetchall()


def _box(area: Area) -> str:
    """Write an area as PostgreSQL's box."""
    return f"(({area.west!r},{area.south!r}),({area.east!r},{area.north!r}))"
