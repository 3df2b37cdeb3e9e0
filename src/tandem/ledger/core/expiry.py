"""The queue of holds that will expire: a bounded window of the earliest ones, in order."""

from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from tandem.ledger.core.limits import EXPIRY_WINDOW_HOLDS, MAX_TIME_US


class Due(NamedTuple):
    """A hold and when it expires."""

    expires_at_us: int
    position: int


class ExpiryQueue:
    """Holds that expire up to `horizon_us`; later ones are left in the store until then."""

    def __init__(self) -> None:
        self._heap: list[Due] = []
        self.horizon_us = 0

    def load(self, earliest: Iterable[Due]) -> None:
        """Start over from the store's open holds in order of expiry, at most a window of them."""
        self._heap = list(earliest)
        assert len(self._heap) <= EXPIRY_WINDOW_HOLDS
        full = len(self._heap) == EXPIRY_WINDOW_HOLDS
        self.horizon_us = self._heap[-1].expires_at_us if full else MAX_TIME_US
        heapify(self._heap)

    def add(self, due: Due) -> None:
        """Take a new hold in, unless it is for a later window."""
        if due.expires_at_us > self.horizon_us:
            return
        heappush(self._heap, due)
        if len(self._heap) > 2 * EXPIRY_WINDOW_HOLDS:
            self._heap = sorted(self._heap)[:EXPIRY_WINDOW_HOLDS]
            self.horizon_us = self._heap[-1].expires_at_us

    def stale(self, until_us: int) -> bool:
        """True where holds beyond the window may expire by a time, so it must be loaded again."""
        return self.horizon_us <= until_us

    def next_us(self) -> int | None:
        """When the next hold expires, as far as the window knows."""
        return self._heap[0].expires_at_us if self._heap else None

    def due(self, until_us: int) -> list[int]:
        """Positions of the holds that expire by a time, the earliest first."""
        if not self._heap or self._heap[0].expires_at_us > until_us:
            return []
        return [due.position for due in sorted(self._heap) if due.expires_at_us <= until_us]

    def pop(self, now_us: int) -> int | None:
        """Take out the position of the earliest hold that has expired by now, if any."""
        if self._heap and self._heap[0].expires_at_us <= now_us:
            return heappop(self._heap).position
        return None
