"""Batches through the SDK in process: beside raw and tpcb, on a hot account, holds and captures."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from bench.ledger.baselines import Raw
from bench.ledger.load import batches, entries_of, hot, mixed, uniform
from bench.ledger.report import Result, compared
from bench.ledger.stage import Stage, at_once, take_turns

BATCHES: Final = (2_000, 8_000)
_USUAL: Final = 2_000
_RAW_GOAL: Final = 0.85
_TPCB_GOAL: Final = 10.0
_HOT_GOAL: Final = 0.95
_MIXED_GOAL: Final = 0.80


async def measure(stage: Stage) -> list[Result]:
    """Take turns between the ledger's loads and the baselines."""
    books, total = await stage.books("throughput"), stage.sizes.transfers
    raw, tpcb = Raw(books.conninfo), stage.tpcb()
    stage.stack.callback(raw.close)
    turns: list[dict[str, Callable[[], Awaitable[float]]]] = [
        {
            f"{size}": partial(batches, books, uniform(books), total, size),
            f"raw {size}": partial(at_once, partial(raw.rerun, total, size)),  # the same rows
        }
        for size in BATCHES
    ]
    turns += [
        {"hot": partial(batches, books, hot(books), total, _USUAL)},
        {"mixed": partial(batches, books, mixed(books), total // 2, _USUAL)},
        {"tpcb": partial(at_once, tpcb.rate)},
    ]
    await batches(books, uniform(books), 4 * _USUAL, _USUAL)  # warm
    await batches(books, mixed(books), 2 * _USUAL, _USUAL)
    taken = await take_turns(stage.sizes.rounds, *turns)
    return [*_beside(taken), *_loads(taken)]


def _beside(taken: dict[str, list[float]]) -> list[Result]:
    results = []
    for size in BATCHES:
        name, rates = f"SDK, batches of {size:,}", taken[f"{size}"]
        unit = "transfers/s"
        raw, tpcb = taken[f"raw {size}"], taken["tpcb"]
        results.append(compared(f"{name}, beside raw", unit, rates, raw, at_least=_RAW_GOAL))
        results.append(compared(f"{name}, beside tpcb", unit, rates, tpcb, at_least=_TPCB_GOAL))
    return results


def _loads(taken: dict[str, list[float]]) -> list[Result]:
    usual = taken[f"{_USUAL}"]
    return [
        compared(
            "SDK, one hot account, beside uniform",
            "transfers/s",
            taken["hot"],
            usual,
            at_least=_HOT_GOAL,
        ),
        compared(
            "SDK, holds, captures and transactions of 4 entries, beside transfers",
            "entries/s",
            [entries_of(rate) for rate in taken["mixed"]],
            [2 * rate for rate in usual],
            at_least=_MIXED_GOAL,
        ),
    ]
