"""What one transfer costs: CPU of this process and of PostgreSQL, bytes of WAL, heap and index."""

from typing import Final

import psycopg

from bench.ledger.cpu import Cpu
from bench.ledger.load import Books, batches, uniform
from bench.ledger.report import Result, alone
from bench.ledger.stage import Stage

_BATCH: Final = 2_000
_WAL: Final = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"
# Heap with its TOAST, then indexes, of all tables of the ledger, as they are on disk.
_TABLES: Final = """
    SELECT sum(pg_table_size(c.oid))::bigint, sum(pg_indexes_size(c.oid))::bigint
    FROM pg_class AS c WHERE c.relnamespace = 'ledger'::regnamespace AND c.relkind = 'r'
"""


async def measure(stage: Stage) -> list[Result]:
    """Write batches; divide what was used by the transfers."""
    books, total = await stage.books("budget"), stage.sizes.transfers // _BATCH * _BATCH
    await batches(books, uniform(books), 2 * _BATCH, _BATCH)  # warm
    costs, bytes_each = list[Cpu](), list[list[float]]()
    for _ in range(stage.sizes.rounds):
        meter, sizes = stage.meter(), _bytes(books)
        before = meter.read()
        await batches(books, uniform(books), total, _BATCH)
        costs.append((meter.read() - before).per(total))
        bytes_each.append([(b - a) / total for a, b in zip(sizes, _bytes(books), strict=True)])
    wal, heap, index = zip(*bytes_each, strict=True)
    name = f"budget, SDK, batches of {_BATCH:,}:"
    return [
        alone(f"{name} CPU of Python", "µs/transfer", [cost.client for cost in costs]),
        alone(f"{name} CPU of PostgreSQL", "µs/transfer", [cost.database for cost in costs]),
        alone(f"{name} WAL", "bytes/transfer", wal),
        alone(f"{name} heap", "bytes/transfer", heap),
        alone(f"{name} indexes", "bytes/transfer", index),
    ]


def _bytes(books: Books) -> tuple[int, int, int]:
    with psycopg.connect(books.conninfo) as connection:
        wal = connection.execute(_WAL).fetchone()
        tables = connection.execute(_TABLES).fetchone()
    if wal is None or tables is None:
        raise SystemExit("the database does not say how big it is")
    return wal[0], tables[0], tables[1]
