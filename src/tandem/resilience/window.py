"""Sums over the last while, kept in buckets so that they cost the same however much happened."""

from collections import deque
from collections.abc import Iterable
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
    The totals are kept beside the buckets: amounts are small whole numbers, so no error gathers.
    """

    def __init__(self, window_s: float, width: int) -> None:
        if window_s <= 0:
            raise ValueError("a window has a length")
        self._bucket_s: Final = window_s / WINDOW_BUCKETS
        self._buckets: deque[_Bucket] = deque()
        self._totals = [0.0] * width

    def add(self, now_s: float, *amounts: float) -> None:
        """Add to each sum."""
        number = self._forget(now_s)
        if not self._buckets or self._buckets[-1].number != number:
            self._buckets.append(_Bucket(number, [0.0] * len(self._totals)))
        self._change(self._buckets[-1], amounts, 1)

    def take_back(self, at_s: float, *amounts: float) -> None:
        """Undo an `add` of that time, if it is still remembered."""
        number = int(at_s // self._bucket_s)
        for bucket in self._buckets:
            if bucket.number == number:
                self._change(bucket, amounts, -1)

    def sums(self, now_s: float) -> tuple[float, ...]:
        """Return each sum."""
        self._forget(now_s)
        return tuple(self._totals)

    def clear(self) -> None:
        """Forget everything."""
        self._buckets.clear()
        self._totals = [0.0] * len(self._totals)

    def _change(self, bucket: _Bucket, amounts: Iterable[float], sign: int) -> None:
        for index, amount in enumerate(amounts):
            bucket.sums[index] += sign * amount
            self._totals[index] += sign * amount

    def _forget(self, now_s: float) -> int:
        """Drop what is too old; returns the number of the present bucket."""
        number = int(now_s // self._bucket_s)
        if self._buckets:
            number = max(number, self._buckets[-1].number)
        while self._buckets and self._buckets[0].number <= number - WINDOW_BUCKETS:
            for index, amount in enumerate(self._buckets.popleft().sums):
                self._totals[index] -= amount
        return number
