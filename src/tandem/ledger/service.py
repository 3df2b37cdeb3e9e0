"""The ledgers of one process: a writer each, started when first used, drained at the end."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from tandem.ledger.core import intake
from tandem.ledger.core.limits import MAX_LEDGERS_PER_PROCESS
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused
from tandem.ledger.feed import HeadWatcher
from tandem.ledger.local import LocalLedger
from tandem.ledger.signing import Signer
from tandem.ledger.storage.port import LedgerStore, StorageError
from tandem.ledger.writer import Writer
from tandem.platform.webhooks.sealing import SecretBox

_log: Final = logging.getLogger(__name__)


class LedgerService:
    """Ledgers by name over one store. Close it to drain the writers."""

    def __init__(
        self,
        store: LedgerStore,
        now_us: Callable[[], int],
        signer: Signer | None = None,
        webhook_key: bytes | None = None,
    ) -> None:
        self._store = store
        self._now_us = now_us
        self._signer = signer
        self._box = None if webhook_key is None else SecretBox(webhook_key)
        self._writers: dict[str, Writer] = {}
        self._ledgers: dict[str, LocalLedger] = {}
        self._watchers: list[HeadWatcher] = []
        self._opening = asyncio.Lock()

    async def create_ledger(self, name: str) -> LocalLedger:
        """Make a ledger, or return the one of that name."""
        try:
            await self._store.create(intake.ledger_name(name))
        except StorageError as error:
            raise _unavailable(error) from error
        return await self.ledger(name)

    async def ledger(self, name: str) -> LocalLedger:
        """Return a ledger; refused `ledger_not_found`."""
        found = self._ledgers.get(name)
        if found is not None:
            return found
        async with self._opening:
            return self._ledgers.get(name) or await self._open(intake.ledger_name(name))

    async def _open(self, name: str) -> LocalLedger:
        if len(self._ledgers) >= MAX_LEDGERS_PER_PROCESS:
            detail = f"this process serves at most {MAX_LEDGERS_PER_PROCESS} ledgers"
            raise Refused(Refusal(RefusalCode.OVERLOADED, detail, "ledger"))
        try:
            head = await self._store.head(name)
        except StorageError as error:
            raise _unavailable(error) from error
        if head is None:
            raise Refused(Refusal(RefusalCode.LEDGER_NOT_FOUND, f"no ledger {name}", "ledger"))
        watcher = HeadWatcher(self._store, name)
        writer = Writer(self._store, head, self._now_us, watcher.moved)
        writer.start()
        self._writers[name] = writer
        self._watchers.append(watcher)
        ledger = LocalLedger(
            self._store, head, writer, self._now_us, watcher, self._signer, self._box
        )
        self._ledgers[name] = ledger
        return ledger

    async def names(self) -> list[str]:
        """The names of all ledgers."""
        return [head.name for head in await self._store.heads()]

    def queued(self) -> dict[str, int]:
        """The weight of the commands that wait, by ledger."""
        return {name: writer.queued for name, writer in self._writers.items()}

    def end_feeds(self) -> None:
        """Answer those who wait for records, and end the streams; before the server drains."""
        for watcher in self._watchers:
            watcher.close()

    async def close(self) -> None:
        """Take no more commands, write what is queued, stop."""
        self.end_feeds()
        closing = (writer.close() for writer in self._writers.values())
        # Each drains, whatever becomes of another.
        for failed in await asyncio.gather(*closing, return_exceptions=True):
            if isinstance(failed, BaseException):
                _log.error("a ledger did not drain", exc_info=failed)


def _unavailable(error: StorageError) -> Refused:
    return Refused(Refusal(RefusalCode.UNAVAILABLE, str(error)))
