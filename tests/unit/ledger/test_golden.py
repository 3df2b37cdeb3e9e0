"""The format of the log, frozen: what was written once is read and hashed alike for ever."""

from pathlib import Path
from typing import Final

import pytest
from tests.unit.ledger.golden import RECORDS

from tandem.ledger.core import intake
from tandem.ledger.core.canonical import decode, encode, fingerprint
from tandem.ledger.core.commands import Command
from tandem.ledger.core.kinds import Effect, RecordKind
from tandem.ledger.core.merkle import Tree, leaf_hash
from tandem.ledger.storage.rows import KIND_CODES

# One line each: name, leaf hash, body.
_LINES: Final = (Path(__file__).parent / "golden_vectors.txt").read_text("utf-8").split("\n")[:-1]
_VECTORS: Final = [tuple(line.split(" ", 2)) for line in _LINES]


def test_every_record_has_its_vector() -> None:
    """The file and the records are one list."""
    assert [name for name, _, _ in _VECTORS] == list(RECORDS)


@pytest.mark.parametrize(("name", "leaf", "body"), _VECTORS, ids=list(RECORDS))
def test_a_record_is_written_as_ever(name: str, leaf: str, body: str) -> None:
    """The same text, the same hash, and back to the same record."""
    assert encode(RECORDS[name]) == body
    assert leaf_hash(body.encode()).hex() == leaf
    assert decode(body) == RECORDS[name]


def test_the_log_has_its_root() -> None:
    """The tree over all vectors, and its frontier."""
    tree = Tree()
    for _, leaf, _ in _VECTORS:
        tree.append(bytes.fromhex(leaf))
    assert tree.root().hex() == ROOT
    assert tree.frontier == tree.root()


ROOT: Final = "746604a01f280afe67013867c707af870517a3f95e9817de184451530602fc43"


def test_stored_codes_are_frozen() -> None:
    """Numbers that stand in rows and bodies never change meaning."""
    assert [effect.name.lower() for effect in sorted(Effect)] == [
        "post_debit", "post_credit", "hold_debit", "hold_credit",
        "capture_debit", "capture_credit", "release_debit", "release_credit",
    ]  # fmt: skip
    assert [int(effect) for effect in sorted(Effect)] == list(range(1, 9))
    assert {kind.value: code for kind, code in KIND_CODES.items()} == {
        "open_account": 1, "update_account": 2, "transaction": 3, "hold": 4, "capture": 5,
        "release": 6, "expiry": 7, "reversal": 8, "batch": 9, "refusal": 10, "close_period": 11,
    }  # fmt: skip
    assert set(KIND_CODES) == set(RecordKind)


_PAIR: Final = [("cash", "debit", 5, None), ("a", "credit", "5", "EUR/2")]


def test_fingerprints_are_frozen() -> None:
    """A key that was used by an earlier version still knows its command."""
    single = intake.transfer(None, "cash", "a", 5)
    commands: dict[str, Command] = {
        "open": intake.open_account("k", "a", "EUR/2", "asset", -1, None, {"b": "2", "a": "1"}),
        "update": intake.update_account("k", "a", "frozen", "none", 5, {}),
        "transfer": intake.transfer("k", "cash", "a", 5, None, "r", {"b": "2", "a": "1"}),
        "post": intake.post("k", _PAIR),
        "hold": intake.place_hold("k", _PAIR, 1_772_366_400_000_000, 9, "r", {"a": "1"}),
        "capture": intake.capture("k", 3, 5, None, True),
        "capture entries": intake.capture("k", 3, None, _PAIR),
        "release": intake.release("k", 3),
        "reverse": intake.reverse("k", 3, None, None, True, "r"),
        "batch": intake.atomic_batch("k", [single, intake.release(None, 3)]),
    }
    assert {name: fingerprint(command) for name, command in commands.items()} == FINGERPRINTS


FINGERPRINTS: Final = {
    "open": "a527bd41bf179d3d7287475d5d38539d",
    "update": "200b71bf2a724d2a9122eebcf4b931d9",
    "transfer": "46891893c18e87445b4ab19c4d7fb5fb",
    "post": "22592d4f15e04dcbb6457046eaa51516",
    "hold": "c6ef76a1cf6efffaf38d877f6e2bc725",
    "capture": "e273cfdc2b47de32dec65a83fbf65a99",
    "capture entries": "cb24833c5e46804411022fad232805a8",
    "release": "a959af72cb64b7845b194c92bdbd450a",
    "reverse": "a51dacac0112668785b358d7b67f2b6e",
    "batch": "9a997e368faffb1b4d1787ce2cb9db30",
}


def test_what_is_no_record_is_refused() -> None:
    """Another version, or no record at all, is an error and never a guess."""
    body = _VECTORS[0][2]
    for wrong in (body.replace('"v":1', '"v":2'), "{}", "", "nonsense"):
        with pytest.raises(ValueError):  # noqa: PT011 - which one matters not
            decode(wrong)
