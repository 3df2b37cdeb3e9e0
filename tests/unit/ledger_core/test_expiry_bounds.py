"""The edges of the expiry queue: of a window, of its horizon, and of a time."""

import pytest

from tandem.ledger.core.expiry import Due, ExpiryQueue
from tandem.ledger.core.limits import EXPIRY_WINDOW_HOLDS


def _window(first_us: int = 1) -> list[Due]:
    return [Due(first_us + number, number) for number in range(EXPIRY_WINDOW_HOLDS)]


def test_a_full_window_ends_at_its_last_hold() -> None:
    """From that time on more may expire; a shorter window is all that there is."""
    queue = ExpiryQueue()
    queue.load(_window())
    last_us = EXPIRY_WINDOW_HOLDS
    assert (queue.stale(last_us - 1), queue.stale(last_us)) == (False, True)
    assert len(queue) == EXPIRY_WINDOW_HOLDS
    queue.add(Due(last_us, EXPIRY_WINDOW_HOLDS))
    assert len(queue) == EXPIRY_WINDOW_HOLDS
    queue.load(_window(last_us + 1)[1:])
    assert not queue.stale(10**15)


def test_a_window_begins_beyond_the_horizon_and_is_no_larger() -> None:
    """What is in already is not taken in again."""
    queue = ExpiryQueue()
    queue.load(_window())
    with pytest.raises(AssertionError):
        queue.load([queue.horizon])
    with pytest.raises(AssertionError):
        queue.load([*_window(10**9), Due(10**12, 1)])


def test_the_queue_is_cut_when_it_is_over_two_windows() -> None:
    """Two windows stay; one hold more, and the earliest window is what stays."""
    queue = ExpiryQueue()
    queue.load([])
    for number in range(2 * EXPIRY_WINDOW_HOLDS):
        queue.add(Due(number, number))
    assert len(queue) == 2 * EXPIRY_WINDOW_HOLDS
    queue.add(Due(10**9, 10**9))
    assert len(queue) == EXPIRY_WINDOW_HOLDS
    assert queue.horizon == Due(EXPIRY_WINDOW_HOLDS - 1, EXPIRY_WINDOW_HOLDS - 1)


def test_a_hold_is_due_at_its_time() -> None:
    """Not the microsecond before; looking leaves it there, taking does not."""
    queue = ExpiryQueue()
    assert (queue.peek(10), queue.pop(10), queue.next_us()) == (None, None, None)
    queue.load([Due(5, 2), Due(7, 1)])
    assert (queue.peek(4), queue.pop(4), queue.due(4)) == (None, None, [])
    assert (queue.peek(5), queue.peek(9), queue.next_us()) == (2, 2, 5)
    assert (queue.due(6), queue.due(7)) == ([Due(5, 2)], [Due(5, 2), Due(7, 1)])
    assert (queue.pop(5), queue.pop(6), queue.pop(7), len(queue)) == (2, None, 1, 0)
