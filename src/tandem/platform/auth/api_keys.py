"""API keys `tandem_<id>_<secret>`: made here, shown once, kept as SHA-256.

The secret has 256 random bits, so a plain hash is as good as a slow one and costs no request time.
"""

import base64
import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg import AsyncConnection, InterfaceError, OperationalError
from psycopg.rows import TupleRow
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from tandem.platform.auth.permissions import Permission, Principal
from tandem.platform.database import DatabaseUnavailable, Pool, migrate
from tandem.platform.limits import (
    KEY_CACHE_ENTRIES_MAX,
    KEY_CACHE_TTL_S,
    KEY_NAME_CHARS_MAX,
    KEY_TOKEN_CHARS_MAX,
)

ROLE: Final = "tandem_platform"
_SCHEMA: Final = "platform"
_MIGRATIONS: Final = "tandem.platform.auth:migrations"
_TOKEN: Final = re.compile(r"tandem_([0-9a-f]{16})_([A-Za-z0-9_-]{43})", re.ASCII)
_ID_BYTES: Final = 8
_SECRET_BYTES: Final = 32
_NO_HASH: Final = bytes(32)

_INSERT: Final = """
INSERT INTO platform.api_key (id, name, secret_hash, permissions, created_at)
VALUES (%s, %s, %s, %s, %s)
"""
_FIND: Final = """
SELECT name, secret_hash, permissions FROM platform.api_key WHERE id = %s AND revoked_at IS NULL
"""
_LIST: Final = """
SELECT id, name, permissions, created_at, revoked_at FROM platform.api_key ORDER BY created_at, id
"""
_REVOKE: Final = "UPDATE platform.api_key SET revoked_at = %s WHERE id = %s AND revoked_at IS NULL"
_ANY: Final = "SELECT EXISTS (SELECT FROM platform.api_key)"
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('tandem first api key', 0))"

_UNAVAILABLE: Final = (
    OperationalError, InterfaceError, PoolTimeout, PoolClosed, TooManyRequests
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """A key as listed: everything but its secret."""

    key_id: str
    name: str
    permissions: frozenset[Permission]
    created_at: datetime
    revoked_at: datetime | None


def migrate_auth(conninfo: str) -> None:
    """Bring the schema of the keys up to date. Blocking."""
    migrate(conninfo, _MIGRATIONS, _SCHEMA)


class ApiKeys:
    """The store of keys, with a small cache of those that were verified lately.

    `now` gives aware wall time, `monotonic_s` seconds for the cache, `random_bytes` secrets.
    A revocation by another process is seen within `KEY_CACHE_TTL_S`.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        now: Callable[[], datetime],
        monotonic_s: Callable[[], float],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._pool = pool
        self._now = now
        self._monotonic_s = monotonic_s
        self._random_bytes = random_bytes
        self._verified: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()

    async def create_key(self, name: str, permissions: Iterable[Permission]) -> str:
        """Make a key; returns its token, which cannot be had again."""
        async with self._pool.connection() as connection:
            return await self._insert(connection, name, permissions)

    async def ensure_first_key(self) -> str | None:
        """Make a key that may do everything where there never was one, and return its token.

        Of servers that start together only one makes it; the others get None.
        """
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(_LOCK)
            row = await (await connection.execute(_ANY)).fetchone()
            if row is not None and row[0]:
                return None
            return await self._insert(connection, "first", Permission)

    async def verify(self, token: str) -> Principal | None:
        """Tell whose token it is; None where it is nobody's, or revoked.

        Raises DatabaseUnavailable where that cannot be told.
        """
        parts = _TOKEN.fullmatch(token) if len(token) <= KEY_TOKEN_CHARS_MAX else None
        if parts is None:
            return None
        cache_key = hashlib.sha256(token.encode()).digest()
        cached = self._verified.get(cache_key)
        if cached is not None and self._monotonic_s() < cached[0]:
            self._verified.move_to_end(cache_key)
            return cached[1]
        principal = await self._look_up(key_id=parts[1], secret=parts[2])
        if principal is None:
            self._verified.pop(cache_key, None)
            return None
        self._verified[cache_key] = (self._monotonic_s() + KEY_CACHE_TTL_S, principal)
        if len(self._verified) > KEY_CACHE_ENTRIES_MAX:
            self._verified.popitem(last=False)
        return principal

    async def list_keys(self) -> Sequence[KeyInfo]:
        """List every key ever made, oldest first."""
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(_LIST)).fetchall()
        return [
            KeyInfo(key_id, name, _permissions(permissions), created_at, revoked_at)
            for key_id, name, permissions, created_at, revoked_at in rows
        ]

    async def revoke_key(self, key_id: str) -> bool:
        """End a key; False where there is no such key in use."""
        async with self._pool.connection() as connection:
            cursor = await connection.execute(_REVOKE, [self._now(), key_id])
        self._verified.clear()
        return cursor.rowcount == 1

    async def _insert(
        self,
        connection: AsyncConnection[TupleRow],
        name: str,
        permissions: Iterable[Permission],
    ) -> str:
        if not name.strip() or len(name) > KEY_NAME_CHARS_MAX:
            raise ValueError(f"a key's name has 1 to {KEY_NAME_CHARS_MAX} characters")
        key_id = self._random_bytes(_ID_BYTES).hex()
        encoded = base64.urlsafe_b64encode(self._random_bytes(_SECRET_BYTES))
        secret = encoded.decode().rstrip("=")
        granted = sorted(set(permissions))
        await connection.execute(_INSERT, [key_id, name, _hash(secret), granted, self._now()])
        return f"tandem_{key_id}_{secret}"

    async def _look_up(self, key_id: str, secret: str) -> Principal | None:
        try:
            async with self._pool.connection() as connection:
                row = await (await connection.execute(_FIND, [key_id])).fetchone()
        except _UNAVAILABLE as error:
            raise DatabaseUnavailable(f"cannot look a key up: {error}") from error
        # The comparison takes the same time whether the id is known or not.
        stored = _NO_HASH if row is None else bytes(row[1])
        if not hmac.compare_digest(_hash(secret), stored) or row is None:
            return None
        return Principal(key_id, row[0], _permissions(row[2]))


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _permissions(stored: Iterable[str]) -> frozenset[Permission]:
    """Read stored permissions; one that this version does not know allows nothing here."""
    known = {permission.value for permission in Permission}
    return frozenset(Permission(name) for name in stored if name in known)
