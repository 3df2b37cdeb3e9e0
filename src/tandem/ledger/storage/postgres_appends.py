"""Appends to PostgreSQL. These calls block: they run in threads beside the event loop."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from psycopg import Connection, Cursor, Error, InterfaceError, OperationalError
from psycopg.errors import UniqueViolation
from psycopg.rows import TupleRow
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from tandem.ledger.storage.port import (
    Append,
    ClockStrayed,
    Conflict,
    DuplicateKey,
    Head,
    StorageUnavailable,
    Unsettled,
)
from tandem.ledger.storage.queries import query
from tandem.ledger.storage.rows import (
    account_annotation_parameters,
    account_parameters,
    annotation_lines,
    asset_parameters,
    entry_lines,
    head_parameters,
    read_head,
    record_lines,
    small_parameters,
)
from tandem.platform.database import BlockingPool

# Up to here one statement with arrays beats COPY's round trips.
SMALL_APPEND_RECORDS: Final = 100

type _Connection = Connection[TupleRow]


class Appends:
    """What is written, over a pool whose connections act as the restricted role."""

    def __init__(self, pool: BlockingPool, max_clock_skew_us: int) -> None:
        self._pool = pool
        self._max_clock_skew_us = max_clock_skew_us

    def append(self, write: Append) -> None:
        """Write if the head is still `write.before`; durable on return."""
        with self._writing() as connection:
            if _small(write):
                self.append_on(connection, write)
                return
            with connection.transaction():
                self.append_on(connection, write)

    def lock(self, stack: ExitStack, name: str) -> tuple[_Connection, Head]:
        """Lock a ledger's head until `stack` is closed, which commits or rolls back."""
        connection = stack.enter_context(self._writing())
        stack.enter_context(connection.transaction())
        row = connection.execute(query("lock_head"), {"name": name}).fetchone()
        assert row is not None, f"ledger {name} is gone"
        return connection, read_head(row)

    def append_on(self, connection: _Connection, write: Append) -> None:
        """Write over a connection, which is in a transaction where the append is not small."""
        parameters = head_parameters(write)
        parameters["max_clock_skew_us"] = self._max_clock_skew_us
        if _small(write):
            parameters |= small_parameters(write)
            _judge(connection.execute(query("append_small"), parameters).fetchone())
            return
        with connection.cursor() as cursor:
            cursor.execute(query("advance_head"), parameters)
            _judge(cursor.fetchone())
            _copy(cursor, "copy_records", record_lines(write))
            entries = entry_lines(write)
            if entries:
                _copy(cursor, "copy_entries", entries)
            if write.annotated:
                _copy(cursor, "copy_annotations", annotation_lines(write))
            _write_rest(cursor, write)

    @contextmanager
    def _writing(self) -> Iterator[_Connection]:
        """Give a connection, and tell what its failure means for what was being written."""
        reached = False
        try:
            with self._pool.connection() as connection:
                reached = True
                yield connection
        except UniqueViolation as error:
            if error.diag.constraint_name == "record_key":
                raise DuplicateKey(str(error)) from error
            raise  # a second line of defence broke: that is no conflict but a fault of ours
        except (PoolTimeout, PoolClosed, TooManyRequests) as error:
            raise StorageUnavailable(str(error)) from error
        except (OperationalError, InterfaceError) as error:
            # With the connection gone, even COMMIT may have been done; the head will tell.
            if reached and (connection.closed or connection.broken):
                raise Unsettled(str(error)) from error
            raise StorageUnavailable(str(error)) from error
        except Error as error:
            raise StorageUnavailable(str(error)) from error


def _small(write: Append) -> bool:
    return len(write.records) <= SMALL_APPEND_RECORDS and not (
        write.opened or write.updated or write.tiles or write.displaced
    )


def _judge(row: Sequence[Any] | None) -> None:
    assert row is not None
    near, moved = row
    if not near:
        raise ClockStrayed("the clock is too far from the database's")
    if not moved:
        raise Conflict("another writer moved the head")


def _copy(cursor: Cursor[TupleRow], name: str, lines: bytes) -> None:
    with cursor.copy(query(name)) as copy:
        copy.write(lines)


def _write_rest(cursor: Cursor[TupleRow], write: Append) -> None:
    """Write what few appends have: accounts, assets, tiles."""
    ledger_id = write.before.ledger_id
    if write.opened:
        assets = {account.asset: account for account in write.opened}
        cursor.executemany(
            query("insert_asset"),
            [asset_parameters(ledger_id, account) for account in assets.values()],
        )
        cursor.executemany(
            query("insert_account"),
            [account_parameters(ledger_id, account) for account in write.opened],
        )
    if write.updated:
        cursor.executemany(
            query("update_account"),
            [account_parameters(ledger_id, account) for account in write.updated],
        )
    if write.displaced:
        cursor.executemany(
            query("insert_displaced"),
            [{"ledger_id": ledger_id, **row._asdict()} for row in write.displaced],
        )
    if write.opened or write.updated:
        annotations = account_annotation_parameters(write)
        if annotations:
            cursor.executemany(query("insert_account_annotation"), annotations)
    if write.tiles:
        cursor.executemany(
            query("insert_tile"),
            [{"ledger_id": ledger_id, **tile._asdict()} for tile in write.tiles],
        )
