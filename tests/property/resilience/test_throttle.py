"""The adaptive throttle: never too much, never for nothing, and soon over."""

import random
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tandem.resilience.breaker import BreakerSettings, CircuitBreaker
from tandem.resilience.errors import Rejected, RejectReason
from tandem.resilience.outcome import Outcome
from tandem.resilience.throttle import AdaptiveThrottle, Passage

_MULTIPLIER, _ALLOWANCE = 2.0, 5.0


class ThrottleMachine(RuleBasedStateMachine):
    """Calls start and end in any order within one window, so that a plain count is the model."""

    def __init__(self) -> None:
        super().__init__()
        self.throttle = AdaptiveThrottle(
            lambda: 1.0, multiplier=_MULTIPLIER, window_s=1e6, allowance=_ALLOWANCE
        )
        self.now_s = 0.0
        self.running: list[Passage] = []
        self.requests = self.accepts = 0

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds

    @rule()
    def start(self) -> None:
        """Start a call: chance 1 is never below a probability."""
        self.running.append(self.throttle.acquire(self.now_s))
        self.requests += 1

    @precondition(lambda self: bool(self.running))
    @rule(data=st.data(), outcome=st.sampled_from(Outcome))
    def end(self, data: st.DataObject, outcome: Outcome) -> None:
        """End any running call."""
        passage = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        self.throttle.record(passage, outcome, self.now_s)
        self.accepts += outcome in {Outcome.SUCCESS, Outcome.ANSWERED}
        self.requests -= outcome is Outcome.NEUTRAL

    @invariant()
    def probability_is_the_formula(self) -> None:
        """What said nothing is in neither sum, so cancelled calls leave no trace."""
        excess = self.requests - _ALLOWANCE - _MULTIPLIER * self.accepts
        expected = max(0.0, excess / (self.requests + 1))
        assert self.throttle.rejection_probability(self.now_s) == pytest.approx(expected)
        assert 0 <= expected < 1


TestThrottle = ThrottleMachine.TestCase


@given(st.lists(st.integers(1, 20), max_size=60))
def test_healthy_traffic_is_never_rejected(bursts: list[int]) -> None:
    """Bursts that all succeed pass, the first too; chance 0 rejects at any probability."""
    throttle, now_s = AdaptiveThrottle(lambda: 0.0), 0.0
    for burst in bursts:
        passages = [throttle.acquire(now_s) for _ in range(burst)]
        now_s += 1.0
        for passage in passages:
            throttle.record(passage, Outcome.SUCCESS, now_s)


def _offer(
    throttle: AdaptiveThrottle, start_s: float, seconds: float, fails: Callable[[], bool]
) -> list[float]:
    """Offer ten calls a second; returns when calls were rejected."""
    rejected = []
    for tick in range(round(seconds * 10)):
        now_s = start_s + tick / 10
        try:
            passage = throttle.acquire(now_s)
        except Rejected:
            rejected.append(now_s)
            continue
        throttle.record(passage, Outcome.FAILURE if fails() else Outcome.SUCCESS, now_s)
    return rejected


@pytest.mark.parametrize(
    ("failing", "at_least", "at_most"), [(0.0, 0, 0), (0.3, 0, 0), (0.6, 0.1, 0.3), (1.0, 0.8, 1)]
)
def test_rejects_in_proportion(failing: float, at_least: float, at_most: float) -> None:
    """Nothing up to half failing, a fifth at 60 %, and most calls in an outage."""
    chance = random.Random(5)
    throttle = AdaptiveThrottle(chance.random)
    _offer(throttle, 0.0, 240.0, lambda: chance.random() < failing)
    share = len(_offer(throttle, 240.0, 600.0, lambda: chance.random() < failing)) / 6_000
    assert at_least <= share <= at_most


def test_is_over_soon_after_an_outage() -> None:
    """Alone, after ten minutes of failures, 90 % passes again after 20 s: not after the window."""
    throttle = AdaptiveThrottle(random.Random(5).random)
    _offer(throttle, 0.0, 60.0, lambda: False)
    _offer(throttle, 60.0, 600.0, lambda: True)
    rejected = _offer(throttle, 660.0, 30.0, lambda: False)
    assert len([at_s for at_s in rejected if at_s >= 680.0]) <= 10


def test_with_a_breaker_behind_it_is_over_sooner() -> None:
    """What the breaker rejects is taken back, so an outage leaves little: 95 % after 10 s."""
    chance = random.Random(5).random
    throttle = AdaptiveThrottle(chance)
    breaker = CircuitBreaker(BreakerSettings(10.0, 20, 0.8), chance)
    passed = 0
    for tick in range(7_000):
        now_s = tick / 10
        outcome = Outcome.FAILURE if 60 <= now_s < 660 else Outcome.SUCCESS
        with suppress(Rejected):
            passage = throttle.acquire(now_s)
            try:
                breaker.record(breaker.acquire(now_s), outcome, now_s)
            except Rejected:
                outcome = Outcome.NEUTRAL
            throttle.record(passage, outcome, now_s)
            passed += now_s >= 670 and outcome is Outcome.SUCCESS
    assert passed >= 0.95 * 300


def test_says_who_rejected() -> None:
    """The reason names the throttle."""
    throttle = AdaptiveThrottle(lambda: 0.0, allowance=0.0)
    throttle.acquire(0.0)
    with pytest.raises(Rejected) as rejected:
        throttle.acquire(0.0)
    assert rejected.value.reason is RejectReason.THROTTLE


def test_a_multiplier_below_one_is_refused() -> None:
    """It would reject what would be accepted."""
    with pytest.raises(ValueError, match="multiplier"):
        AdaptiveThrottle(lambda: 1.0, multiplier=0.9)
