"""The PostgreSQL store: appends, the head's lock, and what decisions load. Reads are a mixin."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
)
from functools import partial
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import TupleRow

from tandem.ledger.core.canonical import decode
from tandem.ledger.core.expiry import Due
from tandem.ledger.core.limits import MAX_CLOCK_SKEW_US, READ_POOL_SIZE, WRITE_POOL_SIZE
from tandem.ledger.core.records import Record
from tandem.ledger.storage.port import Append, Head, Loaded, LockedHead
from tandem.ledger.storage.postgres_appends import Appends
from tandem.ledger.storage.postgres_reads import PostgresReads, reading
from tandem.ledger.storage.postgres_webhooks import PostgresWebhooks
from tandem.ledger.storage.queries import query
from tandem.ledger.storage.rows import read_account, read_balance
from tandem.platform.database import BlockingPool, Pool, open_blocking_pool, open_pool

ROLE: Final = "tandem_ledger"


@asynccontextmanager
async def open_store(
    conninfo: str, *, max_clock_skew_us: int = MAX_CLOCK_SKEW_US
) -> AsyncIterator["PostgresStore"]:
    """Open a store on a migrated database. Raises DatabaseUnavailable."""
    async with AsyncExitStack() as stack:
        # Two pools: an append under the head's lock needs reads too, and must never wait for them.
        reads = await stack.enter_async_context(
            await open_pool(
                conninfo, role=ROLE, min_size=2, max_size=READ_POOL_SIZE, name="tandem reads"
            )
        )
        writes = await open_blocking_pool(
            conninfo, role=ROLE, min_size=1, max_size=WRITE_POOL_SIZE, name="tandem writes"
        )
        stack.push_async_callback(asyncio.to_thread, writes.close)
        yield PostgresStore(reads, writes, max_clock_skew_us=max_clock_skew_us)


class PostgresStore(PostgresReads):
    """A store over two pools whose connections act as the restricted role.

    Appends have their own, so that one under the head's lock never waits behind reads; and
    threads, so that they go on while the event loop decides what comes next.
    """

    def __init__(self, reads: Pool, writes: BlockingPool, *, max_clock_skew_us: int) -> None:
        super().__init__(reads, max_clock_skew_us)
        self.webhooks = PostgresWebhooks(reads)
        self._writes = Appends(writes, max_clock_skew_us)
        self._threads = ThreadPoolExecutor(writes.max_size, "append")

    async def create(self, name: str) -> Head:
        """Make a ledger, or return the one of that name."""
        while (head := await self.head(name)) is None:
            # Two creators may want one number; the loser finds its name absent and tries again.
            await self._execute("create_ledger", {"name": name})
        return head

    async def append(self, write: Append) -> None:
        """Write if the head is still `write.before`; durable on return."""
        await self._in_thread(self._writes.append, write)

    @asynccontextmanager
    async def _locked(self, name: str) -> AsyncIterator[LockedHead]:
        stack = ExitStack()
        try:
            connection, head = await self._in_thread(self._writes.lock, stack, name)
            yield _Locked(self, connection, head)
        except BaseException:
            if not await self._in_thread(stack.__exit__, *sys.exc_info()):
                raise
        else:
            await self._in_thread(stack.close)

    def locked(self, name: str) -> AbstractAsyncContextManager[LockedHead]:
        """Lock the head until the context ends; what is appended is durable then."""
        return self._locked(name)

    async def append_on(self, connection: Connection[TupleRow], write: Append) -> None:
        """Write over a connection that holds the head's lock."""
        await self._in_thread(self._writes.append_on, connection, write)

    async def _in_thread[**P, R](
        self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run in a thread, to its end: a connection is not given up in the middle of a word."""
        call = partial(work, *args, **kwargs)
        running = asyncio.get_running_loop().run_in_executor(self._threads, call)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait({running})
            raise

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

    async def tiles(
        self, ledger_id: int, level: int, first_index: int, limit: int
    ) -> Sequence[bytes]:
        """Full tiles of a level from an index on, in order."""
        parameters = {
            "ledger_id": ledger_id,
            "level": level,
            "first_index": first_index,
            "limit": limit,
        }
        return [bytes(row[0]) for row in await self._execute("tiles", parameters)]

    async def last_entry(
        self, ledger_id: int, account_number: int, position: int
    ) -> tuple[int, int] | None:
        """Position and leg of an account's last entry up to a position; None without one."""
        parameters = {"ledger_id": ledger_id, "number": account_number, "position": position}
        rows = await self._execute("last_entry", parameters)
        return (rows[0][0], rows[0][1]) if rows else None

    async def expiring(self, ledger_id: int, beyond: Due, limit: int) -> Sequence[Due]:
        """Holds that expire, in order beyond one, the earliest first."""
        parameters = {"ledger_id": ledger_id, "limit": limit, **beyond._asdict()}
        rows = await self._execute("expiring", parameters)
        return [Due(row[0], row[1]) for row in rows]


class _Locked:
    """A locked head; what is appended commits with the lock's transaction."""

    def __init__(self, store: PostgresStore, connection: Connection[TupleRow], head: Head) -> None:
        self.head = head
        self._store = store
        self._connection = connection

    async def append(self, write: Append) -> None:
        """Write, to be committed when the context ends."""
        await self._store.append_on(self._connection, write)
