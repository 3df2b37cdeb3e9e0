"""A small file that is looked at again and again, and whose last good state stays in force.

Replace such a file by a rename, so that nobody ever sees half of it.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from prometheus_client import Gauge

from tandem.platform.errors import SettingsError
from tandem.platform.limits import WATCHED_FILE_BYTES_MAX, WATCHED_FILE_POLL_S

_log: Final = logging.getLogger(__name__)


class WatchedFile[T]:
    """What a file says; `parse` raises ValueError where it makes no sense.

    `broken` is set to 1 while the file is broken and the last good state is in force. The text is
    never told, since it may be secret. Raises SettingsError where it is broken at the start.
    """

    def __init__(self, path: Path, parse: Callable[[bytes], T], broken: Gauge) -> None:
        self._path = path
        self._parse = parse
        self._broken = broken
        self._text = self._read()
        self.current: T = self._parsed(self._text)

    def reload(self) -> bool:
        """Take a changed file into force; return whether that was done."""
        try:
            text = self._read()
            if text == self._text:
                self._broken.set(0)
                return False
            self.current = self._parsed(text)
        except SettingsError as error:
            self._broken.set(1)
            _log.error("%s; the last good state stays in force", error)
            return False
        self._text = text
        self._broken.set(0)
        _log.warning("%s is in force", self._path.name)
        return True

    async def watch(self) -> None:
        """Look for changes until cancelled."""
        while True:
            await asyncio.sleep(WATCHED_FILE_POLL_S)
            await asyncio.to_thread(self.reload)

    def _read(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                text = file.read(WATCHED_FILE_BYTES_MAX + 1)
        except OSError as error:
            raise SettingsError(f"{self._path}: {error.strerror}") from error
        if len(text) > WATCHED_FILE_BYTES_MAX:
            raise SettingsError(f"{self._path} has more than {WATCHED_FILE_BYTES_MAX} bytes")
        return text

    def _parsed(self, text: bytes) -> T:
        try:
            return self._parse(text)
        except (ValueError, RecursionError) as error:
            raise SettingsError(f"{self._path}: {error}") from None  # its cause has the text
