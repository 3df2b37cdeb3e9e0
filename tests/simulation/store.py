"""The simulated database: the memory store behind latencies, lost connections and full disks.

Appends and commits are done on the server's side: who asked for one may be gone when it is done.
What a transaction under the head's lock writes, nobody sees before its commit.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import copy_context
from typing import Any, Protocol

from tests.simulation.loop import VirtualLoop
from tests.simulation.plan import Fate

from tandem.ledger.core.limits import MAX_CLOCK_SKEW_US
from tandem.ledger.storage.memory import MemoryStore, _Log
from tandem.ledger.storage.port import (
    Append,
    ClockStrayed,
    Conflict,
    DuplicateKey,
    Head,
    Loaded,
    LockedHead,
    StorageError,
    StorageUnavailable,
    Unsettled,
)


class Network(Protocol):
    """What lies between a process and the database."""

    loop: VirtualLoop

    def latency_us(self) -> int:
        """Draw how long one way takes."""
        ...

    def reachable(self) -> bool:
        """Tell whether a question comes through."""
        ...

    def fate(self) -> Fate:
        """Draw what becomes of an append."""
        ...

    def trace(self, text: str) -> None:
        """Note an event."""
        ...


class Database:
    """The server: the memory store with a clock and a disk."""

    def __init__(self, loop: VirtualLoop, now_us: Callable[[], int]) -> None:
        self.loop = loop
        self.now_us = now_us
        self.memory = MemoryStore(now_us)
        self.disk_full = False
        self._serving: dict[asyncio.Task[None], None] = {}
        self._context = copy_context()  # what is done here belongs to no process

    def check(self, write: Append) -> None:
        """Say no where the disk is full or the writer's clock is wrong."""
        if self.disk_full:
            raise StorageUnavailable("the disk is full")
        if abs(write.after.recorded_at_us - self.now_us()) > MAX_CLOCK_SKEW_US:
            raise ClockStrayed("the clock is too far from the database's")

    def serve(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do work that goes on when who asked for it is gone."""
        task = self.loop.create_task(work, context=self._context)
        self._serving[task] = None
        task.add_done_callback(self._served)
        return task

    def _served(self, task: asyncio.Task[None]) -> None:
        del self._serving[task]
        error = task.exception()
        if error is not None and not isinstance(error, StorageError):
            self.loop.faults.append(f"the database broke: {error!r}")

    async def idle(self) -> None:
        """Wait until nothing is being done any more."""
        while self._serving:
            await asyncio.wait(list(self._serving))


class ProcessStore:
    """The database as one process sees it. Implements `LedgerStore`."""

    def __init__(self, database: Database, network: Network) -> None:
        self._database = database
        self._network = network
        self._memory = database.memory
        self._loop = database.loop

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Ask anything that is not below: a latency each way, maybe a fault."""
        if name.startswith("_"):
            raise AttributeError(name)

        async def read(*arguments: Any) -> Any:
            await self._question()
            answer = await getattr(self._memory, name)(*arguments)
            await self._way()
            return answer

        return read

    async def _way(self) -> None:
        await self._loop.pass_us(self._network.latency_us())

    async def _question(self) -> None:
        await self._way()
        if not self._network.reachable():
            raise StorageUnavailable("the database cannot be reached")

    async def clock_us(self) -> int:
        """The database's own clock."""
        await self._question()
        return self._database.now_us()

    async def close_time(self, ledger_id: int, time_us: int) -> None:
        """Close a time, unless it is too far ahead of the database's clock."""
        await self._question()
        if time_us <= self._database.now_us() + MAX_CLOCK_SKEW_US:
            await self._memory.close_time(ledger_id, time_us)
        await self._way()

    async def load(
        self,
        ledger_id: int,
        addresses: Sequence[str],
        parents: Sequence[int],
        assets: Sequence[str],
    ) -> Loaded:
        """Load in three statements, between which others may write."""
        loaded = Loaded({}, {}, {}, {})
        if addresses:
            await self._question()
            found = await self._memory.load(ledger_id, addresses, (), ())
            loaded = loaded._replace(accounts=found.accounts, balances=found.balances)
        if parents:
            await self._question()
            found = await self._memory.load(ledger_id, (), parents, ())
            loaded = loaded._replace(chains=found.chains)
        if assets:
            await self._question()
            found = await self._memory.load(ledger_id, (), (), assets)
            loaded = loaded._replace(scales=found.scales)
        await self._way()
        return loaded

    # -- writing -------------------------------------------------------------------------------

    async def append(self, write: Append) -> None:
        """Write if the head is still `write.before`."""
        await self._question()
        await self._write(write, self._network.fate(), self._appended(write), lambda: None)

    async def _appended(self, write: Append) -> None:
        await self._way()
        self._database.check(write)
        await self._memory.append(write)

    async def _write(
        self,
        write: Append,
        fate: Fate,
        work: Coroutine[Any, Any, None],
        undone: Callable[[], None],
    ) -> None:
        """Have it written, or not, and hear of it, or not."""
        what = f"append {write.records[0].position}..{write.after.position} {fate}"
        if fate in (Fate.REFUSED, Fate.LOST_BEFORE):
            work.close()
            undone()
            self._network.trace(what)
            await self._way()
            raise _lost(fate)
        serving = self._database.serve(work)
        if fate is not Fate.LATE:
            await asyncio.wait([serving])
        self._network.trace(f"{what} {_outcome(serving)}")
        await self._way()
        if fate is not Fate.FINE:
            raise _lost(fate)
        serving.result()

    @asynccontextmanager
    async def _locked(self, name: str) -> AsyncIterator[LockedHead]:
        await self._question()
        log = self._memory._logs[name]
        await log.lock.acquire()
        held = _Held(log.lock)
        try:
            await self._way()
            locked = _Locked(self, self._database, log)
            yield locked
            if locked.write is not None:
                # From here on the lock is the server's: who is gone does not give it back.
                held.by_server = True
                committed = self._committed(log, locked.write, held)
                await self._write(locked.write, self._network.fate(), committed, held.release)
        finally:
            if not held.by_server:
                held.release()

    async def _committed(self, log: _Log, write: Append, held: "_Held") -> None:
        try:
            await self._way()
            self._database.check(write)
            log.append(write)
        finally:
            held.release()

    def locked(self, name: str) -> AbstractAsyncContextManager[LockedHead]:
        """Lock the head until the context ends."""
        return self._locked(name)


class _Held:
    """The head's lock, which whoever has it gives back once."""

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock = lock
        self.by_server = False

    def release(self) -> None:
        self._lock.release()


class _Locked:
    """A locked head; what is appended waits for the commit."""

    def __init__(self, store: ProcessStore, database: Database, log: _Log) -> None:
        self.head: Head = log.head
        self.write: Append | None = None
        self._store = store
        self._database = database
        self._log = log

    async def append(self, write: Append) -> None:
        """Do as the database does before the commit: look at the head and at the keys."""
        await self._store._question()
        self._database.check(write)
        if self._log.head.position != write.before.position:
            raise Conflict("another writer moved the head")
        if self._log.head.recorded_at_us >= write.records[0].recorded_at_us:
            raise Conflict("the time was closed")
        if _has_key(self._log, write):
            raise DuplicateKey("a key is in the log")
        self.write = write


def _has_key(log: _Log, write: Append) -> bool:
    return any(record.key in log.keys for record in write.records if record.key is not None)


def _lost(fate: Fate) -> StorageError:
    if fate is Fate.REFUSED:
        return StorageUnavailable("the database said no")
    return Unsettled("the connection was lost")


def _outcome(serving: asyncio.Task[None]) -> str:
    if not serving.done():
        return "not yet"
    error = serving.exception()
    return "done" if error is None else type(error).__name__
