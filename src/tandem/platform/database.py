"""Connections to PostgreSQL: the asynchronous pool. What is said over them is not here."""

from collections.abc import Mapping
from typing import Any

from psycopg import AsyncConnection, OperationalError
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from tandem.platform.errors import DatabaseUnavailable
from tandem.platform.limits import (
    ACQUIRE_TIMEOUT_S,
    ACQUIRE_WAITERS_MAX,
    CONNECT_TIMEOUT_S,
    IDLE_IN_TRANSACTION_TIMEOUT_MS,
    POOL_CLOSE_TIMEOUT_S,
    POOL_OPEN_TIMEOUT_S,
)
from tandem.platform.migrations import migrate

__all__ = ["DatabaseUnavailable", "Pool", "migrate", "open_pool", "with_session_settings"]

type Pool = AsyncConnectionPool[AsyncConnection[TupleRow]]


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
    session = {
        "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
        **({} if role is None else {"role": role}),
        **(settings or {}),
    }
    pool: Pool = AsyncConnectionPool(
        with_session_settings(conninfo, session),
        kwargs={
            "autocommit": True,
            "application_name": name,
            "connect_timeout": CONNECT_TIMEOUT_S,
        },
        min_size=min_size,
        max_size=max_size,
        name=name,
        timeout=ACQUIRE_TIMEOUT_S,
        max_waiting=ACQUIRE_WAITERS_MAX,
        open=False,
    )
    try:
        await pool.open(wait=True, timeout=POOL_OPEN_TIMEOUT_S)
    except (PoolTimeout, OperationalError) as error:
        await pool.close(timeout=POOL_CLOSE_TIMEOUT_S)
        raise DatabaseUnavailable(f"no connection for {name}: {error}") from error
    except BaseException:
        await pool.close(timeout=POOL_CLOSE_TIMEOUT_S)
        raise
    return pool


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
