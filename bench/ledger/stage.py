"""What every group stands on: one embedded PostgreSQL, databases on it, ledgers in them."""

import os
import random
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from bench.ledger.baselines import Tpcb, settle
from bench.ledger.cpu import Meter
from bench.ledger.load import Books
from bench.ledger.sizes import Sizes
from tandem.ledger.embedded import open_service
from tandem.platform.embedded import EmbeddedPostgres

LEDGER = "bench"


@dataclass(slots=True)
class Stage:
    """A server, and what was opened on it. Databases are made when first asked for."""

    sizes: Sizes
    server: EmbeddedPostgres
    directory: Path
    stack: AsyncExitStack
    say: Callable[[str], None]
    _books: dict[str, Books] = field(default_factory=dict)
    _tpcb: Tpcb | None = None

    def database(self, name: str) -> str:
        """Make a database; return its connection string."""
        with psycopg.connect(self.server.uri("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.server.uri(name)

    async def books(self, name: str) -> Books:
        """Give the ledger in a database of its own, opened once."""
        if name not in self._books:
            self._books[name] = await self.stack.enter_async_context(
                opened(self.database(name), self.sizes.accounts, fresh=True)
            )
        return self._books[name]

    def tpcb(self) -> Tpcb:
        """Give pgbench on a database of its own, made once."""
        if self._tpcb is None:
            self.say(f"tpcb: making scale {self.sizes.tpcb_scale}")
            self._tpcb = Tpcb(self.database("tpcb"), self.sizes.tpcb_scale, self.sizes.tpcb_seconds)
        return self._tpcb

    def meter(self, *clients: int, server: int | None = None) -> Meter:
        """Give a meter of client processes (this one where none is named), a server and ours."""
        postmaster = self.server.postmaster_pid
        if postmaster is None:
            raise SystemExit("the database server is gone")
        return Meter(clients or (os.getpid(),), server, postmaster)


@asynccontextmanager
async def opened(
    conninfo: str, accounts: int, *, name: str = LEDGER, fresh: bool
) -> AsyncIterator[Books]:
    """Open the ledger of a database; a fresh one gets its accounts."""
    async with open_service(conninfo) as service:
        books = Books(await service.create_ledger(name), conninfo, accounts, name=name)
        if fresh:
            await books.open_accounts()
        yield books


@asynccontextmanager
async def staged(sizes: Sizes, say: Callable[[str], None]) -> AsyncIterator[Stage]:
    """Start a server in a fresh directory, which is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as directory:
        async with (
            EmbeddedPostgres(Path(directory) / "postgres") as server,
            AsyncExitStack() as stack,
        ):
            yield Stage(sizes, server, Path(directory), stack, say)


async def take_turns[T](
    rounds: int, *turns: Mapping[str, Callable[[], Awaitable[T]]]
) -> dict[str, list[T]]:
    """Measure in rounds, so that what disturbs the machine disturbs all of them.

    Each round has another order of `turns`, lest one always follows the same other and inherits
    what it left to be written; what belongs to one turn stays in its order. Before each measure
    the disk has nothing left to write.
    """
    taken: dict[str, list[T]] = {name: [] for turn in turns for name in turn}
    dice, order = random.Random(4), list(turns)
    for _ in range(rounds):
        dice.shuffle(order)
        for turn in order:
            for name, measure in turn.items():
                settle()
                taken[name].append(await measure())
    return taken


async def at_once[T](call: Callable[[], T]) -> T:
    """Measure what blocks: nothing else may run while a baseline does."""
    return call()
