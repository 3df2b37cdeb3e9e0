"""Canonical bytes: one way to write a record, and back; one fingerprint for one command."""

import json

from hypothesis import given
from tests.property.ledger_core.strategies import commands, keys, records, transfers, twins
from tests.support.examples import examples

from tandem.ledger.core.canonical import decode, encode, encode_with_columns, fingerprint
from tandem.ledger.core.commands import AtomicBatch, Command, Post, Transfer
from tandem.ledger.core.records import Record


@examples(60)
@given(records)
def test_a_record_comes_back_from_its_bytes(record: Record) -> None:
    """Every field survives, and writing again gives the same text."""
    body = encode(record)
    assert decode(body) == record
    assert encode(decode(body)) == body
    assert decode(body.encode().decode()) == record


@examples(60)
@given(records)
def test_bodies_are_plain_json(record: Record) -> None:
    """One line without blanks or controls, readable by any JSON reader, numbers in full."""
    body = encode(record)
    assert not any(ord(character) < 32 for character in body)
    fields = json.loads(body)
    assert list(fields)[:4] == ["v", "position", "recorded_at_us", "kind"]
    assert None not in fields.values()
    assert len(fields.get("entries", [])) == len(record.entries)


@examples(60)
@given(records)
def test_columns_are_the_numbers_of_the_body(record: Record) -> None:
    """What a store writes beside a body is what the body says."""
    body, columns = encode_with_columns(record)
    rows = json.loads(body).get("entries", [])
    assert columns == [",".join(map(str, row[1:])) for row in rows]


@examples(60)
@given(records, records)
def test_different_records_have_different_bytes(one: Record, two: Record) -> None:
    """Nothing of a record is left out of what is hashed."""
    assert (encode(one) == encode(two)) == (one == two)


@examples(60)
@given(commands, keys)
def test_a_fingerprint_leaves_the_key_out(command: Command, key: str) -> None:
    """Equal commands have equal fingerprints, whatever their keys."""
    assert fingerprint(command._replace(key=key)) == fingerprint(command)
    assert len(bytes.fromhex(fingerprint(command))) == 16


@given(transfers)
def test_a_transfer_asks_what_its_two_entries_ask(command: Transfer) -> None:
    """So that a key replays, whichever of the two ways it was asked."""
    post = Post(None, command.entries, *command[-3:])
    assert fingerprint(command) == fingerprint(post)


@examples(60)
@given(commands, commands, keys)
def test_different_commands_have_different_fingerprints(
    one: Command, two: Command, key: str
) -> None:
    """Any difference in what is asked shows."""
    one, two = one._replace(key=key), two._replace(key=key)
    same = type(one) is type(two) and one == two
    assert (fingerprint(one) == fingerprint(two)) == same


@examples(60)
@given(twins)
def test_changing_any_field_changes_the_fingerprint(both: tuple[Command, Command]) -> None:
    """Of two drafts of one command that differ in a single field, each has its own."""
    command, other = both
    for field in command._fields[1:]:
        changed = command._replace(**{field: getattr(other, field)})
        assert (fingerprint(changed) == fingerprint(command)) == (changed == command)


@examples(60)
@given(commands)
def test_a_batch_of_one_is_not_the_one(command: Command) -> None:
    """An atomic batch is another command than what is in it."""
    if not isinstance(command, AtomicBatch):
        batch = AtomicBatch(command.key, (command._replace(key=None),))
        assert fingerprint(batch) != fingerprint(command)
