"""Rates and credits, with time as a number."""

import pytest

from tandem.sandbox.metering import CreditWindow, Gcra


def test_burst_then_even_rate() -> None:
    """A full burst passes at once; after it one passes each time an interval has gone by."""
    rate = Gcra(burst=4, window_s=2.0)
    assert [rate.take(100.0) for _ in range(4)] == [0.0] * 4
    assert rate.take(100.0) == pytest.approx(0.5)
    assert rate.take(100.5) == 0.0
    assert rate.take(100.6) == pytest.approx(0.4)


def test_refused_take_costs_nothing() -> None:
    """Asking too early does not push the next chance away."""
    rate = Gcra(burst=1, window_s=1.0)
    assert rate.take(0.0) == 0.0
    for _ in range(100):
        assert rate.take(0.5) == pytest.approx(0.5)
    assert rate.take(1.0) == 0.0


def test_remaining_counts_down_and_recovers() -> None:
    """What remains is what could be taken at once."""
    rate = Gcra(burst=10, window_s=1.0)
    assert rate.remaining(5.0) == 10
    for left in range(9, -1, -1):
        rate.take(5.0)
        assert rate.remaining(5.0) == left
    assert rate.remaining(5.3) == 3
    assert rate.remaining(6.0) == 10


def test_credits_are_used_up_and_come_back_whole() -> None:
    """Credits go down to what is left, refuse more, and are full again when the window ends."""
    window = CreditWindow(quota=5, window_s=60.0)
    assert window.reserve(10.0, 3)
    assert not window.reserve(20.0, 3)
    assert window.remaining(20.0) == 2
    assert window.reset_s(20.0) == 50.0
    assert window.reserve(20.0, 2)
    assert window.remaining(69.9) == 0
    assert window.remaining(70.0) == 5
    assert window.reserve(70.0, 5)


def test_credits_given_back_can_be_used() -> None:
    """Work that was not done costs nothing, and never more comes back than went."""
    window = CreditWindow(quota=2, window_s=60.0)
    assert window.reserve(0.0, 2)
    window.give_back(2)
    window.give_back(2)
    assert window.remaining(0.0) == 2
