"""Waiting for records: one watcher of a ledger's head in a process, and streams that resume.

A log in commit order with gap-free positions is a change feed already: who knows the last position
it took needs nothing else. What is not here: reading the records (`local`), and the wire.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Final

from tandem.ledger.api import Record
from tandem.ledger.core import intake
from tandem.ledger.core.limits import FEED_POLL_MS, FOLLOW_ATTEMPTS, MAX_FEED_WAIT_MS
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused
from tandem.ledger.storage.port import LedgerStore, StorageError

_log: Final = logging.getLogger(__name__)
_TRANSIENT: Final = (RefusalCode.UNAVAILABLE, RefusalCode.OVERLOADED)


class HeadWatcher:
    """The last position of a ledger that this process knows of, shared by all who wait for more.

    The writer of this process tells at once. For other processes' records the head is polled, but
    only while somebody waits: a notification in every append would cost each of them a global lock.
    """

    def __init__(self, store: LedgerStore, name: str, *, poll_ms: int = FEED_POLL_MS) -> None:
        self._store = store
        self._name = name
        self._poll_ms = poll_ms
        self._position = 0
        self._waiting = 0
        self._moved = asyncio.Event()
        self._polling: asyncio.Task[None] | None = None
        self.closed = False

    def moved(self, position: int) -> None:
        """Take notice of a durable position, and wake everybody if it is news."""
        if position > self._position:
            self._position = position
            self._wake()

    async def beyond(self, position: int, wait_ms: int) -> bool:
        """Wait for records after a position; False where none came in time or the ledger closes."""
        self._waiting += 1
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_ms / 1000):
                    while self._position <= position and not self.closed:
                        self._poll()
                        await self._moved.wait()
        finally:
            self._waiting -= 1
        return self._position > position

    def close(self) -> None:
        """Wait for nothing any more; those who do are answered now. Idempotent."""
        self.closed = True
        self._wake()
        if self._polling is not None:
            self._polling.cancel()

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def _poll(self) -> None:
        if self._polling is None or self._polling.done():
            self._polling = asyncio.create_task(self._watch(), name=f"head of {self._name}")

    async def _watch(self) -> None:
        while self._waiting and not self.closed:
            try:
                head = await self._store.head(self._name)
            except StorageError as error:
                _log.warning("the head of %s cannot be read: %s", self._name, error)
            else:
                assert head is not None
                self.moved(head.position)
            await asyncio.sleep(self._poll_ms / 1000)


def start_position(after: object) -> int:
    """Check where a feed begins: a position, or 0 for the log's beginning; raises `Refused`."""
    return 0 if after == 0 and type(after) is int else intake.position(after, "after")


def checked_wait_ms(wait_ms: object) -> int:
    """Check how long to wait for records, in milliseconds; raises `Refused`."""
    if type(wait_ms) is int and 0 <= wait_ms <= MAX_FEED_WAIT_MS:
        return wait_ms
    detail = f"one waits 0 to {MAX_FEED_WAIT_MS} ms for records"
    raise Refused(Refusal(RefusalCode.MALFORMED, detail, "wait_ms"))


async def resumed(
    stream: Callable[[int], AsyncGenerator[Record]],
    after: int,
    *,
    pause_s: Callable[[int], float],
    over: Callable[[], bool],
) -> AsyncGenerator[Record]:
    """Join streams that begin after a position into one without a gap or a repetition.

    A stream that breaks off is opened again after the last record that was given. `over` tells
    whether an end is the end. Raises `Refused` where that is not for now, or too often in a row.
    """
    attempt = 0
    while True:
        try:
            async with aclosing(stream(after)) as records:
                async for record in records:
                    if record.position <= after:
                        continue
                    _check_next(record, after)
                    attempt, after = 0, record.position
                    yield record
        except Refused as error:
            if error.code not in _TRANSIENT or attempt + 1 >= FOLLOW_ATTEMPTS:
                raise
        if over():
            return
        attempt += 1
        await asyncio.sleep(pause_s(attempt))


def _check_next(record: Record, after: int) -> None:
    """Refuse a gap: a stream that skipped is opened again at the last position that is sure."""
    if record.position != after + 1:
        detail = f"the stream went from {after} to {record.position}"
        raise Refused(Refusal(RefusalCode.UNAVAILABLE, detail))
