"""No column and no row of any table can be changed, deleted or added without being named."""

import re

import psycopg
import pytest
from tests.support.doors import fund
from tests.support.intruder import Intruder

from tandem.ledger import offline
from tandem.ledger.local import LocalLedger

pytestmark = pytest.mark.anyio

# Where the middle row of a table stands in the order of its key, and what a fault says of it.
_PLACES = {
    "record": ("seq", "position {seq}"),
    "entry": ("account_no, seq, leg", "account {address}: its entry row of position {seq}"),
    "account": ("account_no", "account {address}"),
    "asset": ("code", "asset"),
    "tile": ("level, tile_index", "tile 0/0"),
    "displaced": ("account_no, seq, leg", "account {address}: its displaced rows"),
    "annotation": ("term, seq", "annotations differ"),
    "account_annotation": ("term, address", "its annotations differ"),
    "head": ("seq", "head"),
}
_COLUMNS = {
    "record": "seq recorded_at_us kind idempotency_key parent_seq expires_at_us body",
    "entry": "account_no seq leg effect amount_minor posted_debits posted_credits pending_debits"
    " pending_credits",
    "account": "account_no address asset account_class min_balance_minor max_balance_minor status"
    " opened_seq opened_at_us metadata",
    "asset": "code scale",
    "tile": "level tile_index hashes",
    "displaced": "account_no seq leg effective_at_us effect amount_minor",
    "annotation": "term seq",
    "account_annotation": "term address",
    "head": "seq next_account_no frontier closed_through_us",
}
# Not in the log: which number and name a ledger has in this database, how far time is closed (that
# may run ahead of the records), and which record brought an account's annotation.
_BESIDE_THE_LOG = {
    *((table, "ledger_id") for table in _COLUMNS),
    ("head", "name"),
    ("head", "recorded_at_us"),
    ("account_annotation", "seq"),
}
_WORDS = {
    "account_class": "CASE account_class WHEN 'asset' THEN 'expense' ELSE 'asset' END",
    "status": "CASE status WHEN 'open' THEN 'frozen' ELSE 'open' END",
    "asset": "'USD/2'",
    "metadata": """'{"x":"y"}'""",
}


def _changed(column: str, type_: str) -> str:
    if column in _WORDS:
        return _WORDS[column]
    match type_:
        case "bytea":
            return f"set_byte({column}, 0, (get_byte({column}, 0) + 1) % 256)"
        case "uuid":
            return f"md5({column}::text)::uuid"
        case "text":
            return f"coalesce({column}, '') || 'x'"
    # Far beyond every other row, where keys would else meet.
    return f"coalesce({column}, 0) + {5 if column in ('level', 'effect', 'kind') else 10_000}"


def _middle(table: str) -> str:
    return (
        f"(SELECT ctid FROM ledger.{table} WHERE ledger_id = {{id}} ORDER BY {_PLACES[table][0]} "
        f"OFFSET (SELECT count(*) / 2 FROM ledger.{table} WHERE ledger_id = {{id}}) LIMIT 1)"
    )


def _named(intruder: Intruder, table: str) -> str:
    """Say how a fault names the middle row."""
    row = intruder.row(f"SELECT * FROM ledger.{table} WHERE ctid = {_middle(table)}")
    if "account_no" in row and "address" not in row:
        number = row["account_no"]
        row |= intruder.row(
            f"SELECT address FROM ledger.account WHERE ledger_id = {{id}} AND account_no = {number}"
        )
    return _PLACES[table][1].format(**row)


def test_every_column_is_tampered_with(ledger_database: str) -> None:
    """A new column is verified, or said to be beside the log."""
    with psycopg.connect(ledger_database) as connection:
        rows = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = 'ledger' AND table_name = ANY (%s)",
            [[*_COLUMNS]],
        ).fetchall()
    known = {(table, column) for table, names in _COLUMNS.items() for column in names.split()}
    assert set(rows) == known | _BESIDE_THE_LOG


