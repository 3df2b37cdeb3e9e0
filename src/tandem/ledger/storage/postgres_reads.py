"""Reads of the PostgreSQL store; every one is a single statement, so it sees one moment."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection, Error
from psycopg.rows import TupleRow
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from tandem.ledger.core.accounts import Account
from tandem.ledger.core.canonical import decode
from tandem.ledger.core.filters import (
    AccountFilter,
    RecordFilter,
    Span,
    account_matches,
    matches,
)
from tandem.ledger.storage.account_listings import account_statement
from tandem.ledger.storage.listings import Bounds, Numbers, Statement, record_statement
from tandem.ledger.storage.port import (
    AccountSlice,
    AssetTotals,
    BalanceRow,
    Head,
    RecordSlice,
    StorageUnavailable,
)
from tandem.ledger.storage.postgres_audit import PostgresAudit
from tandem.ledger.storage.postgres_times import PostgresTimes
from tandem.ledger.storage.queries import query
from tandem.ledger.storage.rows import read_account, read_balance, read_head
from tandem.platform.database import Pool


@asynccontextmanager
async def reading(pool: Pool) -> AsyncIterator[AsyncConnection[TupleRow]]:
    """Give a connection; whatever goes wrong with it is `StorageUnavailable`."""
    try:
        async with pool.connection() as connection:
            yield connection
    except (Error, PoolTimeout, PoolClosed, TooManyRequests) as error:
        raise StorageUnavailable(str(error)) from error


class PostgresReads(PostgresTimes, PostgresAudit):
    """Reads over a pool."""

    def __init__(self, pool: Pool, max_clock_skew_us: int) -> None:
        self._pool = pool
        self._max_clock_skew_us = max_clock_skew_us
        self.bounds = Bounds()

    async def _execute(self, name: str, parameters: Mapping[str, Any]) -> list[TupleRow]:
        return await self._run(query(name), parameters)

    async def _run(self, statement: str, parameters: Mapping[str, Any]) -> list[TupleRow]:
        async with reading(self._pool) as connection:
            cursor = await connection.execute(statement, parameters)
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
        self, ledger_id: int, chosen: AccountFilter, after: str, limit: int
    ) -> AccountSlice:
        """Accounts that match, by address, after an address; what it looks at is bounded."""
        found: list[Account] = []
        if chosen.prefix is not None and after < chosen.prefix:
            itself = await self.account(ledger_id, chosen.prefix)
            if itself is not None and account_matches(itself, chosen):
                found.append(itself)
        statement = account_statement(ledger_id, chosen, after, limit, self.bounds)
        rows = await self._run(statement.text, statement.parameters)
        found += [read_account(row) for row in rows if row[0] is not None]
        if len(found) >= limit:
            return AccountSlice(found[:limit], found[limit - 1].address)
        walked = statement.name == "accounts_walk" and rows
        return AccountSlice(found, rows[-1][10] if walked else None)

    async def records(
        self, ledger_id: int, chosen: RecordFilter, span: Span, limit: int
    ) -> RecordSlice:
        """Records that match, in the order of the span; what it looks at is bounded."""
        numbers = await self._numbers(ledger_id, chosen)
        if numbers is None:
            return RecordSlice(())
        statement = record_statement(ledger_id, chosen, numbers, span, limit, self.bounds)
        rows = await self._run(statement.text, statement.parameters)
        stopped = _stopped(statement, rows, span, limit)
        records = [decode(row[1]) for row in rows if row[1] is not None]
        if chosen.account_prefix is not None:
            records = [record for record in records if matches(record, chosen)]
        return RecordSlice(records, stopped)

    async def _numbers(self, ledger_id: int, chosen: RecordFilter) -> Numbers | None:
        """Number the accounts of a filter; None where there are none, so nothing is listed."""
        number, below, most = None, None, self.bounds.merged_accounts
        if chosen.account is not None:
            account = await self.account(ledger_id, chosen.account)
            if account is None:
                return None
            number = account.number
        if chosen.account_prefix is not None:
            parameters = {
                "ledger_id": ledger_id,
                "prefix": chosen.account_prefix,
                "limit": most + 1,
            }
            below = [row[0] for row in await self._execute("accounts_below", parameters)]
            if not below:
                return None
        return Numbers(number, None if below is not None and len(below) > most else below)

    async def totals(self, ledger_id: int, position: int | None) -> tuple[int, list[AssetTotals]]:
        """Sums per asset as of a position (None: the last), and that position."""
        rows = await self._execute("totals", {"ledger_id": ledger_id, "position": position})
        sums = [
            AssetTotals(row[1], row[2], read_balance(row[3:7]))
            for row in rows
            if row[1] is not None
        ]
        return rows[0][0], sums


def _stopped(statement: Statement, rows: Sequence[TupleRow], span: Span, limit: int) -> int | None:
    """Tell up to which position a page looked, None where that is all there is."""
    hits = [row for row in rows if row[1] is not None]
    if len(hits) >= limit:
        return int(hits[-1][0])
    if statement.stretch is not None:
        reached = statement.stretch.first if span.newest_first else statement.stretch.last
        return None if reached == (span.first if span.newest_first else span.last) else reached
    if statement.name == "list_walk" and rows and rows[-1][2] is not None:
        return int(rows[-1][2]) + (1 if span.newest_first else -1)
    return None
