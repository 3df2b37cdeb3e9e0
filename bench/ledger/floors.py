"""What the smoke asks for: half of each goal, loosely, so that only a collapse is seen."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bench.ledger.report import Result, achievement

_HALF: Final = 0.5

# Where the ledger is below half its goal today (or the smoke is too small for the goal to mean
# much), by how the scenario begins: the share of the goal that must be reached, half of today's.
BELOW_HALF_TODAY: Final[dict[str, float]] = {
    "SDK, batches of 2,000, beside raw": 0.23,  # today 0.47
    "SDK, batches of 8,000, beside raw": 0.20,  # today 0.40
    "SDK, 1 caller, p50": 0.11,  # today 0.22 to 0.40
    "HTTP, single transfers, 64 connections, CPU of the server": 0.19,  # today 0.38
    # Near their goals today; but of so few calls one that meets a stalled disk is the p99, and two
    # processes share what cores a busy machine has left.
    "two ledgers written by two processes": 0.30,
    "SDK, 64 single callers, p99": 0.10,
}


def floor(scenario: str) -> float:
    """The share of its goal that a scenario must reach."""
    for start, share in BELOW_HALF_TODAY.items():
        if scenario.startswith(start):
            return share
    return _HALF


def collapsed(results: Sequence[Result]) -> list[str]:
    """Name the scenarios whose best round is below their floor, with how much of a goal it is."""
    return [
        f"{result.scenario}: {share:.2f} of the goal, at least {floor(result.scenario):.2f} wanted"
        for result in results
        if (share := achievement(_best(result))) is not None and share < floor(result.scenario)
    ]


def _best(result: Result) -> Result:
    # What collapsed is slow in every round; a disk that stalls spoils one.
    best = min(result.figures) if result.lower else max(result.figures)
    ratio = None if result.baseline is None else best / result.baseline
    return replace(result, figure=best, ratio=ratio)
