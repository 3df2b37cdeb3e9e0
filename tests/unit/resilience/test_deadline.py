"""Deadlines only come nearer."""

import pytest
from tests.support.routing import VirtualClock

from tandem.resilience.deadline import Deadline


def test_a_deadline_runs_out_and_not_below() -> None:
    """What is left goes down with the clock and stays at nothing."""
    clock = VirtualClock()
    deadline = Deadline.after_ms(1_500, clock)
    assert deadline.remaining_ms() == 1_500
    clock.advance(1.0)
    assert deadline.remaining_s() == 0.5
    assert not deadline.expired()
    clock.advance(9.0)
    assert deadline.remaining_s() == 0
    assert deadline.expired()


def test_a_share_of_a_deadline_is_never_later() -> None:
    """A shorter time is granted, a longer one is not."""
    clock = VirtualClock()
    deadline = Deadline.after_ms(1_000, clock)
    assert deadline.sooner_ms(400).remaining_s() == pytest.approx(0.4)
    assert deadline.sooner_ms(4_000).remaining_ms() == 1_000
    assert deadline.sooner_ms(-1).expired()
