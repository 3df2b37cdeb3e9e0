"""`kill -9` in the middle of a load: nothing acknowledged is lost, nothing is doubled."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.ledger import (
    Journal,
    Server,
    audit,
    make_token,
    open_books,
    read_log,
    work,
)
from tests.support.postgres import restart
from tests.support.processes import gone

from tandem.ledger.api import Ledger
from tandem.ledger.client import LedgerClient
from tandem.ledger.embedded import open_service
from tandem.platform.embedded import EmbeddedPostgres

pytestmark = pytest.mark.anyio

CALLERS = 16
ROUNDS = 10
DRILL_ROUNDS = 150
DRILL_KILLS = 10
TIMEOUT_S = 120.0
DRILL_TIMEOUT_S = 600.0


@asynccontextmanager
async def load(ledger: Ledger, rounds: int, timeout_s: float) -> AsyncIterator[Journal]:
    """A load that goes on while the block runs, and is seen through and audited after it."""
    journal = Journal()
    await open_books(ledger)
    async with asyncio.timeout(timeout_s), asyncio.TaskGroup() as callers:
        for number in range(CALLERS):
            callers.create_task(work(ledger, f"caller-{number}", rounds, journal))
        yield journal
    await audit(ledger, journal)


def points(seed: int, kills: int, rounds: int) -> list[int]:
    """After how many answers to kill: random, but while most callers are still at work."""
    return sorted(random.Random(seed).sample(range(10, CALLERS * rounds * 2 // 3), kills))


async def kill_servers(
    database_uri: str, directory: Path, points: list[int], rounds: int, timeout_s: float
) -> None:
    """Run a load against a server that is killed and started again at each of the points."""
    token = await make_token(database_uri)
    server = Server(database_uri, directory, "server")
    try:
        await asyncio.to_thread(server.start)
        async with (
            LedgerClient(server.url, token) as ledger,
            load(ledger, rounds, timeout_s) as journal,
        ):
            for point in points:
                await journal.reached(point)
                pid = server.child.pid
                os.kill(pid, signal.SIGKILL)
                await asyncio.to_thread(server.child.kill)
                assert gone([pid])
                await asyncio.to_thread(server.start)
        assert journal.retries > 0
    finally:
        await asyncio.to_thread(server.child.stop)


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_killed_server_loses_nothing(database_uri: str, tmp_path: Path, seed: int) -> None:
    """Killed twice mid-load and started again: every answer stands and every key is there once."""
    await kill_servers(database_uri, tmp_path, points(seed, 2, ROUNDS), ROUNDS, TIMEOUT_S)


@pytest.mark.drill
async def test_a_server_killed_again_and_again(database_uri: str, tmp_path: Path) -> None:
    """The same with ten kills over a longer load."""
    chosen = points(3, DRILL_KILLS, DRILL_ROUNDS)
    await kill_servers(database_uri, tmp_path, chosen, DRILL_ROUNDS, DRILL_TIMEOUT_S)


async def kill_postgres(
    server: EmbeddedPostgres, points: list[int], rounds: int, timeout_s: float
) -> None:
    """Run a load in process on a database whose postmaster is killed at each of the points."""
    uri = server.uri("postgres")
    async with open_service(uri) as service:
        ledger = await service.create_ledger("main")
        async with load(ledger, rounds, timeout_s) as journal:
            for point in points:
                await journal.reached(point)
                pid = server.postmaster_pid
                assert pid is not None
                os.kill(pid, signal.SIGKILL)
                await asyncio.to_thread(restart, server, pid)
        before = await read_log(ledger)
    async with open_service(uri) as service:
        assert await audit(await service.ledger("main"), journal) == before


async def test_a_killed_database_loses_nothing(own_postgres: EmbeddedPostgres) -> None:
    """The postmaster killed mid-load and started again: the callers' retries find it all."""
    await kill_postgres(own_postgres, points(4, 1, ROUNDS), ROUNDS, TIMEOUT_S)


@pytest.mark.drill
async def test_a_database_killed_again_and_again(own_postgres: EmbeddedPostgres) -> None:
    """The same with ten kills over a longer load."""
    chosen = points(5, DRILL_KILLS, DRILL_ROUNDS)
    await kill_postgres(own_postgres, chosen, DRILL_ROUNDS, DRILL_TIMEOUT_S)
