"""`make bench`: every figure of the ledger beside its baseline."""

import argparse
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import uvloop
from rich.console import Console

from bench.ledger import (
    budget,
    growth,
    http,
    latency,
    memory,
    processes,
    reads_at_scale,
    throughput,
    verifying,
)
from bench.ledger.baselines import durable
from bench.ledger.floors import collapsed
from bench.ledger.report import Result, table, write
from bench.ledger.sizes import SCALES, Sizes
from bench.ledger.stage import Stage, staged
from tandem.platform.interpreter import tune_interpreter

RESULTS: Final = Path("bench/results")
_DURABLE: Final = ("fsync", "synchronous_commit", "full_page_writes")

# What fills ledgers comes last.
GROUPS: Final[dict[str, Callable[[Stage], Awaitable[list[Result]]]]] = {
    "throughput": throughput.measure,
    "latency": latency.measure,
    "http": http.measure,
    "processes": processes.measure,
    "budget": budget.measure,
    "reads": reads_at_scale.measure,
    "growth": growth.measure,
    "verify": verifying.measure,
    "memory": memory.measure,
}
# So little of these says nothing: one has no goal, the other needs many transactions.
_NOT_IN_SMOKE: Final = ("budget", "memory")


async def measure(
    sizes: Sizes, groups: Sequence[str], say: Callable[[str], None]
) -> dict[str, list[Result]]:
    """Measure groups, one after the other, on one server."""
    results = {}
    async with staged(sizes, say) as stage:
        durable(_DURABLE, stage.server.uri("postgres"))
        for name in groups:
            began = time.perf_counter()
            results[name] = await GROUPS[name](stage)
            say(f"{name}: {time.perf_counter() - began:.0f} s")
    return results


def lines(results: dict[str, list[Result]]) -> list[Result]:
    """The results of all groups in order."""
    return [result for group in results.values() for result in group]


def bench(scale: str, groups: Sequence[str], results: Path, console: Console) -> None:
    """Measure and report."""
    taken = uvloop.run(measure(SCALES[scale], groups, console.print))
    write(lines(taken), results, f"Ledger, durable commits, {scale} sizes", console)


def smoke(groups: Sequence[str], console: Console) -> None:
    """Measure little, and fail where a figure collapsed; what failed is measured once more."""
    sizes = SCALES["smoke"]
    taken = uvloop.run(measure(sizes, groups, console.print))
    again = [name for name, group in taken.items() if collapsed(group)]
    if again:
        taken |= uvloop.run(measure(sizes, again, console.print))
    console.print(table(lines(taken), "Ledger, smoke: too small to be figures"))
    found = collapsed(lines(taken))
    if found:
        raise SystemExit("a collapse:\n" + "\n".join(found))


def main() -> None:
    """Read what to measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", choices=SCALES, default="quick")
    parser.add_argument("--only", choices=GROUPS, action="append", help="a group; may come again")
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    groups = arguments.only or [
        name for name in GROUPS if arguments.scale != "smoke" or name not in _NOT_IN_SMOKE
    ]
    console = Console()
    tune_interpreter()
    if arguments.scale == "smoke":
        smoke(groups, console)
    else:
        bench(arguments.scale, groups, arguments.results, console)


if __name__ == "__main__":
    main()
