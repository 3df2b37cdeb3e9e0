"""A circuit breaker: stop asking what fails, and find out with one call at a time if it is back.

closed --(too many failures in the window)--> open --(break over)--> half-open
half-open --(probe answered)--> closed        half-open --(probe failed)--> open, for longer
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tandem.resilience.errors import Rejected, RejectReason
from tandem.resilience.limits import (
    BREAK_CAP_S,
    BREAK_FIRST_S,
    BREAK_SHARE_MIN,
    BREAKER_BUCKETS,
)


class BreakerState(StrEnum):
    """Whether calls are made."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Outcome(StrEnum):
    """What a call says of the other side's health."""

    SUCCESS = "success"
    FAILURE = "failure"
    ANSWERED = "answered"
    """A refusal: it is in no rate, but whoever can refuse is there, so it ends a probe well."""
    NEUTRAL = "neutral"
    """The call was cancelled, or never made: it says nothing."""


@dataclass(frozen=True, slots=True)
class BreakerSettings:
    """When to open: at `failure_ratio` of at least `calls_min` calls in the last `window_s`."""

    window_s: float
    calls_min: int
    failure_ratio: float
    break_first_s: float = BREAK_FIRST_S
    break_cap_s: float = BREAK_CAP_S

    def __post_init__(self) -> None:
        if not (self.window_s > 0 and self.calls_min >= 1 and 0 < self.failure_ratio <= 1):
            raise ValueError("a breaker needs a window, at least one call and a ratio up to 1")


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to make one call; its outcome must be recorded with it."""

    generation: int
    is_probe: bool


@dataclass(slots=True)
class _Bucket:
    number: int
    calls: int = 0
    failures: int = 0


class CircuitBreaker:
    """The state machine; it is told the time (monotonic seconds) and given its chance."""

    def __init__(self, settings: BreakerSettings, chance: Callable[[], float]) -> None:
        self._settings = settings
        self._chance = chance
        self._bucket_s = settings.window_s / BREAKER_BUCKETS
        self._buckets: deque[_Bucket] = deque(maxlen=BREAKER_BUCKETS)
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
            return Permit(self._generation, is_probe=False)
        if state is BreakerState.OPEN or self._probe_is_out:
            raise Rejected(RejectReason.BREAKER_OPEN)
        self._probe_is_out = True
        return Permit(self._generation, is_probe=True)

    def record(self, permit: Permit, outcome: Outcome, now_s: float) -> None:
        """Note how a call ended."""
        if permit.generation != self._generation:
            return
        if permit.is_probe:
            self._end_probe(outcome, now_s)
        elif outcome in {Outcome.SUCCESS, Outcome.FAILURE}:
            self._count(outcome, now_s)

    def _end_probe(self, outcome: Outcome, now_s: float) -> None:
        self._probe_is_out = False
        if outcome in {Outcome.SUCCESS, Outcome.ANSWERED}:
            self._generation += 1
            self._open_until_s = None
            self._closed_at_s = now_s
            self._buckets.clear()
        elif outcome is Outcome.FAILURE:
            self._open(now_s)

    def _count(self, outcome: Outcome, now_s: float) -> None:
        number = int(now_s // self._bucket_s)
        if not self._buckets or self._buckets[-1].number != number:
            self._buckets.append(_Bucket(number))
        self._buckets[-1].calls += 1
        self._buckets[-1].failures += outcome is Outcome.FAILURE
        recent = [bucket for bucket in self._buckets if bucket.number > number - BREAKER_BUCKETS]
        calls = sum(bucket.calls for bucket in recent)
        failures = sum(bucket.failures for bucket in recent)
        enough = calls >= self._settings.calls_min
        # A success may complete the number of calls, but never opens by itself.
        failing = outcome is Outcome.FAILURE and failures >= self._settings.failure_ratio * calls
        if enough and failing:
            self._open(now_s)

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
        self._buckets.clear()
