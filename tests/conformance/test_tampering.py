"""Whatever is changed behind the ledger's back is found by verification, and named."""

from typing import Any

import psycopg
import pytest
from tests.support.intruder import Intruder

from tandem.ledger.local import LocalLedger
from tandem.ledger.storage.postgres import ROLE

pytestmark = pytest.mark.anyio


def _delete(where: str, table: str = "record") -> str:
    return f"DELETE FROM ledger.{table} WHERE ledger_id = {{id}} AND {where}"


def _set(assignment: str, where: str, table: str = "record") -> str:
    return f"UPDATE ledger.{table} SET {assignment} WHERE ledger_id = {{id}} AND {where}"


_SWAP = """
UPDATE ledger.record AS one SET body = other.body FROM ledger.record AS other
WHERE one.ledger_id = {id} AND other.ledger_id = {id}
    AND (one.seq, other.seq) IN ((20, 21), (21, 20))
"""
_AGAIN = """
INSERT INTO ledger.record
SELECT ledger_id, 21, recorded_at_us, kind, NULL, parent_seq, expires_at_us, body
FROM ledger.record WHERE ledger_id = {id} AND seq = 20
"""
_DOUBLE = """
INSERT INTO ledger.entry
SELECT ledger_id, account_no, seq, 9, effect, amount_minor, posted_debits, posted_credits,
    pending_debits, pending_credits
FROM ledger.entry WHERE ledger_id = {id} AND seq = 5 AND leg = 1
"""
_STRANGER = "INSERT INTO ledger.entry VALUES ({id}, 99, 5, 0, 1, 1, 1, 0, 0, 0)"
_GHOST = """
INSERT INTO ledger.account
SELECT ledger_id, 50, 'ghost', asset, account_class, NULL, NULL, status, opened_seq, opened_at_us,
    metadata
FROM ledger.account WHERE ledger_id = {id} AND account_no = 1
"""
_NOTE = """body = replace(body, ',"entries"', ',"reference":"x","entries"')"""


