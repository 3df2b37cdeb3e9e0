"""What the state machines promise, whatever happens in whatever order."""

import random

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tandem.resilience.backoff import full_jitter_s
from tandem.resilience.breaker import BreakerSettings, BreakerState, CircuitBreaker, Permit
from tandem.resilience.budget import RetryBudget
from tandem.resilience.errors import Rejected
from tandem.resilience.hold_off import HoldOff
from tandem.resilience.outcome import Outcome

_SETTINGS = BreakerSettings(
    window_s=10.0, calls_min=5, failure_ratio=0.5, break_first_s=1.0, break_cap_s=8.0
)


class BreakerMachine(RuleBasedStateMachine):
    """Calls start, end and are refused while time goes by."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 50.0
        self.breaker = CircuitBreaker(_SETTINGS, random.Random(3).random)
        self.running: list[Permit] = []
        self.opened_s = 0.0

    @rule(seconds=st.floats(min_value=0, max_value=12))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds

    @rule()
    def start(self) -> None:
        """Ask for leave; an open breaker gives none, and a half-open one gives one."""
        state = self.breaker.state(self.now_s)
        probe_is_out = any(self._is_live_probe(permit) for permit in self.running)
        try:
            permit = self.breaker.acquire(self.now_s)
        except Rejected:
            assert state is not BreakerState.CLOSED
            assert state is BreakerState.OPEN or probe_is_out
            return
        assert state is not BreakerState.OPEN
        assert permit.is_probe == (state is BreakerState.HALF_OPEN)
        assert not (permit.is_probe and probe_is_out)
        self.running.append(permit)

    @precondition(lambda self: bool(self.running))
    @rule(data=st.data(), outcome=st.sampled_from(Outcome))
    def end(self, data: st.DataObject, outcome: Outcome) -> None:
        """End any running call; calls from before the last change change nothing."""
        index = data.draw(st.integers(0, len(self.running) - 1))
        permit = self.running.pop(index)
        before, is_current = self.breaker.state(self.now_s), self._is_current(permit)
        self.breaker.record(permit, outcome, self.now_s)
        after = self.breaker.state(self.now_s)
        if not is_current:
            assert after is before
        elif permit.is_probe:
            assert after is _after_probe(outcome)
        elif after is not before:
            assert (before, outcome, after) == (
                BreakerState.CLOSED,
                Outcome.FAILURE,
                BreakerState.OPEN,
            )
        if after is BreakerState.OPEN and before is not BreakerState.OPEN:
            self.opened_s = self.now_s

    @invariant()
    def breaks_are_bounded(self) -> None:
        """No break lasts longer than its cap, nor less than its least share of the first."""
        if self.breaker.state(self.now_s) is BreakerState.OPEN:
            assert self.now_s - self.opened_s < _SETTINGS.break_cap_s
            assert self.breaker.state(self.opened_s + 0.7) is BreakerState.OPEN

    def _is_current(self, permit: Permit) -> bool:
        return permit.generation == self.breaker._generation

    def _is_live_probe(self, permit: Permit) -> bool:
        return permit.is_probe and self._is_current(permit)


def _after_probe(outcome: Outcome) -> BreakerState:
    if outcome is Outcome.FAILURE:
        return BreakerState.OPEN
    if outcome is Outcome.NEUTRAL:
        return BreakerState.HALF_OPEN
    return BreakerState.CLOSED


TestBreaker = BreakerMachine.TestCase


@given(st.lists(st.sampled_from([Outcome.ANSWERED, Outcome.NEUTRAL]), max_size=200))
def test_refusals_and_cancellations_never_open(outcomes: list[Outcome]) -> None:
    """What says nothing of the provider's health does not count, however often it comes."""
    breaker = CircuitBreaker(_SETTINGS, lambda: 0.5)
    for number, outcome in enumerate(outcomes):
        now_s = number * 0.01
        breaker.record(breaker.acquire(now_s), outcome, now_s)
    assert breaker.state(2.0) is BreakerState.CLOSED


