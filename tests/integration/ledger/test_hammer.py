"""Sixty-four callers hammer ten wallets through two writers of one ledger."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from tests.support.ledger import (
    WALLETS,
    Job,
    Journal,
    Server,
    ask,
    audit,
    make_token,
    open_books,
    open_wallet,
    transfer,
    work,
)

from tandem.ledger.api import Ledger, Record, RefusalCode
from tandem.ledger.client import LedgerClient
from tandem.ledger.embedded import open_service

pytestmark = pytest.mark.anyio

CALLERS = 64
ROUNDS_IN_PROCESS = 20
ROUNDS_OVER_HTTP = 5
CONTESTS = 12
TIMEOUT_S = 180.0


@asynccontextmanager
async def two_services(database_uri: str) -> AsyncIterator[list[Ledger]]:
    """Two services in this process, with a writer and pools of their own."""
    async with open_service(database_uri) as one, open_service(database_uri) as two:
        yield [await one.create_ledger("main"), await two.create_ledger("main")]


@asynccontextmanager
async def two_servers(database_uri: str, directory: Path) -> AsyncIterator[list[Ledger]]:
    """Two server processes, and a client of each."""
    token = await make_token(database_uri)
    async with AsyncExitStack() as stack:
        servers = [Server(database_uri, directory, name) for name in ("one", "two")]
        for server in servers:
            stack.push_async_callback(asyncio.to_thread, server.child.stop)
        await asyncio.gather(*(asyncio.to_thread(server.start) for server in servers))
        yield [
            await stack.enter_async_context(LedgerClient(server.url, token)) for server in servers
        ]


async def hammer(ledgers: list[Ledger], rounds: int) -> tuple[Journal, list[Record]]:
    """Let every caller work, half of them on each ledger, and audit what came of it."""
    journal = Journal()
    await open_books(ledgers[0])
    for number in range(CONTESTS):
        await open_wallet(ledgers[number % 2], f"purses:{number}", 100)
    async with asyncio.timeout(TIMEOUT_S):
        await asyncio.gather(
            *(
                caller(ledgers, number, rounds, journal)
                for number in random.Random(64).sample(range(CALLERS), CALLERS)
            )
        )
    logs = [await audit(ledger, journal) for ledger in ledgers]
    assert logs[0] == logs[1]
    return journal, logs[0]


async def caller(ledgers: list[Ledger], number: int, rounds: int, journal: Journal) -> None:
    """Contest keys with others, then work on one's own."""
    ledger = ledgers[number % 2]
    for contest in range(CONTESTS):
        if (number + contest) % 4 == 0:
            for job in contested(contest, number):
                await ask(ledger, job, journal)
    await work(ledger, f"caller-{number}", rounds, journal)


def contested(contest: int, number: int) -> list[Job]:
    """One key and body for all, with funds for one; and one key with a body for each."""
    wallet = WALLETS[contest % len(WALLETS)]
    return [
        transfer(f"only-{contest}", f"purses:{contest}", wallet, 100),
        transfer(f"any-{contest}", WALLETS[0], WALLETS[1], 1 + number),
    ]


def check_contests(journal: Journal, log: list[Record]) -> None:
    """Of each contested key there is one effect, and everybody was told of that one."""
    by_key = {record.idempotency_key: record for record in log}
    for contest in range(CONTESTS):
        answers = journal.told[f"only-{contest}"]
        assert len(answers) == CALLERS // 4
        assert {told.position for told in answers} == {by_key[f"only-{contest}"].position}
        others = [told.code for told in journal.told[f"any-{contest}"]]
        reused = others.count(RefusalCode.IDEMPOTENCY_KEY_REUSED)
        assert reused == CALLERS // 4 - 1


async def test_two_services_on_one_ledger(database_uri: str) -> None:
    """In process: conservation, one effect a key, gap-free positions, the same log from both."""
    async with two_services(database_uri) as ledgers:
        journal, log = await hammer(ledgers, ROUNDS_IN_PROCESS)
        check_contests(journal, log)
        for contest in range(CONTESTS):
            assert (await ledgers[0].balance(f"purses:{contest}")).balance_minor == 0


async def test_two_servers_on_one_ledger(database_uri: str, tmp_path: Path) -> None:
    """Over HTTP, through two server processes: the same."""
    async with two_servers(database_uri, tmp_path) as ledgers:
        journal, log = await hammer(ledgers, ROUNDS_OVER_HTTP)
        check_contests(journal, log)
