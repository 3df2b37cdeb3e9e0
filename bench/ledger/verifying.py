"""Verification of a whole ledger, beside reading, parsing and hashing its records and no more."""

import json
import time
from functools import partial
from hashlib import sha256
from typing import Final

import psycopg

from bench.ledger.load import Books, fill
from bench.ledger.report import Result, compared
from bench.ledger.stage import Stage, at_once, take_turns

_PAGE_RECORDS: Final = 2_000


async def measure(stage: Stage) -> list[Result]:
    """Verify the smaller of the grown ledgers and read it plainly, in turns."""
    transactions = stage.sizes.grown[0]
    books = await stage.books(f"grown_{transactions}")
    await fill(books, transactions)
    taken = await take_turns(
        stage.sizes.rounds,
        {"verify": partial(_verify, books), "read": partial(at_once, partial(_read, books))},
    )
    name = "verify, beside reading, parsing and hashing the records only"
    return [compared(name, "records/s", taken["verify"], taken["read"])]


async def _verify(books: Books) -> float:
    started = time.perf_counter()
    found = await books.ledger.verify()
    if found.faults:
        raise SystemExit(f"the ledger is broken: {found.faults}")
    return found.records / (time.perf_counter() - started)


def _read(books: Books) -> float:
    started, last = time.perf_counter(), 0
    with psycopg.connect(books.conninfo) as connection:
        while page := connection.execute(
            "SELECT body FROM ledger.record WHERE ledger_id = 1 AND seq > %s ORDER BY seq LIMIT %s",
            (last, _PAGE_RECORDS),
        ).fetchall():
            last += len(page)
            for (body,) in page:
                json.loads(body)
                sha256(body.encode()).digest()
    return last / (time.perf_counter() - started)
