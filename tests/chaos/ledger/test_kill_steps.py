"""`kill -9` at every step of an append, of the process that writes and of the database.

The steps: before the head moves, among the rows, before the commit, and after it with nobody told.
Whichever it is, the same keys afterwards give exactly one effect.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from psycopg.conninfo import make_conninfo
from tests.support.fault_proxy import PORT, Cut, FaultProxy
from tests.support.ledger import Server, check_one_effect, make_token, open_books, transfers
from tests.support.postgres import restart
from tests.support.processes import gone

from tandem.ledger.api import Ledger, Receipt, RefusalCode
from tandem.ledger.client import LedgerClient, Refused
from tandem.ledger.embedded import open_service
from tandem.ledger.storage.postgres_appends import SMALL_APPEND_RECORDS
from tandem.ledger.storage.queries import query
from tandem.platform.embedded import EmbeddedPostgres

pytestmark = pytest.mark.anyio

TIMEOUT_S: Final = 120.0
SMALL: Final = 1
LARGE: Final = SMALL_APPEND_RECORDS + 50
STEPS: Final = [
    (SMALL, Cut.BEFORE_COMMIT),
    (SMALL, Cut.AFTER_COMMIT),
    (LARGE, Cut.BEFORE_HEAD),
    (LARGE, Cut.DURING_COPY),
    (LARGE, Cut.BEFORE_COMMIT),
    (LARGE, Cut.AFTER_COMMIT),
]
# A step takes seconds: in the suite one that leaves nothing and one that leaves all, rest a drill.
IN_THE_SUITE: Final = [(LARGE, Cut.DURING_COPY), (SMALL, Cut.AFTER_COMMIT)]
CASES: Final = [
    pytest.param(
        count,
        cut,
        id=f"{count}-{cut.name.lower()}",
        marks=[] if (count, cut) in IN_THE_SUITE else pytest.mark.drill,
    )
    for count, cut in STEPS
]


@asynccontextmanager
async def proxied(
    database_uri: str, directory: Path, then: Callable[[], None]
) -> AsyncIterator[tuple[FaultProxy, str]]:
    """A proxy before the database, and what connects through it."""
    small, head = (query(name).partition("\n")[0] for name in ("append_small", "advance_head"))
    proxy = FaultProxy(database_uri, small, head, then)
    async with proxy.listening(directory):
        yield proxy, make_conninfo(database_uri, host=str(directory), port=PORT)


async def submit(ledger: Ledger, count: int) -> list[Receipt]:
    """Submit one append of so many transfers, under the same keys until there is an answer."""
    while True:
        try:
            receipts = await ledger.submit_batch(transfers("kill", count))
        except Refused as refused:
            if refused.code is not RefusalCode.UNAVAILABLE:
                raise
            continue
        codes = {receipt.refusal.code for receipt in receipts if receipt.refusal is not None}
        if codes != {RefusalCode.UNAVAILABLE}:
            return receipts


@pytest.mark.parametrize(("count", "cut"), CASES)
async def test_the_server_is_killed_at(
    database_uri: str, tmp_path: Path, count: int, cut: Cut
) -> None:
    """The process dies at the step and comes back: what it had committed stands, and no more."""
    token = await make_token(database_uri)
    killed = asyncio.Event()
    dead: list[int] = []

    def kill() -> None:
        dead.append(server.child.pid)
        os.kill(server.child.pid, signal.SIGKILL)
        killed.set()

    async with asyncio.timeout(TIMEOUT_S), proxied(database_uri, tmp_path, kill) as (proxy, uri):
        server = Server(uri, tmp_path, "server")
        try:
            await asyncio.to_thread(server.start)
            async with LedgerClient(server.url, token, jitter=lambda: 0.1) as ledger:
                await open_books(ledger)
                before = (await ledger.trial_balance()).position
                proxy.arm(cut, 1)
                writing = asyncio.create_task(submit(ledger, count))
                await killed.wait()
                await asyncio.to_thread(server.child.kill)
                assert await asyncio.to_thread(gone, dead)
                await asyncio.to_thread(server.start)
                receipts = await writing
                assert proxy.cuts == len(dead) == 1
                # Only what was committed is found again; all else is made now.
                told = {receipt.replayed for receipt in receipts}
                assert told == {cut is Cut.AFTER_COMMIT}
                await check_one_effect(ledger, before, receipts, count, submit)
        finally:
            await asyncio.to_thread(server.child.stop)


@pytest.mark.parametrize(("count", "cut"), CASES)
async def test_the_database_is_killed_at(
    own_postgres: EmbeddedPostgres, tmp_path: Path, count: int, cut: Cut
) -> None:
    """The database dies at the step and recovers: the writer settles it, or the keys do."""
    directory = tmp_path / "proxy"
    directory.mkdir()
    killed = asyncio.Event()
    dead: list[int] = []

    def kill() -> None:
        pid = own_postgres.postmaster_pid
        assert pid is not None
        dead.append(pid)
        os.kill(pid, signal.SIGKILL)
        killed.set()

    uri = own_postgres.uri("postgres")
    async with (
        asyncio.timeout(TIMEOUT_S),
        proxied(uri, directory, kill) as (proxy, through),
        open_service(through) as service,
    ):
        ledger = await service.create_ledger("main")
        await open_books(ledger)
        before = (await ledger.trial_balance()).position
        proxy.arm(cut, 1)
        writing = asyncio.create_task(submit(ledger, count))
        await killed.wait()
        await asyncio.to_thread(restart, own_postgres, dead[0])
        await check_one_effect(ledger, before, await writing, count, submit)
        assert proxy.cuts == len(dead) == 1
