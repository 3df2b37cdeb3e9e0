"""`make bench-routing`: the goals of the gateway beside a naive client."""

import argparse
import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from bench.routing import others, outages, overload
from bench.routing.report import Course, Row, write
from bench.routing.stage import Stage, staged
from tandem.platform.telemetry import configure_logging

_RESULTS: Final = Path("bench/results")


_GROUPS: Final[dict[str, Callable[[Stage], Awaitable[list[Row]]]]] = {
    "outages": outages.measure,
    "others": others.measure,
    "overload": overload.measure,
}


async def _measure(groups: Sequence[str]) -> tuple[list[Row], list[Course]]:
    async with staged() as stage:
        rows = [row for name in groups for row in await _GROUPS[name](stage)]
        return rows, await outages.courses(stage) if "outages" in groups else []


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=_RESULTS)
    parser.add_argument("--only", choices=_GROUPS, action="append", help="a group; may come again")
    options = parser.parse_args()
    configure_logging()
    logging.getLogger().setLevel(logging.ERROR)
    rows, courses = asyncio.run(_measure(options.only or list(_GROUPS)))
    write(rows, courses, options.results, Console(width=140))


if __name__ == "__main__":
    main()
