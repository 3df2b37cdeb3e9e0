"""Connections cut around the commit: a caller hears of success or `unavailable`, never of a guess.

Whatever it hears, the same key again gives exactly one effect.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo
from tests.support.fault_proxy import PORT, Cut, FaultProxy
from tests.support.ledger import Journal, audit, check_one_effect, open_books, transfers, work

from tandem.ledger.api import Ledger, Receipt, RefusalCode
from tandem.ledger.core.limits import MAX_APPEND_ATTEMPTS
from tandem.ledger.embedded import open_service
from tandem.ledger.local import LocalLedger
from tandem.ledger.storage.postgres_appends import SMALL_APPEND_RECORDS
from tandem.ledger.storage.queries import query

pytestmark = pytest.mark.anyio

CALLERS = 16
ROUNDS = 12
ONE = 1
LARGE = SMALL_APPEND_RECORDS + 50


@asynccontextmanager
async def behind_a_proxy(
    database_uri: str, directory: Path
) -> AsyncIterator[tuple[LocalLedger, FaultProxy]]:
    """A ledger with its books open, whose every connection goes through a proxy."""
    proxy = FaultProxy(database_uri, query("append_small").partition("\n")[0])
    uri = make_conninfo(database_uri, host=str(directory), port=PORT)
    async with proxy.listening(directory), open_service(uri) as service:
        ledger = await service.create_ledger("main")
        await open_books(ledger)
        yield ledger, proxy


async def submit(ledger: Ledger, count: int) -> list[Receipt]:
    """Submit one append of so many transfers, under the same keys each time."""
    return await ledger.submit_batch(transfers("cut", count))


CUTS = [
    (ONE, Cut.BEFORE_COMMIT),
    (ONE, Cut.AFTER_COMMIT),
    (LARGE, Cut.DURING_COPY),
    (LARGE, Cut.BEFORE_COMMIT),
    (LARGE, Cut.AFTER_COMMIT),
]
NAMES = [f"{count}-{cut.name.lower()}" for count, cut in CUTS]


@pytest.mark.parametrize(("count", "cut"), CUTS, ids=NAMES)
async def test_a_cut_is_settled_for_the_caller(
    database_uri: str, tmp_path: Path, count: int, cut: Cut
) -> None:
    """Cut twice, the caller hears of success, and there is one effect."""
    async with behind_a_proxy(database_uri, tmp_path) as (ledger, proxy):
        before = (await ledger.trial_balance()).position
        proxy.arm(cut, 2)
        receipts = await submit(ledger, count)
        assert proxy.cuts == 2
        await check_one_effect(ledger, before, receipts, count, submit)


@pytest.mark.parametrize(("count", "cut"), CUTS, ids=NAMES)
async def test_too_many_cuts_are_unavailable(
    database_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, cut: Cut
) -> None:
    """Cut at every attempt, the caller hears `unavailable`; the same keys then find one effect."""
    monkeypatch.setattr("tandem.ledger.writer.RETRY_PAUSE_MS", 1)
    async with behind_a_proxy(database_uri, tmp_path) as (ledger, proxy):
        before = (await ledger.trial_balance()).position
        # One for the append, and one for every attempt to settle it.
        proxy.arm(cut, 1 + MAX_APPEND_ATTEMPTS)
        receipts = await submit(ledger, count)
        codes = [receipt.refusal.code for receipt in receipts if receipt.refusal is not None]
        assert codes == [RefusalCode.UNAVAILABLE] * count
        assert proxy.cuts == 1 + MAX_APPEND_ATTEMPTS
        proxy.arm(cut, 0)
        receipts = await submit(ledger, count)
        await check_one_effect(ledger, before, receipts, count, submit)


async def test_cuts_in_the_middle_of_a_load(database_uri: str, tmp_path: Path) -> None:
    """With callers at work and a cut now here, now there, every answer stands."""
    journal = Journal()
    async with behind_a_proxy(database_uri, tmp_path) as (ledger, proxy):
        async with asyncio.TaskGroup() as callers:
            for number in range(CALLERS):
                callers.create_task(work(ledger, f"caller-{number}", ROUNDS, journal))
            for number, cut in enumerate([Cut.BEFORE_COMMIT, Cut.AFTER_COMMIT] * 4):
                await journal.reached(number * CALLERS)
                proxy.arm(cut, 1 + number % 3)
        assert proxy.cuts >= 8
        await audit(ledger, journal)
