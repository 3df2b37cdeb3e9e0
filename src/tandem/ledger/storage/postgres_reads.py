"""Reads of the PostgreSQL store; every one is a single statement, so it sees one moment."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection, Error
from psycopg.rows import TupleRow
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from tandem.ledger.core.accounts import Account
from tandem.ledger.core.canonical import decode
from tandem.ledger.core.kinds import RecordKind
from tandem.ledger.core.records import Record
from tandem.ledger.storage.port import (
    AssetTotals,
    BalanceRow,
    Head,
    RecordFilter,
    StorageUnavailable,
    StoredEntry,
    StoredRecord,
)
from tandem.ledger.storage.queries import query
from tandem.ledger.storage.rows import KIND_CODES, read_account, read_balance, read_head
from tandem.platform.database import Pool


@asynccontextmanager
async def reading(pool: Pool) -> AsyncIterator[AsyncConnection[TupleRow]]:
    """Give a connection; whatever goes wrong with it is `StorageUnavailable`."""
    try:
        async with pool.connection() as connection:
            yield connection
    except (Error, PoolTimeout, PoolClosed, TooManyRequests) as error:
        raise StorageUnavailable(str(error)) from error


class PostgresReads:
    """Reads over a pool."""

    def __init__(self, pool: Pool, max_clock_skew_us: int) -> None:
        self._pool = pool
        self._max_clock_skew_us = max_clock_skew_us

    async def _execute(self, name: str, parameters: Mapping[str, Any]) -> list[TupleRow]:
        async with reading(self._pool) as connection:
            cursor = await connection.execute(query(name), parameters)
            return [] if cursor.description is None else await cursor.fetchall()

    async def heads(self) -> Sequence[Head]:
        """Every ledger, by name."""
        return [read_head(row) for row in await self._execute("heads", {})]

    async def head(self, name: str) -> Head | None:
        """The head of a ledger, or None where there is none of that name."""
        rows = await self._execute("head", {"name": name})
        return read_head(rows[0]) if rows else None

    async def clock_us(self) -> int:
        """The store's own clock."""
        rows = await self._execute("clock", {})
        return int(rows[0][0])

    async def close_time(self, ledger_id: int, time_us: int) -> None:
        """See to it that no later record is recorded at or before a time."""
        parameters = {
            "ledger_id": ledger_id,
            "time_us": time_us,
            "max_clock_skew_us": self._max_clock_skew_us,
        }
        await self._execute("close_time", parameters)

    async def position_at(self, ledger_id: int, time_us: int) -> int:
        """The position of the last record at or before a time, 0 where there is none."""
        rows = await self._execute("position_at", {"ledger_id": ledger_id, "time_us": time_us})
        return int(rows[0][0])

    async def balance(
        self, ledger_id: int, address: str, position: int | None, now_us: int | None
    ) -> BalanceRow | None:
        """An account's totals as of a position (None: the last); None without that account."""
        parameters = {
            "ledger_id": ledger_id,
            "address": address,
            "position": position,
            "now_us": now_us,
        }
        rows = await self._execute("balance", parameters)
        if not rows:
            return None
        row = rows[0]
        return BalanceRow(read_account(row), row[14], row[15], read_balance(row[10:14]), row[16])

    async def account(self, ledger_id: int, address: str) -> Account | None:
        """An account as it stands."""
        rows = await self._execute("account", {"ledger_id": ledger_id, "address": address})
        return read_account(rows[0]) if rows else None

    async def accounts(
        self, ledger_id: int, prefix: str, after: str, limit: int
    ) -> Sequence[Account]:
        """Accounts by address, from whole segments of a prefix, after an address."""
        parameters = {"ledger_id": ledger_id, "prefix": prefix, "after": after, "limit": limit}
        return [read_account(row) for row in await self._execute("accounts", parameters)]

    async def records(
        self, ledger_id: int, chosen: RecordFilter, after: int, limit: int
    ) -> Sequence[Record]:
        """Records in order, after a position."""
        parameters: dict[str, Any] = {
            "ledger_id": ledger_id,
            "kind": None if chosen.kind is None else KIND_CODES[RecordKind(chosen.kind)],
            "after": after,
            "limit": limit,
        }
        if chosen.address is None:
            return [decode(row[0]) for row in await self._execute("records", parameters)]
        account = await self.account(ledger_id, chosen.address)
        if account is None:
            return []
        parameters["number"] = account.number
        return [decode(row[0]) for row in await self._execute("account_records", parameters)]

    async def totals(self, ledger_id: int, position: int | None) -> tuple[int, list[AssetTotals]]:
        """Sums per asset as of a position (None: the last), and that position."""
        rows = await self._execute("totals", {"ledger_id": ledger_id, "position": position})
        sums = [
            AssetTotals(row[1], row[2], read_balance(row[3:7]))
            for row in rows
            if row[1] is not None
        ]
        return rows[0][0], sums

    async def stored_records(
        self, ledger_id: int, after: int, limit: int
    ) -> Sequence[StoredRecord]:
        """Records with their columns as stored, in order, for verification."""
        parameters = {"ledger_id": ledger_id, "after": after, "limit": limit}
        return [StoredRecord(*row) for row in await self._execute("stored_records", parameters)]

    async def stored_entries(
        self, ledger_id: int, after: tuple[int, int, int], limit: int
    ) -> Sequence[StoredEntry]:
        """Entry rows in order of account, position and leg, for verification."""
        parameters = {
            "ledger_id": ledger_id,
            "account_no": after[0],
            "seq": after[1],
            "leg": after[2],
            "limit": limit,
        }
        return [
            StoredEntry(row[0], row[1], row[2], row[3], int(row[4]), read_balance(row[5:9]))
            for row in await self._execute("stored_entries", parameters)
        ]
