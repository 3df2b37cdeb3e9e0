"""Balances now and as of random past times, in ledgers of different sizes."""

import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import Final

from bench.ledger.load import Books, address, fill, timed_calls
from bench.ledger.report import Result, compared
from bench.ledger.stage import Stage, take_turns

_ENTRIES: Final = 2
_GOAL: Final = 1.3


async def measure(stage: Stage) -> list[Result]:
    """Fill a ledger for each size, in a database each; then read in turns."""
    sizes, turns = stage.sizes, list[dict[str, Callable[[], Awaitable[float]]]]()
    for entries in sizes.entries:
        books = await stage.books(f"filled_{entries}")
        stage.say(f"reads: filling {entries:,} entries through the ledger")
        began = datetime.now(UTC)
        await fill(books, entries // _ENTRIES)
        for kind, reads in _reads(books, began, datetime.now(UTC)).items():
            for _ in range(2):  # warm
                await _p50(reads, sizes.reads)
            turns.append({f"{kind} {entries}": partial(_p50, reads, sizes.reads)})
    taken = await take_turns(sizes.rounds, *turns)
    return [line for kind in ("now", "as of a past time") for line in _lines(stage, kind, taken)]


def _lines(stage: Stage, kind: str, taken: dict[str, list[float]]) -> list[Result]:
    smallest = stage.sizes.entries[0]
    return [
        compared(
            f"balance {kind}, p50, {entries:,} entries beside {smallest:,}",
            "ms",
            taken[f"{kind} {entries}"],
            taken[f"{kind} {smallest}"],
            at_most=_GOAL if entries == stage.sizes.entries[-1] else None,
        )
        for _, entries in pairwise(stage.sizes.entries)
    ]


def _reads(
    books: Books, began: datetime, ended: datetime
) -> dict[str, Callable[[], Awaitable[object]]]:
    dice, span = random.Random(2), ended - began

    def account() -> str:
        return address(int(dice.random() * books.accounts))

    async def now() -> object:
        return await books.ledger.balance(account())

    async def past() -> object:
        return await books.ledger.balance(account(), at_time=began + dice.random() * span)

    return {"now": now, "as of a past time": past}


async def _p50(read: Callable[[], Awaitable[object]], total: int) -> float:
    return (await timed_calls(read, total, callers=1)).p50_ms
