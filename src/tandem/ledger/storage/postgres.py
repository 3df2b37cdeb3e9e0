"""The PostgreSQL store: appends, the head's lock, and what decisions load. Reads are a mixin."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from psycopg import AsyncConnection, AsyncCursor, Error, InterfaceError, OperationalError
from psycopg.errors import UniqueViolation
from psycopg.rows import TupleRow
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from tandem.ledger.core.canonical import decode
from tandem.ledger.core.expiry import Due
from tandem.ledger.core.limits import MAX_CLOCK_SKEW_US
from tandem.ledger.core.records import Record
from tandem.ledger.storage.port import (
    Append,
    ClockStrayed,
    Conflict,
    DuplicateKey,
    Head,
    Loaded,
    LockedHead,
    StorageUnavailable,
    Unsettled,
)
from tandem.ledger.storage.postgres_reads import PostgresReads, reading
from tandem.ledger.storage.queries import query
from tandem.ledger.storage.rows import (
    account_parameters,
    asset_parameters,
    entry_lines,
    head_parameters,
    read_account,
    read_balance,
    read_head,
    record_lines,
    small_parameters,
)
from tandem.platform.database import Pool

# Up to here one statement with arrays beats COPY's round trips.
SMALL_APPEND_RECORDS: Final = 100

type _Connection = AsyncConnection[TupleRow]


class PostgresStore(PostgresReads):
    """A store over two pools whose connections act as the restricted role.

    Appends have their own, so that one under the head's lock never waits behind reads.
    """

    def __init__(
        self, reads: Pool, writes: Pool, *, max_clock_skew_us: int = MAX_CLOCK_SKEW_US
    ) -> None:
        super().__init__(reads, max_clock_skew_us)
        self._writes = writes

    async def create(self, name: str) -> Head:
        """Make a ledger, or return the one of that name."""
        while (head := await self.head(name)) is None:
            # Two creators may want one number; the loser finds its name absent and tries again.
            await self._execute("create_ledger", {"name": name})
        return head

    async def append(self, write: Append) -> None:
        """Write if the head is still `write.before`; durable on return."""
        async with self._writing() as connection:
            if _small(write):
                await self._append_small(connection, write)
                return
            async with connection.transaction():
                await self._append_large(connection, write)

    @asynccontextmanager
    async def _locked(self, name: str) -> AsyncIterator[LockedHead]:
        async with self._writing() as connection, connection.transaction():
            cursor = await connection.execute(query("lock_head"), {"name": name})
            row = await cursor.fetchone()
            assert row is not None, f"ledger {name} is gone"
            yield _Locked(self, connection, read_head(row))

    def locked(self, name: str) -> AbstractAsyncContextManager[LockedHead]:
        """Lock the head until the context ends; what is appended is durable then."""
        return self._locked(name)

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[_Connection]:
        """Give a connection, and tell what its failure means for what was being written."""
        reached = False
        try:
            async with self._writes.connection() as connection:
                reached = True
                yield connection
        except UniqueViolation as error:
            if error.diag.constraint_name == "record_key":
                raise DuplicateKey(str(error)) from error
            raise  # a second line of defence broke: that is no conflict but a fault of ours
        except (PoolTimeout, PoolClosed, TooManyRequests) as error:
            raise StorageUnavailable(str(error)) from error
        except (OperationalError, InterfaceError) as error:
            # With the connection gone, even COMMIT may have been done; the head will tell.
            if reached and (connection.closed or connection.broken):
                raise Unsettled(str(error)) from error
            raise StorageUnavailable(str(error)) from error
        except Error as error:
            raise StorageUnavailable(str(error)) from error

    async def _append_small(self, connection: _Connection, write: Append) -> None:
        parameters = head_parameters(write) | small_parameters(write)
        parameters["max_clock_skew_us"] = self._max_clock_skew_us
        _judge(await (await connection.execute(query("append_small"), parameters)).fetchone())

    async def _append_large(self, connection: _Connection, write: Append) -> None:
        async with connection.cursor() as cursor:
            parameters = head_parameters(write)
            parameters["max_clock_skew_us"] = self._max_clock_skew_us
            await cursor.execute(query("advance_head"), parameters)
            _judge(await cursor.fetchone())
            await _copy(cursor, "copy_records", record_lines(write))
            entries = entry_lines(write)
            if entries:
                await _copy(cursor, "copy_entries", entries)
            await _write_rest(cursor, write)

    async def load(
        self,
        ledger_id: int,
        addresses: Sequence[str],
        parents: Sequence[int],
        assets: Sequence[str],
    ) -> Loaded:
        """Load what decisions need."""
        loaded = Loaded({}, {}, {}, {})
        accounts, balances, chains, scales = {}, {}, dict[int, list[Record]](), {}
        async with reading(self._pool) as connection:
            if addresses:
                parameters: dict[str, Any] = {"ledger_id": ledger_id, "addresses": list(addresses)}
                cursor = await connection.execute(query("load_accounts"), parameters)
                async for row in cursor:
                    accounts[row[0]] = read_account(row)
                    balances[row[0]] = read_balance(row[10:])
            if parents:
                parameters = {"ledger_id": ledger_id, "parents": list(parents)}
                async for row in await connection.execute(query("load_chains"), parameters):
                    chains.setdefault(row[0], []).append(decode(row[1]))
            if assets:
                parameters = {"ledger_id": ledger_id, "assets": list(assets)}
                cursor = await connection.execute(query("load_assets"), parameters)
                scales = {row[0]: row[1] async for row in cursor}
        return loaded._replace(accounts=accounts, balances=balances, chains=chains, scales=scales)

    async def by_keys(self, ledger_id: int, keys: Sequence[str]) -> Sequence[Record]:
        """The records that carry these keys."""
        rows = await self._execute("by_keys", {"ledger_id": ledger_id, "keys": list(keys)})
        return [decode(row[0]) for row in rows]

    async def bodies(self, ledger_id: int, after: int, limit: int) -> Sequence[str]:
        """Canonical texts after a position, in order."""
        rows = await self._execute(
            "bodies", {"ledger_id": ledger_id, "after": after, "limit": limit}
        )
        return [row[0] for row in rows]

    async def tiles(self, ledger_id: int, level: int, first_index: int) -> Sequence[bytes]:
        """Full tiles of a level from an index on, in order."""
        parameters = {"ledger_id": ledger_id, "level": level, "first_index": first_index}
        return [bytes(row[0]) for row in await self._execute("tiles", parameters)]

    async def expiring(self, ledger_id: int, beyond: Due, limit: int) -> Sequence[Due]:
        """Holds that expire, in order beyond one, the earliest first."""
        parameters = {"ledger_id": ledger_id, "limit": limit, **beyond._asdict()}
        rows = await self._execute("expiring", parameters)
        return [Due(row[0], row[1]) for row in rows]


class _Locked:
    """A locked head; what is appended commits with the lock's transaction."""

    def __init__(self, store: PostgresStore, connection: _Connection, head: Head) -> None:
        self.head = head
        self._store = store
        self._connection = connection

    async def append(self, write: Append) -> None:
        """Write, to be committed when the context ends."""
        if _small(write):
            await self._store._append_small(self._connection, write)  # noqa: SLF001 - same module
        else:
            await self._store._append_large(self._connection, write)  # noqa: SLF001 - same module


