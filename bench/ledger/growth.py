"""Throughput of a ledger that has grown, beside one that has not."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from bench.ledger.load import batches, fill, uniform
from bench.ledger.report import Result, compared
from bench.ledger.stage import Stage, take_turns

_BATCH: Final = 1_000
_PART: Final = 10  # of the small ledger is what one round adds
_GOAL: Final = 0.80


async def measure(stage: Stage) -> list[Result]:
    """Fill two ledgers, in a database each; then write to them in turns."""
    small, big = stage.sizes.grown
    total = small // _PART  # little, so that the small ledger stays small
    turns = list[dict[str, Callable[[], Awaitable[float]]]]()
    for transactions in (small, big):
        books = await stage.books(f"grown_{transactions}")
        stage.say(f"growth: filling {transactions:,} transactions through the ledger")
        await fill(books, transactions)
        write = partial(batches, books, uniform(books), total, _BATCH)
        turns.append({f"{transactions}": write})
    taken = await take_turns(stage.sizes.rounds, *turns)
    return [
        compared(
            f"SDK, batches of {_BATCH:,} after {big:,} transactions, beside after {small:,}",
            "transfers/s",
            taken[f"{big}"],
            taken[f"{small}"],
            at_least=_GOAL,
        )
    ]