@given(
    calls=st.integers(0, 100),
    failures=st.integers(0, 100),
    seed=st.integers(0, 1_000),
)
def test_opens_exactly_at_ratio_and_minimum(calls: int, failures: int, seed: int) -> None:
    """It opens where half of enough calls failed, or 15 in a row, and never else."""
    outcomes = [Outcome.FAILURE] * failures + [Outcome.SUCCESS] * calls
    random.Random(seed).shuffle(outcomes)
    breaker = CircuitBreaker(_SETTINGS, lambda: 0.5)
    seen = failed = in_row = 0
    for outcome in outcomes:
        if breaker.state(5.0) is not BreakerState.CLOSED:
            break
        breaker.record(breaker.acquire(5.0), outcome, 5.0)
        seen, failed = seen + 1, failed + (outcome is Outcome.FAILURE)
        in_row = in_row + 1 if outcome is Outcome.FAILURE else 0
        half = outcome is Outcome.FAILURE and seen >= 5 and failed * 2 >= seen
        should_open = half or in_row == 15
        assert (breaker.state(5.0) is BreakerState.OPEN) == should_open


def test_old_failures_leave_the_window() -> None:
    """Failures from before the window do not count with those of today."""
    breaker = CircuitBreaker(_SETTINGS, lambda: 0.5)
    for now_s in (1.0, 1.0, 1.0, 1.0, 30.0, 30.0, 30.0, 30.0):
        breaker.record(breaker.acquire(now_s), Outcome.FAILURE, now_s)
    assert breaker.state(30.0) is BreakerState.CLOSED
    breaker.record(breaker.acquire(30.0), Outcome.FAILURE, 30.0)
    assert breaker.state(30.0) is BreakerState.OPEN


def test_breaks_grow_and_start_again_after_quiet() -> None:
    """Failing probes double the break up to its cap; after a quiet window it begins short again."""
    breaker, now_s, lengths_s = CircuitBreaker(_SETTINGS, lambda: 1.0), 0.0, []
    for _ in range(6):
        while breaker.state(now_s) is not BreakerState.OPEN:
            breaker.record(breaker.acquire(now_s), Outcome.FAILURE, now_s)
        start_s = now_s
        while breaker.state(now_s) is BreakerState.OPEN:
            now_s += 0.125
        lengths_s.append(now_s - start_s)
    assert lengths_s == [1, 2, 4, 8, 8, 8]
    breaker.record(breaker.acquire(now_s), Outcome.SUCCESS, now_s)
    now_s += 100
    for _ in range(5):
        breaker.record(breaker.acquire(now_s), Outcome.FAILURE, now_s)
    assert breaker.state(now_s + 0.9) is BreakerState.OPEN
    assert breaker.state(now_s + 1.0) is BreakerState.HALF_OPEN


@given(st.lists(st.booleans(), max_size=500))
def test_budget_bounds_retries(events: list[bool]) -> None:
    """Retries never exceed the burst and a tenth of the successes; the bucket stays in bounds."""
    budget = RetryBudget(10.0, 0.1)
    successes = retries = 0
    for is_success in events:
        if is_success:
            budget.earn()
            successes += 1
        else:
            retries += budget.spend()
        assert 0 <= budget.tokens <= 10
        assert retries <= 10 + 0.1 * successes + 1e-9


@given(attempt=st.integers(1, 10_000), chance=st.floats(0, 1))
def test_jitter_is_bounded(attempt: int, chance: float) -> None:
    """No wait is negative or above the cap."""
    assert 0 <= full_jitter_s(attempt, lambda: chance) <= 0.5


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 1e6)), max_size=20))
def test_hold_off_is_the_longest_wish(wishes: list[tuple[float, float]]) -> None:
    """The gate opens when the longest wish is over, a day at most, and not before."""
    hold_off, until_s = HoldOff(), float("-inf")
    for now_s, for_s in wishes:
        hold_off.close(now_s, for_s)
        until_s = max(until_s, now_s + min(for_s, 86_400.0))
        assert hold_off.remaining_s(now_s) == max(0.0, until_s - now_s)