_FUND = "idempotency_key = 'fund'"
_TAMPERINGS: list[tuple[str, list[str], str]] = [
    ("an amount in a body", [_set("body = replace(body, '1000', '1001')", _FUND)], "position 6"),
    ("a blank in a body", [_set("body = replace(body, ':', ': ')", _FUND)], "position 5"),
    ("a reference added", [_set(_NOTE, _FUND)], "Merkle"),
    ("a body that is no JSON", [_set("body = 'nothing'", _FUND)], "position 5"),
    ("a body that is a list", [_set("body = '[1]'", _FUND)], "position 5"),
    ("a body that is a number", [_set("body = '5'", _FUND)], "position 5"),
    ("amounts that are texts", [_set("""body = replace(body, ',1000', ',"1000"')""", _FUND)],
     "position 5"),
    ("an unknown kind", [_set("body = replace(body, 'transaction', 'gift')", _FUND)], "position 5"),
    ("a transaction made a hold", [_set("body = replace(body, 'transaction', 'hold')", _FUND)],
     "position 5"),
    ("an account that never was", [_set("body = replace(body, 'wallets:a', 'wallets:x')", _FUND)],
     "position 5"),
    ("two bodies swapped", [_SWAP], "position 20"),
    ("two records swapped", [_set("seq = -20", "seq = 20"), _set("seq = 20", "seq = 21"),
                             _set("seq = 21", "seq = -20")], "position 20"),
    ("the last record deleted", [
        _delete("seq = (SELECT max(seq) FROM ledger.record WHERE ledger_id = {id})")],
     "missing"),
    ("a tail deleted", [_delete("seq > 40")], "position 41: it is missing"),
    ("the head moved back with the tail", [
        _delete("seq > 40"), _delete("seq > 40", "entry"),
        _set("seq = 40", "true", "head")], "Merkle frontier"),
    ("a record deleted in the middle", [_delete("seq = 30")], "it follows 29"),
    ("everything deleted", [_delete("true")], "position 1: it is missing"),
    ("a record put in again", [
        _set("seq = seq + 1000", "seq > 20"),
        _AGAIN,
        _set("seq = seq - 999", "seq > 400"), _set("seq = seq + 1", "true", "head")],
     "position 20: it follows 20"),
    ("an amount in an entry row", [_set("amount_minor = 1001", "seq = 5 AND leg = 0", "entry")],
     "account cash"),
    ("a total in an entry row", [_set("posted_credits = 1", "seq = 5 AND leg = 1", "entry")],
     "account wallets:a"),
    ("an effect in an entry row", [_set("effect = 3", "seq = 5 AND leg = 1", "entry")],
     "account wallets:a"),
    ("an entry row deleted", [_delete("seq = 5 AND leg = 1", "entry")], "account wallets:a"),
    ("an entry row deleted and put in for another account", [
        _set("account_no = 3", "seq = 5 AND leg = 1", "entry")], "account wallets:b"),
    ("an entry row doubled", [_DOUBLE], "account wallets:a"),
    ("an entry row of an account that never was", [_STRANGER], "number 99"),
    ("a time column", [_set("recorded_at_us = recorded_at_us + 1", "seq = 30")], "position 30"),
    ("a key column", [_set("idempotency_key = 'other'", _FUND)], "position 5"),
    ("a key column emptied", [_set("idempotency_key = NULL", _FUND)], "position 5"),
    ("a parent column", [_set("parent_seq = 5", "kind = 5")], "position 8"),
    ("an expiry column", [_set("expires_at_us = 1", "expires_at_us > 1 AND kind = 4")],
     "position 7"),
    ("a kind column", [_set("kind = 3", "kind = 9")], "columns differ"),
    ("the frontier", [_set("frontier = overlay(frontier PLACING '\\x00'::bytea FROM 1)", "true",
                           "head")], "Merkle frontier"),
    ("the head alone", [_set("seq = seq - 1", "true", "head")], "Merkle frontier"),
    ("an account's limit", [_set("min_balance_minor = -500", "address = 'wallets:a'", "account")],
     "account wallets:a"),
    ("an account's status", [_set("status = 'frozen'", "address = 'wallets:a'", "account")],
     "account wallets:a"),
    ("an account's number", [_set("account_no = 77", "address = 'wallets:c'", "account")],
     "account wallets:c"),
    ("an account deleted", [_delete("account_no = 4", "account")],
     "account wallets:c"),
    ("an account that no record opened", [_GHOST], "account ghost"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("statements", "named"),
    [(statements, named) for _, statements, named in _TAMPERINGS],
    ids=[what.replace(" ", "-") for what, _, _ in _TAMPERINGS],
)
async def test_tampering_is_found(
    written: LocalLedger, intruder: Intruder, statements: list[str], named: str
) -> None:
    """Verification does not hold, and one of its faults names the place."""
    for statement in statements:
        assert intruder.run(statement) > 0, statement
    found = await written.verify()
    assert not found.holds
    assert any(named in fault for fault in found.faults), found.faults


_FORBIDDEN: list[Any] = [
    f"{verb} ledger.{table}{rest}"
    for table, column in (
        ("record", "body"), ("entry", "leg"), ("tile", "level"), ("asset", "scale"),
    )
    for verb, rest in (
        ("UPDATE", f" SET {column} = {column}"), ("DELETE FROM", ""), ("TRUNCATE", ""),
    )
] + [
    "DELETE FROM ledger.head", "TRUNCATE ledger.head", "DELETE FROM ledger.account",
    "TRUNCATE ledger.account", "DROP TABLE ledger.record", "ALTER TABLE ledger.record DROP body",
    "CREATE TABLE ledger.other (id int)", "SELECT * FROM platform.api_key",
]  # fmt: skip


@pytest.mark.parametrize("statement", _FORBIDDEN)
async def test_the_application_can_destroy_nothing(ledger_database: str, statement: str) -> None:
    """Its role is refused by the database itself."""
    with psycopg.connect(ledger_database) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS platform")
        connection.execute("CREATE TABLE IF NOT EXISTS platform.api_key (id text)")
        connection.execute(f"SET LOCAL ROLE {ROLE}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())
        connection.rollback()
