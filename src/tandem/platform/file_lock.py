"""Advisory file locks that the kernel frees with the process, `kill -9` included."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from tandem.platform.limits import FILE_LOCK_POLL_S


class FileLock:
    """One open file description on a lock file; shared or exclusive `flock` on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def try_lock(self, *, shared: bool) -> bool:
        """Take the lock, or turn a held one shared or exclusive; False where others hold it."""
        operation = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
        while True:
            if self._descriptor is None:
                self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(self._descriptor, operation)
            except BlockingIOError:
                return False
            if self._is_current():
                return True
            # The last holder removed the file while we waited for it: lock the new one.
            self.unlock()

    def lock(self, *, timeout_s: float) -> bool:
        """Take the lock exclusively within `timeout_s`; False where that did not come."""
        deadline = time.monotonic() + timeout_s
        while not self.try_lock(shared=False):
            if time.monotonic() >= deadline:
                self.unlock()
                return False
            time.sleep(FILE_LOCK_POLL_S)
        return True

    def unlock(self) -> None:
        """Let go; harmless where nothing is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def remove(self) -> None:
        """Remove the lock file; only the exclusive holder may."""
        self.path.unlink(missing_ok=True)

    def _is_current(self) -> bool:
        assert self._descriptor is not None  # noqa: S101 - called with the file open only
        try:
            named = self.path.stat()
        except FileNotFoundError:
            return False
        opened = os.fstat(self._descriptor)
        return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.unlock()


@contextmanager
def exclusive(path: Path, *, timeout_s: float) -> Iterator[FileLock]:
    """Hold the file's exclusive lock; TimeoutError where it is not to be had in time."""
    with FileLock(path) as lock:
        if not lock.lock(timeout_s=timeout_s):
            raise TimeoutError(f"another process holds {path} for longer than {timeout_s:.0f} s")
        yield lock
