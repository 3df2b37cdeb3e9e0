"""What the ledger is held to: raw COPY, pgbench's TPC-B, and one durable INSERT."""

import os
import re
import subprocess
import time
from collections.abc import Sequence
from typing import Final

import psycopg

from bench.ledger.load import Timed, timed
from tandem.ledger.storage.queries import query
from tandem.platform.embedded import binary

TPCB_CLIENTS: Final = 32
_RAW_LEDGER: Final = 1_000_000
_COLUMNS: Final = {
    "record": "seq, recorded_at_us, kind, idempotency_key, parent_seq, expires_at_us, body",
    "entry": "account_no, seq, leg, effect, amount_minor, posted_debits, posted_credits, "
    "pending_debits, pending_credits",
}
_MARKS: Final = {"record": "\t", "entry": ","}  # what stands between columns in the ledger's COPY
_ORDERS: Final = {"record": "seq", "entry": "seq, leg"}
_ENTRIES: Final = 2

type _Rows = list[tuple[bytes, bytes]]


def settle() -> None:
    """Wait until what was written in bulk is on disk: else the next commits wait behind it.

    No checkpoint: the full page images after it would make tpcb slower than it is.
    """
    os.sync()


class Raw:
    """The raw limit: the ledger's own rows, copied again under another ledger's number.

    Same process, same tables and indexes, one connection, one commit a batch, no ledger logic: no
    head, no hash, no tile, and the rows are encoded before the clock starts.
    """

    def __init__(self, conninfo: str) -> None:
        self._connection = psycopg.connect(conninfo, autocommit=True)

    def rerun(self, total: int, size: int) -> float:
        """Copy the last `total` transfers again in batches of `size`; return transfers a second."""
        prepared = self._rows(total // size * size, size)
        started = time.perf_counter()
        for records, entries in prepared:
            with self._connection.transaction(), self._connection.cursor() as cursor:
                for name, lines in (("copy_records", records), ("copy_entries", entries)):
                    with cursor.copy(query(name).encode()) as copy:
                        copy.write(lines)
        return len(prepared) * size / (time.perf_counter() - started)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _rows(self, total: int, size: int) -> _Rows:
        row = self._connection.execute("SELECT seq FROM ledger.head WHERE ledger_id = 1").fetchone()
        if row is None:
            raise SystemExit("the ledger has no head")
        records = self._lines("record", row[0] - total, row[0])
        entries = self._lines("entry", row[0] - total, row[0])
        if (len(records), len(entries)) != (total, _ENTRIES * total):
            raise SystemExit("raw copies plain transfers only")
        return [
            (
                b"".join(records[first : first + size]),
                b"".join(entries[_ENTRIES * first : _ENTRIES * (first + size)]),
            )
            for first in range(0, total, size)
        ]

    def _lines(self, table: str, after: int, last: int) -> list[bytes]:
        statement = (
            f"COPY (SELECT {_COLUMNS[table]} FROM ledger.{table} "  # noqa: S608 - our own words
            f"WHERE ledger_id = 1 AND seq > {after} AND seq <= {last} ORDER BY {_ORDERS[table]}) "
            f"TO STDOUT (DELIMITER E'{_MARKS[table]}')"
        )
        with self._connection.cursor().copy(statement.encode()) as copy:
            text = b"".join(copy)
        start = f"{_RAW_LEDGER}{_MARKS[table]}".encode()
        return [start + line for line in text.splitlines(keepends=True)]


class Tpcb:
    """pgbench's TPC-B-like transactions on a database of its own."""

    def __init__(self, conninfo: str, scale: int, seconds: int) -> None:
        self._conninfo = conninfo
        self._seconds = str(seconds)
        self._run("--initialize", "--init-steps=dtGvp", f"--scale={scale}", "--quiet")
        settle()
        self.rate()  # warm

    def rate(self) -> float:
        """Run for a while; return transactions per second."""
        clients = f"--client={TPCB_CLIENTS}"
        output = self._run(clients, "--jobs=2", f"--time={self._seconds}", "--no-vacuum")
        return tps(output)

    def _run(self, *arguments: str) -> str:
        return subprocess.run(  # noqa: S603 - a program of the wheel, arguments are ours
            [binary("pgbench"), *arguments, self._conninfo],
            check=True,
            capture_output=True,
            text=True,
        ).stdout


def tps(output: str) -> float:
    """Read the rate that pgbench reports."""
    if "actually processed: 0\n" in output:  # it has no rate then
        return 0.0
    found = re.search(r"^tps = ([0-9.]+)", output, re.MULTILINE)
    if found is None:
        raise SystemExit(f"pgbench reported no rate:\n{output}")
    return float(found[1])


class Inserts:
    """Durable INSERTs of one small row, each a transaction, from one connection."""

    def __init__(self, conninfo: str) -> None:
        self._connection = psycopg.connect(conninfo, autocommit=True)
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS one_row (number bigserial PRIMARY KEY, body text NOT NULL)"
        )

    def timed(self, total: int) -> Timed:
        """Insert so many rows, one after the other."""
        took, started = list[float](), time.perf_counter()
        for _ in range(total):
            began = time.perf_counter()
            self._connection.execute("INSERT INTO one_row (body) VALUES ('a row')")
            took.append(time.perf_counter() - began)
        return timed(took, time.perf_counter() - started)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def durable(settings: Sequence[str], conninfo: str) -> None:
    """Stop the run where the server would lie about durability."""
    with psycopg.connect(conninfo) as connection:
        for name in settings:
            row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
            if row is None or row[0] != "on":
                raise SystemExit(f"{name} is off: nothing here would be durable")
