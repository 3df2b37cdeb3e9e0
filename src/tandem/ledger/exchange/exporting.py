"""Runs an export: the log from its beginning to one fixed position, as one of five formats."""

from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from typing import BinaryIO, Final, Protocol

from pydantic import TypeAdapter

from tandem.ledger.api import Ledger, Record
from tandem.ledger.exchange.journals import BeancountJournal, HledgerJournal, Journal
from tandem.ledger.exchange.limits import RECORDS_PER_PAGE
from tandem.ledger.exchange.tables import COLUMNS, ParquetTable, Rows, csv_text
from tandem.platform.errors import PlatformError

_RECORD: Final = TypeAdapter(Record)


class Format(StrEnum):
    """What an export is written as."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    BEANCOUNT = "beancount"
    HLEDGER = "hledger"


class ExportFault(PlatformError):  # noqa: N818 - a fault, as opposed to a refusal
    """What was read is not the whole log."""


class Encoder(Protocol):
    """Writes records to a sink, and what comes after the last."""

    def add(self, record: Record) -> None:
        """Write a record."""
        ...

    def close(self) -> None:
        """Write the end."""
        ...


async def export(
    ledger: Ledger,
    encoder: Callable[[int], Encoder],
    at_position: int | None,
    progress: Callable[[int, int], None],
) -> int:
    """Write every record up to a position (None: the last one now); returns that position.

    `encoder` is made when the position is known; `progress` is told the records of the page that
    are done, and the position. Raises `Refused` where the log does not reach that far.
    """
    position = (await ledger.trial_balance(at_position=at_position)).position
    out = encoder(position)
    async for page in _pages(ledger, position):
        for record in page:
            out.add(record)
        progress(len(page), position)
    out.close()
    return position


async def _pages(ledger: Ledger, last: int) -> AsyncIterator[list[Record]]:
    """Read the log page by page; every position once and in order, or it is no export."""
    cursor, done = None, 0
    while done < last:
        page = await ledger.records(cursor=cursor, limit=RECORDS_PER_PAGE)
        records = [record for record in page.items if record.position <= last]
        expected = range(done + 1, done + 1 + len(records))
        if not records or [record.position for record in records] != list(expected):
            raise ExportFault(f"the log does not go on after position {done}")
        done += len(records)
        cursor = page.next_cursor
        yield records
        if cursor is None and done < last:
            raise ExportFault(f"the log ends at position {done}, not {last}")


def make_encoder(format_: Format, sink: BinaryIO, ledger: str, position: int) -> Encoder:
    """Make what writes a format."""
    match format_:
        case Format.JSONL:
            return _JsonLines(sink)
        case Format.CSV:
            return _Csv(sink)
        case Format.PARQUET:
            return _Parquet(sink)
        case Format.BEANCOUNT:
            return _Journal(sink, BeancountJournal(), ledger, position)
        case Format.HLEDGER:
            return _Journal(sink, HledgerJournal(), ledger, position)


class _JsonLines:
    """Records as the API shows them, one a line."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink

    def add(self, record: Record) -> None:
        line = _RECORD.dump_json(record, exclude_none=True, exclude={"replayed"})
        self._sink.write(line + b"\n")

    def close(self) -> None:
        """Nothing comes after the last record."""


class _Csv:
    """One row per entry, below the names of the columns."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._rows = Rows()
        sink.write(csv_text(iter([COLUMNS])).encode())

    def add(self, record: Record) -> None:
        self._sink.write(csv_text(self._rows.of(record)).encode())

    def close(self) -> None:
        """Nothing comes after the last row."""


class _Parquet:
    """One row per entry."""

    def __init__(self, sink: BinaryIO) -> None:
        self._table = ParquetTable(sink)
        self._rows = Rows()

    def add(self, record: Record) -> None:
        self._table.add(self._rows.of(record))

    def close(self) -> None:
        self._table.close()


class _Journal:
    """A journal of another tool."""

    def __init__(self, sink: BinaryIO, journal: Journal, ledger: str, position: int) -> None:
        self._sink = sink
        self._journal = journal
        sink.write(journal.begin(ledger, position).encode())

    def add(self, record: Record) -> None:
        self._sink.write(self._journal.record(record).encode())

    def close(self) -> None:
        for text in self._journal.end():
            self._sink.write(text.encode())
