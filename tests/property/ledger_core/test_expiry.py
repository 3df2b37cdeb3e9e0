"""The expiry queue against a sorted list, over a store that gives windows."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from tandem.ledger.core import expiry
from tandem.ledger.core.expiry import Due, ExpiryQueue

_WINDOW = 4
_times = st.integers(0, 30)


@contextmanager
def _small_windows() -> Iterator[None]:
    with patch.object(expiry, "EXPIRY_WINDOW_HOLDS", _WINDOW):
        yield


@given(
    st.lists(_times, max_size=20),
    st.lists(st.tuples(st.integers(0, 6), st.lists(_times, max_size=4)), max_size=12),
)
def test_every_hold_comes_out_once_and_in_order(
    stored: list[int], steps: list[tuple[int, list[int]]]
) -> None:
    """However windows fall and holds arrive, what has expired by a time comes out by then."""
    holds = [Due(time_us, position) for position, time_us in enumerate(stored)]
    expected, came, now_us = sorted(holds), list[int](), 0
    queue = ExpiryQueue()
    with _small_windows():
        for passed_us, new in [*steps, (100, [])]:
            now_us += passed_us
            for time_us in new:
                due = Due(now_us + 1 + time_us, len(holds))
                holds.append(due)
                expected = sorted([*expected, due])
                queue.add(due)
            _load(queue, holds, now_us)
            assert queue.due(now_us) == [due for due in expected if due.expires_at_us <= now_us]
            while (position := queue.pop(now_us)) is not None:
                came.append(position)
                assert expected.pop(0).position == position
            assert not expected or expected[0].expires_at_us > now_us
            assert queue.next_us() is None or queue.next_us() == expected[0].expires_at_us
    assert sorted(came) == list(range(len(holds)))


def _load(queue: ExpiryQueue, holds: list[Due], until_us: int) -> None:
    while queue.stale(until_us):
        beyond = sorted(due for due in holds if due > queue.horizon)
        queue.load(beyond[:_WINDOW])


def test_the_queue_is_bounded() -> None:
    """Twice a window is kept at most; later ones are left to the store again."""
    queue = ExpiryQueue()
    with _small_windows():
        queue.load([])
        for position in range(100):
            queue.add(Due(1_000 - position, position))
            assert len(queue) <= 2 * _WINDOW
        assert queue.stale(1_000)
        assert queue.next_us() == 901


def test_nothing_is_known_at_first() -> None:
    """A new queue is stale at once, takes nothing in and lets nothing out."""
    queue = ExpiryQueue()
    queue.add(Due(5, 1))
    assert queue.stale(0)
    assert (queue.next_us(), queue.pop(10), queue.due(10), len(queue)) == (None, None, [], 0)