def _small(write: Append) -> bool:
    return len(write.records) <= SMALL_APPEND_RECORDS and not (
        write.opened or write.updated or write.tiles
    )


def _judge(row: Sequence[Any] | None) -> None:
    assert row is not None
    near, moved = row
    if not near:
        raise ClockStrayed("the clock is too far from the database's")
    if not moved:
        raise Conflict("another writer moved the head")


async def _copy(cursor: AsyncCursor[TupleRow], name: str, lines: bytes) -> None:
    async with cursor.copy(query(name)) as copy:
        await copy.write(lines)


async def _write_rest(cursor: AsyncCursor[TupleRow], write: Append) -> None:
    """Write what few appends have: accounts, assets, tiles."""
    ledger_id = write.before.ledger_id
    if write.opened:
        assets = {account.asset: account for account in write.opened}
        await cursor.executemany(
            query("insert_asset"),
            [asset_parameters(ledger_id, account) for account in assets.values()],
        )
        await cursor.executemany(
            query("insert_account"),
            [account_parameters(ledger_id, account) for account in write.opened],
        )
    if write.updated:
        await cursor.executemany(
            query("update_account"),
            [account_parameters(ledger_id, account) for account in write.updated],
        )
    if write.tiles:
        await cursor.executemany(
            query("insert_tile"),
            [{"ledger_id": ledger_id, **tile._asdict()} for tile in write.tiles],
        )
