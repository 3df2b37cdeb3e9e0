"""`make bench-routing`: the goals of the gateway beside a naive client."""

import argparse
import asyncio
import logging
from pathlib import Path
from typing import Final

from rich.console import Console

from bench.routing import others, outages
from bench.routing.report import Course, Row, write
from bench.routing.stage import staged
from tandem.platform.telemetry import configure_logging

_RESULTS: Final = Path("bench/results")


async def _measure() -> tuple[list[Row], list[Course]]:
    async with staged() as stage:
        rows = [*await outages.measure(stage), *await others.measure(stage)]
        return rows, await outages.courses(stage)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=_RESULTS)
    options = parser.parse_args()
    configure_logging()
    logging.getLogger().setLevel(logging.ERROR)
    rows, courses = asyncio.run(_measure())
    write(rows, courses, options.results, Console(width=140))


if __name__ == "__main__":
    main()
