"""Runs an import: items in batches to a ledger, what is refused to a report.

Batches go one after the other, because a later line may need an earlier one (an account before its
transfers) and a refusal is for ever. While one is written, the next is read.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from tandem.ledger.api import Ledger, Receipt
from tandem.ledger.core.commands import SingleCommand
from tandem.ledger.core.refusals import RefusalCode, Refused
from tandem.ledger.exchange.limits import (
    MAX_COMMANDS_PER_BATCH,
    MAX_ENTRIES_PER_BATCH,
    MAX_LINE_BYTES_PER_BATCH,
)
from tandem.ledger.exchange.lines import BadLine
from tandem.ledger.exchange.parsing import Item, Parser
from tandem.ledger.exchange.records import Positions
from tandem.platform.errors import PlatformError

# Nothing is stored under the key, so the same line can come again.
_TRANSIENT: Final = (RefusalCode.OVERLOADED, RefusalCode.UNAVAILABLE)


class ImportStopped(PlatformError):  # noqa: N818 - a state of the import, named as one
    """The ledger could not go on; running the import again resumes it."""


@dataclass(slots=True)
class Summary:
    """What became of the lines. `replayed` ones had been accepted by an earlier run."""

    accepted: int = 0
    replayed: int = 0
    refused: int = 0
    skipped: int = 0

    @property
    def lines(self) -> int:
        """All lines (rows, of a CSV)."""
        return self.accepted + self.replayed + self.refused + self.skipped


class Importer:
    """One import. `ledger` is None where lines are only checked.

    `report` gets what is refused, in the order of answers; `progress` the bytes that are done.
    """

    def __init__(
        self,
        ledger: Ledger | None,
        parser: Parser,
        report: Callable[[BadLine], None],
        progress: Callable[[int], None],
    ) -> None:
        self._ledger = ledger
        self._parser = parser
        self._report = report
        self._progress = progress
        self._positions = Positions()
        self._seen_position = 0
        self._batch: list[Item] = []
        self._entries = 0
        self._size_bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self.summary = Summary()

    async def run(self, items: Iterable[Item | BadLine]) -> Summary:
        """Import everything; raises `ImportStopped` where the ledger cannot go on."""
        try:
            for number, item in enumerate(items, 1):
                await self._take(item)
                if number % MAX_COMMANDS_PER_BATCH == 0:
                    await asyncio.sleep(0)  # so that Ctrl-C is heard
            await self._flush()
            await self._written()
        finally:
            if self._writing is not None:
                self._writing.cancel()
        return self.summary

    async def _take(self, item: Item | BadLine) -> None:
        if isinstance(item, Item) and item.position is not None:
            item = self._in_order(item, item.position)
        if isinstance(item, Item) and item.parent is not None:
            item = await self._with_parent(item, item.parent)
        if isinstance(item, BadLine):
            self._refuse(item)
        elif item.command is None:
            self.summary.skipped += 1
            self._progress(item.size_bytes)
        elif self._ledger is None:
            self.summary.accepted += 1
            self._progress(item.size_bytes)
        else:
            await self._add(item)

    def _in_order(self, item: Item, position: int) -> Item | BadLine:
        if position <= self._seen_position:
            return BadLine(*item[:3], "records come in the order of their positions")
        self._seen_position = position
        return item

    async def _with_parent(self, item: Item, parent: int) -> Item | BadLine:
        """Wait for the answer to the record that this one belongs to."""
        if self._ledger is None:
            return self._parser.linked(item, parent)
        if parent > self._positions.last:
            await self._flush()
            await self._written()
        found = self._positions.of(parent)
        if found is None:
            detail = f"it belongs to record {parent}, which was not imported"
            return BadLine(*item[:3], detail, RefusalCode.TRANSACTION_NOT_FOUND)
        return self._parser.linked(item, found)

    async def _add(self, item: Item) -> None:
        entries = self._entries + item.entries
        size_bytes = self._size_bytes + item.size_bytes
        full = entries > MAX_ENTRIES_PER_BATCH or size_bytes > MAX_LINE_BYTES_PER_BATCH
        if self._batch and (full or len(self._batch) >= MAX_COMMANDS_PER_BATCH):
            await self._flush()
        self._batch.append(item)
        self._entries += item.entries
        self._size_bytes += item.size_bytes

    async def _flush(self) -> None:
        """Begin to write what was gathered, once the batch before is written."""
        await self._written()
        if not self._batch:
            return
        batch, self._batch = self._batch, []
        self._entries = self._size_bytes = 0
        self._writing = asyncio.create_task(self._write(batch))
        await asyncio.sleep(0)  # lets it begin before the next lines are read

    async def _written(self) -> None:
        if self._writing is not None:
            await self._writing
            self._writing = None

    async def _write(self, batch: list[Item]) -> None:
        assert self._ledger is not None
        try:
            receipts = await self._ledger.submit_batch([_command(item) for item in batch])
        except Refused as refused:
            raise ImportStopped(f"{refused}; run the import again to resume it") from refused
        for item, receipt in zip(batch, receipts, strict=True):
            self._answered(item, receipt)

    def _answered(self, item: Item, receipt: Receipt) -> None:
        refusal = receipt.refusal
        if refusal is not None and refusal.code in _TRANSIENT:
            raise ImportStopped(
                f"line {item.number}: {refusal.detail}; run the import again to resume it"
            )
        if item.position is not None:
            self._positions.tell(item.position, None if refusal else receipt.position)
        if refusal is not None:
            self._refuse(BadLine(*item[:3], refusal.detail, refusal.code))
            return
        if receipt.replayed:
            self.summary.replayed += 1
        else:
            self.summary.accepted += 1
        self._progress(item.size_bytes)

    def _refuse(self, bad: BadLine) -> None:
        self.summary.refused += 1
        self._report(bad)
        self._progress(bad.size_bytes)


def _command(item: Item) -> SingleCommand:
    assert item.command is not None
    return item.command
