"""`kill -9` of the server and of the worker during a load: consumers miss nothing.

A follower that keeps only its last position gets every record exactly once, in order; a webhook's
receiver gets every record at least once, and in order.
"""

import asyncio
import base64
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.doors import WEBHOOK_KEY
from tests.support.ledger import Journal, Server, make_token, open_books, work
from tests.support.processes import gone
from tests.support.receiver import Progress, receiving

from tandem.ledger.api import Ledger
from tandem.ledger.client import LedgerClient
from tandem.platform.auth import Permission
from tandem.platform.processes import ChildProcess

pytestmark = pytest.mark.anyio

CALLERS = 8
ROUNDS = 8
KILLS = 2
TIMEOUT_S = 120.0
DRILL_ROUNDS = 80
DRILL_KILLS = 8
DRILL_TIMEOUT_S = 500.0


@asynccontextmanager
async def ended(*children: ChildProcess) -> AsyncIterator[None]:
    """Stop whatever runs at the end."""
    try:
        yield
    finally:
        for child in children:
            await asyncio.to_thread(child.stop)


def make_worker(database_uri: str, directory: Path, environment: dict[str, str]) -> ChildProcess:
    """A `tandem work` on a database."""
    return ChildProcess(
        "worker",
        [sys.executable, "-m", "tandem.cli", "work"],
        log=directory / "worker.log",
        environment={"TANDEM_DATABASE_URL": database_uri, **environment},
    )


async def kill(child: ChildProcess) -> None:
    """Kill a process as nothing can prevent, and see it gone."""
    pid = child.pid
    os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(child.kill)
    assert gone([pid])


class Follower:
    """A consumer that keeps its last position, and dies now and then."""

    def __init__(self) -> None:
        self.positions: list[int] = []
        self.progress = Progress()

    async def follow(self, ledger: Ledger) -> None:
        """Go on after the last position, until cancelled."""
        after = self.positions[-1] if self.positions else 0
        async for record in ledger.follow(after=after):
            self.positions.append(record.position)
            self.progress.note(record.position)


async def drill(database_uri: str, directory: Path, rounds: int, kills: int) -> None:
    """Load a server, follow it, deliver from it, and kill all of that at several points."""
    environment = {
        "TANDEM_WEBHOOK_KEY": base64.b64encode(WEBHOOK_KEY).decode(),
        "TANDEM_WEBHOOK_REACH": "loopback",
        "TANDEM_DATA_DIRECTORY": str(directory),
    }
    token = await make_token(database_uri, list(Permission))
    server = Server(database_uri, directory, "server", environment)
    worker = make_worker(database_uri, directory, environment)
    async with ended(server.child, worker), receiving() as receiver:
        await asyncio.to_thread(server.start)
        worker.start()
        async with LedgerClient(server.url, token) as ledger:
            made = await ledger.webhooks.put("drill", url=receiver.url, after=0)
            assert made.secret is not None
            receiver.secrets = [made.secret]
            await open_books(ledger)
            journal, follower = Journal(), Follower()
            following = asyncio.create_task(follower.follow(ledger))
            async with asyncio.TaskGroup() as callers:
                for number in range(CALLERS):
                    callers.create_task(work(ledger, f"caller-{number}", rounds, journal))
                for number in range(1, kills + 1):
                    await journal.reached(CALLERS * rounds * number // (kills + 1))
                    await kill(worker)
                    await kill(server.child)
                    following.cancel()  # the consumer dies too, and goes on where it was
                    worker.start()
                    await asyncio.to_thread(server.start)
                    following = asyncio.create_task(follower.follow(ledger))
            end = (await ledger.trial_balance()).position
            await follower.progress.reached(end)
            await receiver.progress.reached(end)
            following.cancel()
    assert journal.retries > 0
    assert follower.positions == [*range(1, end + 1)]
    assert receiver.first_deliveries == [*range(1, end + 1)]


async def test_consumers_miss_nothing(database_uri: str, tmp_path: Path) -> None:
    """Two kills of everything in the middle of a load."""
    async with asyncio.timeout(TIMEOUT_S):
        await drill(database_uri, tmp_path, ROUNDS, KILLS)


@pytest.mark.drill
async def test_consumers_miss_nothing_for_long(database_uri: str, tmp_path: Path) -> None:
    """The same with more kills over a longer load."""
    async with asyncio.timeout(DRILL_TIMEOUT_S):
        await drill(database_uri, tmp_path, DRILL_ROUNDS, DRILL_KILLS)
