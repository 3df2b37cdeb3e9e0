"""Pools of connections to PostgreSQL. What is said over them is not here."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from psycopg import AsyncConnection, Connection, InterfaceError, OperationalError
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import (
    AsyncConnectionPool,
    ConnectionPool,
    PoolClosed,
    PoolTimeout,
    TooManyRequests,
)

from tandem.platform.errors import DatabaseUnavailable
from tandem.platform.limits import (
    ACQUIRE_TIMEOUT_S,
    ACQUIRE_WAITERS_MAX,
    CONNECT_TIMEOUT_S,
    IDLE_IN_TRANSACTION_TIMEOUT_MS,
    KEEPALIVES_COUNT,
    KEEPALIVES_IDLE_S,
    KEEPALIVES_INTERVAL_S,
    POOL_CLOSE_TIMEOUT_S,
    POOL_OPEN_TIMEOUT_S,
    STATEMENT_TIMEOUT_MS,
    TCP_USER_TIMEOUT_MS,
)
from tandem.platform.migrations import migrate

__all__ = [
    "BlockingPool",
    "DatabaseUnavailable",
    "Pool",
    "borrowed",
    "migrate",
    "open_blocking_pool",
    "open_pool",
    "with_session_settings",
]

type Pool = AsyncConnectionPool[AsyncConnection[TupleRow]]
type BlockingPool = ConnectionPool[Connection[TupleRow]]

_UNAVAILABLE: Final = (
    OperationalError, InterfaceError, PoolTimeout, PoolClosed, TooManyRequests
)  # fmt: skip


@asynccontextmanager
async def borrowed(pool: Pool, what: str) -> AsyncIterator[AsyncConnection[TupleRow]]:
    """Borrow a connection; raises DatabaseUnavailable, naming what cannot be had, where it fails.

    That is so for what is done with the connection, too.
    """
    try:
        async with pool.connection() as connection:
            yield connection
    except _UNAVAILABLE as error:
        raise DatabaseUnavailable(f"{what} cannot be had: {error}") from error


def with_session_settings(conninfo: str, settings: Mapping[str, str]) -> str:
    """Add server settings that hold from a connection's start, so that RESET returns to them."""
    parameters: dict[str, Any] = dict(conninfo_to_dict(conninfo))
    given = str(parameters.get("options") or "")
    added = " ".join(f"-c {name}={_escape(value)}" for name, value in settings.items())
    return make_conninfo(conninfo, options=f"{given} {added}".strip())


async def open_pool(
    conninfo: str,
    *,
    role: str | None,
    min_size: int,
    max_size: int,
    name: str,
    settings: Mapping[str, str] | None = None,
) -> Pool:
    """Open a pool of autocommit connections and wait until it has `min_size` of them.

    Every connection acts as `role` from its start. The caller closes the pool (it is an
    asynchronous context manager). Raises DatabaseUnavailable where the database is not there.
    """
    options = _options(conninfo, role, min_size, max_size, name, settings)
    pool: Pool = AsyncConnectionPool(**options)
    try:
        await pool.open(wait=True, timeout=POOL_OPEN_TIMEOUT_S)
    except (PoolTimeout, OperationalError) as error:
        await pool.close(timeout=POOL_CLOSE_TIMEOUT_S)
        raise DatabaseUnavailable(f"no connection for {name}: {error}") from error
    except BaseException:
        await pool.close(timeout=POOL_CLOSE_TIMEOUT_S)
        raise
    return pool


async def open_blocking_pool(
    conninfo: str, *, role: str | None, min_size: int, max_size: int, name: str
) -> BlockingPool:
    """Open a pool like `open_pool`'s whose connections block: for work in threads.

    Its own opening does not block. The caller closes it. Raises DatabaseUnavailable.
    """
    pool: BlockingPool = ConnectionPool(
        **_options(conninfo, role, min_size, max_size, name, settings=None)
    )
    try:
        await asyncio.to_thread(pool.open, wait=True, timeout=POOL_OPEN_TIMEOUT_S)
    except (PoolTimeout, OperationalError) as error:
        await asyncio.to_thread(pool.close, timeout=POOL_CLOSE_TIMEOUT_S)
        raise DatabaseUnavailable(f"no connection for {name}: {error}") from error
    except BaseException:
        await asyncio.to_thread(pool.close, timeout=POOL_CLOSE_TIMEOUT_S)
        raise
    return pool


def _options(
    conninfo: str,
    role: str | None,
    min_size: int,
    max_size: int,
    name: str,
    settings: Mapping[str, str] | None,
) -> dict[str, Any]:
    session = {
        "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
        "statement_timeout": str(STATEMENT_TIMEOUT_MS),
        **({} if role is None else {"role": role}),
        **(settings or {}),
    }
    return {
        "conninfo": with_session_settings(conninfo, session),
        "kwargs": {
            "autocommit": True,
            "application_name": name,
            "connect_timeout": CONNECT_TIMEOUT_S,
            # A peer that vanished is noticed, not waited for.
            "keepalives_idle": KEEPALIVES_IDLE_S,
            "keepalives_interval": KEEPALIVES_INTERVAL_S,
            "keepalives_count": KEEPALIVES_COUNT,
            "tcp_user_timeout": TCP_USER_TIMEOUT_MS,
        },
        "min_size": min_size,
        "max_size": max_size,
        "name": name,
        "timeout": ACQUIRE_TIMEOUT_S,
        "max_waiting": ACQUIRE_WAITERS_MAX,
        "open": False,
    }


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
