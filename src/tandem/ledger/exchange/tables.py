"""The log as a table: one row per entry, for CSV and Parquet. Pure but for pyarrow's writer.

Amounts are texts of digits. They go up to 2^127-1, 39 digits: a decimal of 128 bits holds 38, and
what reads Parquet mostly takes wider decimals for floating point or not at all.
"""

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from tandem.ledger.api import Record
from tandem.ledger.exchange.limits import ROWS_PER_GROUP

if TYPE_CHECKING:
    import pyarrow as pa


class EntryRow(NamedTuple):
    """One entry, with what its record says and its account's totals after it."""

    position: int
    recorded_at: datetime
    effective_at: datetime
    kind: str
    parent: int | None
    idempotency_key: str | None
    reference: str | None
    leg: int
    account: str
    asset: str
    account_class: str
    direction: str
    effect: str
    amount_minor: str
    posted_debits_minor: str
    posted_credits_minor: str
    pending_debits_minor: str
    pending_credits_minor: str
    metadata: str | None


COLUMNS: Final = EntryRow._fields


class Rows:
    """Makes the rows of a log that is read from its beginning; memory holds the accounts only."""

    def __init__(self) -> None:
        self._accounts: dict[str, tuple[str, str]] = {}

    def of(self, record: Record) -> Iterator[EntryRow]:
        """The rows of a record's entries."""
        if record.account is not None:
            account = record.account
            self._accounts[account.address] = (account.asset, account.account_class.value)
        metadata = json.dumps(dict(record.metadata)) if record.metadata else None
        for leg, entry in enumerate(record.entries):
            yield EntryRow(
                record.position,
                record.recorded_at,
                record.effective_at or record.recorded_at,
                record.kind.value,
                record.parent,
                record.idempotency_key,
                record.reference,
                leg,
                entry.account,
                *self._accounts[entry.account],
                entry.direction.value,
                entry.effect,
                str(entry.amount_minor),
                str(entry.posted_debits_minor),
                str(entry.posted_credits_minor),
                str(entry.pending_debits_minor),
                str(entry.pending_credits_minor),
                metadata,
            )


def csv_text(rows: Iterator[EntryRow] | Iterator[tuple[str, ...]]) -> str:
    """Write rows as RFC 4180 has it; times as RFC 3339."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        writer.writerow(_timed(row) if isinstance(row, EntryRow) else row)
    return out.getvalue()


def _timed(row: EntryRow) -> tuple[object, ...]:
    times = (row.recorded_at.isoformat(), row.effective_at.isoformat())
    return (row[0], *times, *row[3:])


class ParquetTable:
    """Writes rows as Parquet, in groups of bounded size."""

    def __init__(self, sink: BinaryIO) -> None:
        import pyarrow.parquet  # noqa: PLC0415 - heavy, and needed for this format alone

        self._schema = _schema()
        self._writer = pyarrow.parquet.ParquetWriter(sink, self._schema, compression="zstd")
        self._rows: list[EntryRow] = []

    def add(self, rows: Iterator[EntryRow]) -> None:
        """Take rows in."""
        self._rows.extend(rows)
        if len(self._rows) >= ROWS_PER_GROUP:
            self._write()

    def close(self) -> None:
        """Write what is left, and the end of the file."""
        if self._rows:
            self._write()
        self._writer.close()

    def _write(self) -> None:
        import pyarrow as pa  # noqa: PLC0415 - heavy, and needed for this format alone

        columns = zip(*self._rows, strict=True)
        arrays = [
            pa.array(list(column), type=field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._rows = []


def _schema() -> "pa.Schema":
    import pyarrow as pa  # noqa: PLC0415 - heavy, and needed for this format alone

    others = {
        "position": pa.int64(),
        "recorded_at": pa.timestamp("us", tz="UTC"),
        "effective_at": pa.timestamp("us", tz="UTC"),
        "parent": pa.int64(),
        "leg": pa.int32(),
    }
    return pa.schema([(name, others.get(name, pa.string())) for name in COLUMNS])
