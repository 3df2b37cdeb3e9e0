"""The report: a table, `routing.json`, the same table as Markdown, and plots."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

# The windows of a course in which the primary is out.
OUTAGE: Final = (2, 6)
_COLUMNS: Final = ("goal", "figure", "unit", "baseline", "target", "met")


@dataclass(frozen=True, slots=True)
class Row:
    """One line: `baseline` is the naive client's or the bare call's, where there is one."""

    goal: str
    figure: float
    unit: str
    baseline: float | None
    target: str
    met: bool


def at_most(goal: str, figure: float, unit: str, most: float, baseline: float | None = None) -> Row:
    """State a figure that should be low."""
    return Row(goal, figure, unit, baseline, f"<= {most:g}", figure <= most)


def at_least(
    goal: str, figure: float, unit: str, least: float, baseline: float | None = None
) -> Row:
    """State a figure that should be high."""
    return Row(goal, figure, unit, baseline, f">= {least:g}", figure >= least)


@dataclass(frozen=True, slots=True)
class Course:
    """What an outage looked like: for each second the share answered and the p99, of one client."""

    client: str
    success: tuple[float, ...]
    p99_ms: tuple[float, ...]
    attempts: tuple[float, ...]


def _cells(row: Row) -> tuple[str, ...]:
    baseline = "" if row.baseline is None else f"{row.baseline:,.2f}"
    met = "met" if row.met else "missed"
    return row.goal, f"{row.figure:,.2f}", row.unit, baseline, row.target, met


def markdown(rows: Sequence[Row]) -> str:
    """Write the table for the documentation."""
    lines = ["| " + " | ".join(_COLUMNS) + " |", "|---|--:|---|--:|---|---|"]
    return "\n".join([*lines, *("| " + " | ".join(_cells(row)) + " |" for row in rows)]) + "\n"


def write(
    rows: Sequence[Row], courses: Sequence[Course], directory: Path, console: Console
) -> None:
    """Print the table and write the files."""
    table = Table(title="Routing gateway beside a naive client")
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column in {"goal", "unit"} else "right")
    for row in rows:
        table.add_row(*_cells(row), style=None if row.met else "red")
    console.print(table)
    directory.mkdir(parents=True, exist_ok=True)
    lines = [asdict(row) for row in rows]
    text = json.dumps(lines, indent=2, ensure_ascii=False) + "\n"
    (directory / "routing.json").write_text(text, "utf-8")
    (directory / "routing.md").write_text(markdown(rows), "utf-8")
    if courses:
        _draw(courses, directory)


def _draw(courses: Sequence[Course], directory: Path) -> None:
    """Draw success, amplification and p99 over an outage."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import, and only drawn here

    figure = Figure(figsize=(10, 8), layout="constrained")
    shown: Mapping[str, str] = {
        "success": "share answered by a provider or from cache",
        "attempts": "attempts at the primary per call",
        "p99_ms": "p99 in milliseconds",
    }
    for axes, (name, label) in zip(figure.subplots(3, 1, sharex=True), shown.items(), strict=True):
        for course in courses:
            axes.plot(getattr(course, name), marker="o", label=course.client)
        axes.set_ylabel(label)
        axes.axvspan(*OUTAGE, color="#c44536", alpha=0.1)
        axes.legend()
    axes.set_xlabel("windows of calls; the primary is out in the shaded ones")
    for suffix in ("png", "svg"):
        figure.savefig(directory / f"routing.{suffix}", dpi=130)
