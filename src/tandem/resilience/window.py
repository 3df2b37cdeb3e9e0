"""Sums over the last while, kept in buckets so that they cost the same however much happened."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from tandem.resilience.limits import WINDOW_BUCKETS


@dataclass(slots=True)
class _Bucket:
    number: int
    sums: list[float]


class RollingSums:
    """A few sums over the last `window_s` seconds, right to a tenth of it.

    It is told the time (monotonic seconds); a time before the last one counts as the last one.
    """

    def __init__(self, window_s: float, width: int) -> None:
        if window_s <= 0:
            raise ValueError("a window has a length")
        self._bucket_s: Final = window_s / WINDOW_BUCKETS
        self._width: Final = width
        self._buckets: deque[_Bucket] = deque(maxlen=WINDOW_BUCKETS)

    def add(self, now_s: float, *amounts: float) -> None:
        """Add to each sum."""
        bucket = self._bucket(now_s)
        for index, amount in enumerate(amounts):
            bucket.sums[index] += amount

    def take_back(self, at_s: float, *amounts: float) -> None:
        """Undo an `add` of that time, if it is still remembered."""
        number = int(at_s // self._bucket_s)
        for bucket in self._buckets:
            if bucket.number == number:
                for index, amount in enumerate(amounts):
                    bucket.sums[index] -= amount

    def sums(self, now_s: float) -> tuple[float, ...]:
        """Return each sum."""
        oldest = self._number(now_s) - WINDOW_BUCKETS
        while self._buckets and self._buckets[0].number <= oldest:
            self._buckets.popleft()
        return tuple(
            sum(bucket.sums[index] for bucket in self._buckets) for index in range(self._width)
        )

    def clear(self) -> None:
        """Forget everything."""
        self._buckets.clear()

    def _number(self, now_s: float) -> int:
        number = int(now_s // self._bucket_s)
        return max(number, self._buckets[-1].number) if self._buckets else number

    def _bucket(self, now_s: float) -> _Bucket:
        number = self._number(now_s)
        if not self._buckets or self._buckets[-1].number != number:
            self._buckets.append(_Bucket(number, [0.0] * self._width))
        return self._buckets[-1]
