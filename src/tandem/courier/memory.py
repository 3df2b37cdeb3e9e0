"""Watches how much memory a set of processes takes, and remembers the most."""

import threading
from collections.abc import Callable
from typing import Self

from tandem.courier.limits import MEMORY_SAMPLE_INTERVAL_S


class PeakMemory:
    """A context manager that calls `measure` (bytes) from a thread, at a fixed interval."""

    def __init__(self, measure: Callable[[], int]) -> None:
        self._measure = measure
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak memory", daemon=True)
        self._peak_bytes = 0

    @property
    def peak_bytes(self) -> int:
        """The most that was seen, now included."""
        self._sample()
        return self._peak_bytes

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Watch no longer."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(MEMORY_SAMPLE_INTERVAL_S):
            self._sample()

    def _sample(self) -> None:
        self._peak_bytes = max(self._peak_bytes, self._measure())