@pytest.mark.parametrize(
    ("table", "column"), [(table, name) for table in _COLUMNS for name in _COLUMNS[table].split()]
)
async def test_no_column_can_be_changed(
    written: LocalLedger, intruder: Intruder, table: str, column: str
) -> None:
    """In the middle row of its table: verification says which."""
    type_ = intruder.row(
        "SELECT data_type FROM information_schema.columns WHERE table_schema = 'ledger' "
        f"AND table_name = '{table}' AND column_name = '{column}'"
    )["data_type"]
    named = _named(intruder, table)
    statement = (
        f"UPDATE ledger.{table} SET {column} = {_changed(column, type_)} "
        f"WHERE ctid = {_middle(table)}"
    )
    assert intruder.run(statement) == 1
    found = await written.verify()
    assert any(named in fault for fault in found.faults), (named, found.faults)


@pytest.mark.parametrize("table", [table for table in _COLUMNS if table != "head"])
async def test_no_row_can_be_deleted(written: LocalLedger, intruder: Intruder, table: str) -> None:
    """Not from the middle of any table; verification says which."""
    named = _named(intruder, table)
    position = re.fullmatch(r"position (\d+)", named)
    if position is not None:
        named = f"position {int(position[1]) + 1}: it follows {int(position[1]) - 1}"
    assert intruder.run(f"DELETE FROM ledger.{table} WHERE ctid = {_middle(table)}") == 1
    found = await written.verify()
    assert any(named in fault for fault in found.faults), (named, found.faults)


_STRAYS = {
    "record": "INSERT INTO ledger.record SELECT ledger_id, seq + 1000, recorded_at_us, kind, NULL,"
    " parent_seq, expires_at_us, body FROM ledger.record",
    "entry": "INSERT INTO ledger.entry SELECT ledger_id, account_no, seq + 1000, leg, effect,"
    " amount_minor, posted_debits, posted_credits, pending_debits, pending_credits"
    " FROM ledger.entry",
    "account": "INSERT INTO ledger.account SELECT ledger_id, 1000, 'ghost', asset, account_class,"
    " NULL, NULL, status, 1000, opened_at_us, metadata FROM ledger.account",
    "tile": "INSERT INTO ledger.tile SELECT ledger_id, level, tile_index + 9, hashes"
    " FROM ledger.tile",
    "displaced": "INSERT INTO ledger.displaced SELECT ledger_id, account_no, seq + 1000, leg,"
    " effective_at_us, effect, amount_minor FROM ledger.displaced",
    "annotation": "INSERT INTO ledger.annotation SELECT ledger_id, term, seq + 1000"
    " FROM ledger.annotation",
}


@pytest.mark.parametrize("table", _STRAYS)
async def test_no_row_stands_beyond_the_head(
    written: LocalLedger, intruder: Intruder, table: str
) -> None:
    """A later record would have to meet it; verification names it already now."""
    assert intruder.run(f"{_STRAYS[table]} WHERE ctid = {_middle(table)}") == 1
    found = await written.verify()
    assert any(f"a row of {table} stands after the head" in fault for fault in found.faults)


@pytest.mark.parametrize("seq", [0, -5])
async def test_no_record_stands_before_the_first(
    written: LocalLedger, intruder: Intruder, seq: int
) -> None:
    """Position 1 is the first there is."""
    assert intruder.run(
        f"INSERT INTO ledger.record SELECT ledger_id, {seq}, recorded_at_us, kind, NULL,"
        " parent_seq, expires_at_us, body FROM ledger.record WHERE ledger_id = {id} AND seq = 7"
    )
    assert any("position 7: it follows 0" in fault for fault in (await written.verify()).faults)


async def test_a_rewritten_history_is_not_the_one_that_was_signed(
    written: LocalLedger, intruder: Intruder
) -> None:
    """A log can be cut and its head made to fit; a checkpoint that was kept tells all the same."""
    kept = offline.verify_checkpoint(await written.checkpoint(), await written.verifier_key())
    assert (await written.verify(checkpoint=kept)).holds
    head = intruder.row("SELECT seq, frontier FROM ledger.head WHERE ledger_id = {id}")
    await fund(written, "wallets:b", 5, "later")
    assert (await written.verify(checkpoint=kept)).holds
    assert (await written.verify(checkpoint=kept._replace(root=bytes(32)))).faults == (
        f"checkpoint: the first {head['seq']} records are not those that it signed",
    )
    longer = kept._replace(size=kept.size + 9)
    assert (await written.verify(checkpoint=longer)).faults == (
        f"checkpoint: it signed {longer.size} records, the log has {kept.size + 1}",
    )
    assert not (await written.verify(checkpoint=kept._replace(origin="elsewhere"))).holds
