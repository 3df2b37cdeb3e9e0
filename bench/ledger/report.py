"""The report: a table, `ledger.json`, the same table as Markdown, and a plot."""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

COLUMNS: Final = ("scenario", "figure", "unit", "baseline", "ratio", "goal", "met")
# Rounds of one thing that lie further apart than this say that the machine was not quiet.
_UNSTEADY: Final = 2.0
_SHOWN: Final = (*COLUMNS, "spread")
_TEN: Final = 10


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the report.

    `ratio` is figure over baseline. `goal` bounds the ratio, or the figure where there is no
    baseline: from above where lower is better, and else from below.
    """

    scenario: str
    figure: float
    unit: str
    baseline: float | None
    ratio: float | None
    goal: float | None
    met: bool | None
    # Not in `ledger.json`: whether less is better, and the rounds, which `rounds.json` keeps.
    lower: bool = False
    figures: tuple[float, ...] = ()
    baselines: tuple[float, ...] = ()


def compared(
    scenario: str,
    unit: str,
    figures: Sequence[float],
    baselines: Sequence[float],
    *,
    at_least: float | None = None,
    at_most: float | None = None,
) -> Result:
    """Compare the medians of what took turns; the goal says whether more or less is better."""
    figure, baseline = statistics.median(figures), statistics.median(baselines)
    if baseline == 0:
        raise SystemExit(f"{scenario}: the baseline did nothing; is the disk stalled?")
    ratio = figure / baseline
    goal = at_most if at_least is None else at_least
    met = _met(ratio, at_least, at_most)
    rounds = tuple(figures), tuple(baselines)
    return Result(scenario, figure, unit, baseline, ratio, goal, met, at_most is not None, *rounds)


def alone(
    scenario: str, unit: str, figures: Sequence[float], *, at_most: float | None = None
) -> Result:
    """State the median of a figure that has no baseline."""
    figure = statistics.median(figures)
    met = _met(figure, None, at_most)
    lower, rounds = at_most is not None, tuple(figures)
    return Result(scenario, figure, unit, None, None, at_most, met, lower, rounds)


def _met(value: float, at_least: float | None, at_most: float | None) -> bool | None:
    if at_least is not None:
        return value >= at_least
    return None if at_most is None else value <= at_most


def cells(result: Result) -> tuple[str, ...]:
    """Write a line as a reader wants it."""
    goal = ""
    if result.goal is not None:
        sign = "≤" if result.lower else "≥"
        number = number_text(result.goal) if result.ratio is None else ratio_text(result.goal)
        goal = f"{sign} {number}"
    return (
        result.scenario,
        number_text(result.figure),
        result.unit,
        "" if result.baseline is None else number_text(result.baseline),
        "" if result.ratio is None else ratio_text(result.ratio),
        goal,
        {None: "", True: "met", False: "missed"}[result.met],
        spread_text(result),
    )


def spread_text(result: Result) -> str:
    """Write how far the rounds lie apart (largest over smallest), of figure and of baseline."""
    spreads = [_spread(rounds) for rounds in (result.figures, result.baselines) if len(rounds) > 1]
    text = " / ".join(f"{spread:.1f}" for spread in spreads)
    return f"{text} !" if any(spread > _UNSTEADY for spread in spreads) else text


def _spread(rounds: Sequence[float]) -> float:
    return max(rounds) / min(rounds) if min(rounds) > 0 else math.inf


def number_text(value: float) -> str:
    """Write a figure: whole from ten on, else to two places."""
    return f"{value:,.0f}" if abs(value) >= _TEN else f"{value:.2f}"


def ratio_text(value: float) -> str:
    """Write a ratio: percent below two, times from there."""
    return f"{value:.0%}" if value < 2 else f"{value:.1f} x"  # noqa: PLR2004 - said above


def table(results: Sequence[Result], title: str) -> Table:
    """Lay the table out for a terminal."""
    laid = Table(title=title)
    for column in _SHOWN:
        laid.add_column(column, justify="left" if column in ("scenario", "unit") else "right")
    for result in results:
        laid.add_row(*cells(result), style="red" if result.met is False else None)
    return laid


def markdown(results: Sequence[Result]) -> str:
    """Write the table for the documentation."""
    lines = ["| " + " | ".join(_SHOWN) + " |", "|---|--:|---|--:|--:|--:|---|--:|"]
    lines += ["| " + " | ".join(cells(result)) + " |" for result in results]
    return "\n".join(lines) + "\n"


def as_json(results: Sequence[Result]) -> str:
    """Write the list that other programs read."""
    lines = [{name: getattr(result, name) for name in COLUMNS} for result in results]
    return json.dumps(lines, indent=2, ensure_ascii=False) + "\n"


def rounds_json(results: Sequence[Result]) -> str:
    """Write every round that was measured, for whoever doubts a median."""
    lines = [
        {"scenario": one.scenario, "figures": one.figures, "baselines": one.baselines}
        for one in results
    ]
    return json.dumps(lines, indent=1, ensure_ascii=False) + "\n"


def achievement(result: Result) -> float | None:
    """How far a goal is reached: 1 is just met, 2 twice as good; None where there is no goal."""
    if result.goal is None:
        return None
    value = result.figure if result.ratio is None else result.ratio
    return result.goal / value if result.lower else value / result.goal


def write(results: Sequence[Result], directory: Path, title: str, console: Console) -> None:
    """Print the table and write the files."""
    console.print(table(results, title))
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "ledger.json").write_text(as_json(results), "utf-8")
    (directory / "rounds.json").write_text(rounds_json(results), "utf-8")
    (directory / "ledger.md").write_text(markdown(results), "utf-8")
    reached = {one.scenario: share for one in results if (share := achievement(one)) is not None}
    draw(reached, directory, title)


def draw(reached: Mapping[str, float], directory: Path, title: str) -> None:
    """Draw how far each goal is reached, as PNG and SVG."""
    if not reached:
        return
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import, and only drawn here

    names, shares = list(reached)[::-1], list(reached.values())[::-1]
    figure = Figure(figsize=(11, 1.5 + 0.32 * len(names)), layout="constrained")
    axes = figure.subplots()
    colours = ["#2a7f62" if share >= 1 else "#c44536" for share in shares]
    bars = axes.barh(names, shares, color=colours)
    axes.bar_label(bars, [f"{share:.2f}" for share in shares], padding=3)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xlim(0, max(1.2, *shares) * 1.1)
    axes.set_xlabel("share of the goal that is reached (1 = just met; more is better)")
    axes.set_title(title)
    for suffix in ("png", "svg"):
        figure.savefig(directory / f"ledger.{suffix}", dpi=130)
