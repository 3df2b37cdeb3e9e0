"""The breaker: slow calls, hard outages, and an outage that comes and goes."""

import random
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from tandem.resilience.breaker import BreakerSettings, BreakerState, CircuitBreaker
from tandem.resilience.errors import Rejected
from tandem.resilience.outcome import Outcome

_USUAL = BreakerSettings(window_s=10.0, calls_min=20, failure_ratio=0.8)
_SLOW = BreakerSettings(10.0, 4, 0.5, slow_s=2.0, slow_ratio=0.75)


def _call(breaker: CircuitBreaker, at_s: float, took_s: float, outcome: Outcome) -> BreakerState:
    breaker.record(breaker.acquire(at_s), outcome, at_s + took_s)
    return breaker.state(at_s + took_s)


def test_slow_calls_open_though_they_succeed() -> None:
    """Three slow calls of four are too many; a call is slow from its bound on."""
    breaker = CircuitBreaker(_SLOW, lambda: 1.0)
    assert _call(breaker, 0.0, 2.0, Outcome.SUCCESS) is BreakerState.CLOSED
    assert _call(breaker, 0.0, 2.5, Outcome.SUCCESS) is BreakerState.CLOSED
    assert _call(breaker, 1.0, 1.9, Outcome.SUCCESS) is BreakerState.CLOSED
    assert _call(breaker, 1.0, 2.0, Outcome.SUCCESS) is BreakerState.OPEN


def test_a_fast_call_never_opens_by_slowness() -> None:
    """It may complete the number of calls, but it is no reason itself."""
    breaker = CircuitBreaker(_SLOW, lambda: 1.0)
    for _ in range(3):
        _call(breaker, 0.0, 2.0, Outcome.SUCCESS)
    assert _call(breaker, 2.0, 0.1, Outcome.SUCCESS) is BreakerState.CLOSED
    assert _call(breaker, 2.0, 2.0, Outcome.SUCCESS) is BreakerState.OPEN


def test_a_slow_probe_opens_again() -> None:
    """Whoever answers late is not back."""
    breaker = CircuitBreaker(_SLOW, lambda: 1.0)
    for _ in range(4):
        state = _call(breaker, 0.0, 2.0, Outcome.SUCCESS)
    assert state is BreakerState.OPEN
    assert _call(breaker, 3.0, 2.0, Outcome.SUCCESS) is BreakerState.OPEN
    assert _call(breaker, 7.0, 0.1, Outcome.SUCCESS) is BreakerState.CLOSED


def test_cancelled_calls_are_not_slow() -> None:
    """A caller who went away says nothing, however long it had waited."""
    breaker = CircuitBreaker(_SLOW, lambda: 1.0)
    for _ in range(20):
        assert _call(breaker, 0.0, 9.0, Outcome.NEUTRAL) is BreakerState.CLOSED


def test_failures_in_a_row_open_before_the_ratio_does() -> None:
    """After many good calls an outage is noticed by its 15th failure; 14 and a good one are not."""
    breaker = CircuitBreaker(_USUAL, lambda: 1.0)
    for _ in range(100):
        _call(breaker, 0.0, 0.1, Outcome.SUCCESS)
    for _ in range(14):
        assert _call(breaker, 1.0, 0.1, Outcome.FAILURE) is BreakerState.CLOSED
    assert _call(breaker, 1.0, 0.1, Outcome.SUCCESS) is BreakerState.CLOSED
    for _ in range(14):
        assert _call(breaker, 2.0, 0.1, Outcome.FAILURE) is BreakerState.CLOSED
    assert _call(breaker, 2.0, 0.1, Outcome.FAILURE) is BreakerState.OPEN


@pytest.mark.parametrize(
    "settings",
    [
        BreakerSettings(10.0, 10, 0.5, slow_s=0.5, slow_ratio=0.5),
        BreakerSettings(10.0, 10, 0.5, failures_in_row=5),
    ],
)
def test_what_began_before_a_change_tells_nothing(settings: BreakerSettings) -> None:
    """Calls from before an opening end during it, and after it, without effect."""
    breaker = CircuitBreaker(settings, lambda: 1.0)
    early = [breaker.acquire(0.0) for _ in range(30)]
    late = early[10:]
    for permit in early[:10]:
        breaker.record(permit, Outcome.FAILURE, 0.4)
    assert breaker.state(0.5) is BreakerState.OPEN
    for permit in late[:10]:
        breaker.record(permit, Outcome.SUCCESS, 0.6)
    assert breaker.state(0.6) is BreakerState.OPEN
    assert _call(breaker, 1.5, 0.1, Outcome.SUCCESS) is BreakerState.CLOSED
    for permit in late[10:]:
        breaker.record(permit, Outcome.FAILURE, 1.7)
    assert breaker.state(1.7) is BreakerState.CLOSED


@dataclass(slots=True)
class _Wave:
    """Ten calls a second to a provider that is up and down in turns."""

    breaker: CircuitBreaker
    now_s: float = 0.0
    made_at_s: list[float] = field(default_factory=list)

    def run(self, seconds: float, outcome: Outcome) -> None:
        """Let so much time pass; leaves the times at which calls were made."""
        self.made_at_s = []
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.now_s += 0.1
            try:
                permit = self.breaker.acquire(self.now_s)
            except Rejected:
                continue
            self.breaker.record(permit, outcome, self.now_s)
            self.made_at_s.append(self.now_s)


def test_an_outage_that_comes_and_goes() -> None:
    """Over 200 cycles: opens within 20 calls, probes once a break, is back in 10 s, no flapping."""
    wave = _Wave(CircuitBreaker(_USUAL, random.Random(7).random))
    for _ in range(200):
        start_s = wave.now_s
        wave.run(30.0, Outcome.FAILURE)
        before = [at_s for at_s in wave.made_at_s if at_s <= start_s + 2.0]
        assert len(before) <= 20
        assert wave.breaker.state(start_s + 2.0) is not BreakerState.CLOSED
        probes = wave.made_at_s[len(before) :]
        gaps_s = [late - early for early, late in pairwise(probes)]
        assert all(gap_s >= 0.75 for gap_s in gaps_s)
        up_s = wave.now_s
        wave.run(60.0, Outcome.SUCCESS)
        assert wave.made_at_s[0] <= up_s + 10.0
        # Every call is made from the first answer on.
        assert len(wave.made_at_s) >= (wave.now_s - wave.made_at_s[0]) * 10 - 1


@pytest.mark.parametrize(
    "arguments",
    [
        {"window_s": 0.0},
        {"calls_min": 0},
        {"failure_ratio": 0.0},
        {"failure_ratio": 1.1},
        {"slow_ratio": 0.0},
        {"slow_s": 0.0},
        {"failures_in_row": 0},
    ],
)
def test_senseless_settings_are_refused(arguments: dict[str, float]) -> None:
    """A breaker that could never or always open is a mistake."""
    usual: dict[str, float] = {"window_s": 10.0, "calls_min": 10, "failure_ratio": 0.5}
    with pytest.raises(ValueError, match="breaker"):
        BreakerSettings(**(usual | arguments))  # type: ignore[arg-type]  # wrong on purpose
