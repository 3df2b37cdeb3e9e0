"""Rolling sums against a plain list of everything that was added."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.resilience.concurrency import ConcurrencyLimit
from tandem.resilience.errors import Rejected
from tandem.resilience.window import RollingSums


@given(st.lists(st.tuples(st.floats(0, 8), st.integers(0, 9)), max_size=60))
def test_sums_are_right_to_a_tenth_of_the_window(steps: list[tuple[float, int]]) -> None:
    """Nothing of the last nine tenths is missing, and nothing older than the window is there."""
    window, now_s, added = RollingSums(10.0, 2), 1_000.0, list[tuple[float, int]]()
    for seconds, amount in steps:
        now_s += seconds
        window.add(now_s, amount, 1)
        added.append((now_s, amount))
        recent = [amount for at_s, amount in added if at_s > now_s - 9.0]
        within = [amount for at_s, amount in added if at_s > now_s - 10.0]
        amounts, count = window.sums(now_s)
        assert sum(recent) <= amounts <= sum(within)
        assert len(recent) <= count <= len(within)


@given(st.lists(st.floats(0, 3), min_size=1, max_size=40))
def test_what_is_taken_back_leaves_no_trace(waits_s: list[float]) -> None:
    """While it is remembered, and after it was forgotten."""
    window, now_s, times_s = RollingSums(10.0, 1), 0.0, list[float]()
    for wait_s in waits_s:
        now_s += wait_s
        window.add(now_s, 1)
        times_s.append(now_s)
    for at_s in times_s:
        window.take_back(at_s, 1)
    assert window.sums(now_s) == (0.0,)


def test_a_window_has_a_length() -> None:
    """None is a mistake."""
    with pytest.raises(ValueError, match="window"):
        RollingSums(0.0, 1)


@given(st.integers(1, 5), st.lists(st.booleans(), max_size=50))
def test_a_fixed_limit_counts(limit: int, steps: list[bool]) -> None:
    """Never more in flight than its bound, and never a place lost."""
    places, held = ConcurrencyLimit(limit), 0
    for is_start in steps:
        if is_start and held == limit:
            with pytest.raises(Rejected):
                places.acquire()
        elif is_start:
            places.acquire()
            held += 1
        elif held:
            places.release()
            held -= 1
        assert places.in_flight == held
