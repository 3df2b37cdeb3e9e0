"""Single transfers through the SDK in process: 64 callers at once, and one alone."""

from functools import partial
from typing import Final

from bench.ledger.baselines import Inserts
from bench.ledger.load import Timed, singles
from bench.ledger.report import Result, alone, compared
from bench.ledger.sizes import CALLERS
from bench.ledger.stage import Stage, at_once, take_turns

_TPCB_GOAL: Final = 3.0
_P99_GOAL_MS: Final = 25.0
_INSERT_GOAL: Final = 2.0


async def measure(stage: Stage) -> list[Result]:
    """Take turns between callers and their baselines."""
    books, sizes = await stage.books("latency"), stage.sizes
    tpcb, inserts = stage.tpcb(), Inserts(stage.database("inserts"))
    stage.stack.callback(inserts.close)
    await singles(books, 10 * CALLERS)  # warm
    taken = await take_turns(
        sizes.rounds,
        {"many": partial(singles, books, sizes.singles)},
        {"tpcb": partial(at_once, lambda: Timed(tpcb.rate(), 0, 0))},
        {"one": partial(singles, books, sizes.alone, callers=1)},
        {"insert": partial(at_once, lambda: inserts.timed(sizes.alone))},
    )
    name = f"SDK, {CALLERS} single callers"
    return [
        compared(
            f"{name}, beside tpcb",
            "transfers/s",
            [run.rate for run in taken["many"]],
            [run.rate for run in taken["tpcb"]],
            at_least=_TPCB_GOAL,
        ),
        alone(f"{name}, p99", "ms", [run.p99_ms for run in taken["many"]], at_most=_P99_GOAL_MS),
        compared(
            "SDK, 1 caller, p50, beside one durable INSERT",
            "ms",
            [run.p50_ms for run in taken["one"]],
            [run.p50_ms for run in taken["insert"]],
            at_most=_INSERT_GOAL,
        ),
    ]
