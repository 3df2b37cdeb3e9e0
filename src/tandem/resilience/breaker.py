"""A circuit breaker: stop asking what fails, and find out with one call at a time if it is back.

closed --(too many calls fail or are slow)--> open --(break over)--> half-open
half-open --(probe answered)--> closed        half-open --(probe failed)--> open, for longer
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tandem.resilience.errors import Rejected, RejectReason
from tandem.resilience.limits import (
    BREAK_CAP_S,
    BREAK_FIRST_S,
    BREAK_SHARE_MIN,
    BREAKER_FAILURES_IN_ROW,
)
from tandem.resilience.outcome import Outcome
from tandem.resilience.window import RollingSums


class BreakerState(StrEnum):
    """Whether calls are made."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """When to open.

    At `failure_ratio` of at least `calls_min` calls in the last `window_s`; at `slow_ratio` of
    them, if a call that takes `slow_s` or more is slow; at `failures_in_row`, since a ratio notices
    a hard outage only when the good calls before it have left the window.
    """

    window_s: float
    calls_min: int
    failure_ratio: float
    break_first_s: float = BREAK_FIRST_S
    break_cap_s: float = BREAK_CAP_S
    slow_s: float = math.inf
    slow_ratio: float = 1.0
    failures_in_row: int = BREAKER_FAILURES_IN_ROW

    def __post_init__(self) -> None:
        if not (self.window_s > 0 and self.calls_min >= 1 and self.failures_in_row >= 1):
            raise ValueError("a breaker needs a window, at least one call and one failure")
        if not (0 < self.failure_ratio <= 1 and 0 < self.slow_ratio <= 1 and self.slow_s > 0):
            raise ValueError("a breaker's ratios are up to 1, and no call is slow from the start")


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to make one call; its outcome must be recorded with it."""

    generation: int
    is_probe: bool
    at_s: float


class CircuitBreaker:
    """The state machine; it is told the time (monotonic seconds) and given its chance."""

    def __init__(self, settings: BreakerSettings, chance: Callable[[], float]) -> None:
        self._settings = settings
        self._chance = chance
        # Calls, failures, slow calls.
        self._recent = RollingSums(settings.window_s, 3)
        self._failures_in_row = 0
        # Each change of state begins a generation; outcomes of calls from before tell nothing
        # about what came after.
        self._generation = 0
        self._open_until_s: float | None = None
        self._probe_is_out = False
        self._closed_at_s = float("-inf")
        self._breaks_in_row = 0

    def state(self, now_s: float) -> BreakerState:
        """Return the state at a moment."""
        if self._open_until_s is None:
            return BreakerState.CLOSED
        if self._probe_is_out or now_s >= self._open_until_s:
            return BreakerState.HALF_OPEN
        return BreakerState.OPEN

    def acquire(self, now_s: float) -> Permit:
        """Ask for leave to make a call; raises Rejected."""
        state = self.state(now_s)
        if state is BreakerState.CLOSED:
            return Permit(self._generation, is_probe=False, at_s=now_s)
        if state is BreakerState.OPEN or self._probe_is_out:
            raise Rejected(RejectReason.BREAKER_OPEN)
        self._probe_is_out = True
        return Permit(self._generation, is_probe=True, at_s=now_s)

    def record(self, permit: Permit, outcome: Outcome, now_s: float) -> None:
        """Note how a call ended."""
        if permit.generation != self._generation:
            return
        is_slow = now_s - permit.at_s >= self._settings.slow_s
        if permit.is_probe:
            self._end_probe(outcome, is_slow, now_s)
        elif outcome in {Outcome.SUCCESS, Outcome.FAILURE}:
            self._count(outcome is Outcome.FAILURE, is_slow, now_s)

    def _end_probe(self, outcome: Outcome, is_slow: bool, now_s: float) -> None:
        self._probe_is_out = False
        if outcome is Outcome.NEUTRAL:
            return
        if is_slow or outcome is Outcome.FAILURE:
            self._open(now_s)
            return
        self._generation += 1
        self._open_until_s = None
        self._closed_at_s = now_s
        self._forget()

    def _count(self, is_failure: bool, is_slow: bool, now_s: float) -> None:
        settings = self._settings
        self._recent.add(now_s, 1, is_failure, is_slow)
        self._failures_in_row = self._failures_in_row + 1 if is_failure else 0
        calls, failures, slow = self._recent.sums(now_s)
        enough = calls >= settings.calls_min
        # A good call may complete the number of calls, but never opens by itself.
        failing = is_failure and enough and failures >= settings.failure_ratio * calls
        slowing = is_slow and enough and slow >= settings.slow_ratio * calls
        if failing or slowing or self._failures_in_row >= settings.failures_in_row:
            self._open(now_s)

    def _forget(self) -> None:
        self._recent.clear()
        self._failures_in_row = 0

    def _open(self, now_s: float) -> None:
        """Begin a break; it grows while breaks follow each other within a window."""
        settings = self._settings
        if self._open_until_s is None and now_s - self._closed_at_s > settings.window_s:
            self._breaks_in_row = 0
        longest_s = min(settings.break_cap_s, settings.break_first_s * 2.0**self._breaks_in_row)
        share = BREAK_SHARE_MIN + (1.0 - BREAK_SHARE_MIN) * self._chance()
        if longest_s < settings.break_cap_s:
            self._breaks_in_row += 1
        self._generation += 1
        self._open_until_s = now_s + longest_s * share
        self._forget()
