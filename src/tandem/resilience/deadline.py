"""Until when an answer is worth anything."""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

type Clock = Callable[[], float]
"""Tells monotonic seconds."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point on a monotonic clock; it is handed down, and can only come nearer."""

    at_s: float
    clock: Clock = time.monotonic

    @classmethod
    def after_ms(cls, timeout_ms: float, clock: Clock = time.monotonic) -> Self:
        """Return the deadline that is so many milliseconds from now."""
        return cls(clock() + timeout_ms / 1_000, clock)

    def remaining_s(self) -> float:
        """Return the seconds that are left, 0 if none."""
        return max(0.0, self.at_s - self.clock())

    def remaining_ms(self) -> int:
        """Return the whole milliseconds that are left, 0 if none."""
        return math.floor(self.remaining_s() * 1_000)

    def expired(self) -> bool:
        """Tell whether no time is left."""
        return self.clock() >= self.at_s

    def sooner_ms(self, timeout_ms: float) -> "Deadline":
        """Return this deadline, or the one so many milliseconds from now if that is nearer."""
        return Deadline(min(self.at_s, self.clock() + timeout_ms / 1_000), self.clock)

    def scope(self) -> asyncio.Timeout:
        """Return a context that raises TimeoutError in its task at the deadline."""
        return asyncio.timeout(self.remaining_s())
