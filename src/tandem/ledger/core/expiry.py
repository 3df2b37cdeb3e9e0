"""The queue of holds that will expire: the earliest ones, in order, loaded window by window."""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

from tandem.ledger.core.limits import EXPIRY_WINDOW_HOLDS, MAX_TIME_US


class Due(NamedTuple):
    """A hold and when it expires."""

    expires_at_us: int
    position: int


_START: Final = Due(-1, 0)
_END: Final = Due(MAX_TIME_US + 1, 0)


class ExpiryQueue:
    """Holds up to and with a horizon; those beyond it are left in the store until then."""

    def __init__(self) -> None:
        self._heap: list[Due] = []
        self.horizon = _START

    def __len__(self) -> int:
        return len(self._heap)

    def load(self, beyond: Sequence[Due]) -> None:
        """Take the next window in: the store's holds beyond the horizon, the earliest first."""
        assert len(beyond) <= EXPIRY_WINDOW_HOLDS
        assert not beyond or beyond[0] > self.horizon
        self._heap.extend(beyond)
        heapify(self._heap)
        self.horizon = beyond[-1] if len(beyond) == EXPIRY_WINDOW_HOLDS else _END

    def add(self, due: Due) -> None:
        """Take a new hold in, unless it is for a later window."""
        if due > self.horizon:
            return
        heappush(self._heap, due)
        if len(self._heap) > 2 * EXPIRY_WINDOW_HOLDS:
            self._heap = sorted(self._heap)[:EXPIRY_WINDOW_HOLDS]
            self.horizon = self._heap[-1]

    def stale(self, until_us: int) -> bool:
        """True where holds beyond the horizon may expire by a time."""
        return self.horizon.expires_at_us <= until_us

    def next_us(self) -> int | None:
        """When the next hold expires, as far as the horizon."""
        return self._heap[0].expires_at_us if self._heap else None

    def due(self, until_us: int) -> list[Due]:
        """The holds that expire by a time, the earliest first."""
        found: list[Due] = []
        ahead = [0]
        # Down the heap and no further than what is due: no child is before its parent.
        while ahead:
            index = ahead.pop()
            if index < len(self._heap) and self._heap[index].expires_at_us <= until_us:
                found.append(self._heap[index])
                ahead += (2 * index + 1, 2 * index + 2)
        return sorted(found)

    def peek(self, now_us: int) -> int | None:
        """The position of the earliest hold that has expired by now, if any."""
        if self._heap and self._heap[0].expires_at_us <= now_us:
            return self._heap[0].position
        return None

    def pop(self, now_us: int) -> int | None:
        """Take out the position of the earliest hold that has expired by now, if any."""
        if self._heap and self._heap[0].expires_at_us <= now_us:
            return heappop(self._heap).position
        return None
