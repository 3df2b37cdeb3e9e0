"""What holds and transactions are as parents, and what each child leaves of them, by hand."""

from typing import Final

import pytest

from tandem.ledger.core.kinds import Direction, Effect, HoldStatus, RecordKind
from tandem.ledger.core.parents import Leg, Parent, fold, found, grown
from tandem.ledger.core.records import ZERO, Entry, Record

_D, _C = Direction.DEBIT, Direction.CREDIT
type _Made = tuple[str, Effect, int]


def _entries(*made: _Made) -> tuple[Entry, ...]:
    return tuple(Entry(*one, ZERO) for one in made)


def _child(kind: RecordKind, *made: _Made, final: bool = False) -> Record:
    return Record(9, 900, kind, None, None, _entries(*made), 5, final=final)


_HELD: Final = _entries(
    ("a", Effect.HOLD_DEBIT, 4), ("a", Effect.HOLD_DEBIT, 2), ("b", Effect.HOLD_CREDIT, 5),
    ("c", Effect.HOLD_CREDIT, 1),
)  # fmt: skip
_HOLD: Final = Record(
    5, 500, RecordKind.HOLD, "h", None, _HELD, expires_at_us=800, capture_limit_minor=10
)
_LEGS: Final = (Leg("a", _D, 6, 6), Leg("b", _C, 5, 5), Leg("c", _C, 1, 1))
_PARENT: Final = Parent(5, _LEGS, HoldStatus.OPEN, 6, 0, 10, 800, 500)


def test_what_begins_a_parent() -> None:
    """A hold, with its own limit or the amount; a transaction, at its effective time."""
    assert found(_HOLD) == _PARENT
    plain = _HOLD._replace(capture_limit_minor=None, expires_at_us=None)
    assert found(plain) == Parent(5, _LEGS, HoldStatus.OPEN, 6, 0, 6, None, 500)
    paid = _entries(("a", Effect.POST_DEBIT, 3), ("b", Effect.POST_CREDIT, 3))
    legs = (Leg("a", _D, 3, 3), Leg("b", _C, 3, 3))
    for kind in (RecordKind.TRANSACTION, RecordKind.CAPTURE, RecordKind.REVERSAL):
        record = Record(7, 700, kind, None, None, paid, effective_at_us=650)
        assert found(record) == Parent(7, legs, None, 0, 0, 0, None, 650)
    for kind in (RecordKind.RELEASE, RecordKind.EXPIRY, RecordKind.BATCH, RecordKind.REFUSAL):
        assert found(Record(7, 700, kind, None, None, paid)) is None


def test_what_a_final_capture_gave_back_cannot_be_reversed() -> None:
    """Its legs are what it posted: of the hold and above it, and not what it released."""
    record = _child(
        RecordKind.CAPTURE,
        ("a", Effect.CAPTURE_DEBIT, 2), ("b", Effect.CAPTURE_CREDIT, 2),
        ("a", Effect.POST_DEBIT, 1), ("b", Effect.POST_CREDIT, 1),
        ("a", Effect.RELEASE_DEBIT, 4), ("b", Effect.RELEASE_CREDIT, 4),
        final=True,
    )  # fmt: skip
    parent = found(record)
    assert parent is not None
    assert parent.legs == (Leg("a", _D, 3, 3), Leg("b", _C, 3, 3))
    assert (parent.remaining_minor, parent.open) == (3, False)


_CAPTURE_4: Final = (("a", Effect.CAPTURE_DEBIT, 4), ("b", Effect.CAPTURE_CREDIT, 4))
_RELEASE_4: Final = (("a", Effect.RELEASE_DEBIT, 4), ("b", Effect.RELEASE_CREDIT, 4))
_CAPTURE_ALL: Final = (
    ("a", Effect.CAPTURE_DEBIT, 6), ("b", Effect.CAPTURE_CREDIT, 5),
    ("c", Effect.CAPTURE_CREDIT, 1),
)  # fmt: skip
_RELEASE_ALL: Final = (
    ("a", Effect.RELEASE_DEBIT, 6), ("b", Effect.RELEASE_CREDIT, 5),
    ("c", Effect.RELEASE_CREDIT, 1),
)  # fmt: skip
_ABOVE_4: Final = (("a", Effect.POST_DEBIT, 4), ("b", Effect.POST_CREDIT, 4))
_REST: Final = (
    ("a", Effect.RELEASE_DEBIT, 2), ("b", Effect.RELEASE_CREDIT, 1),
    ("c", Effect.RELEASE_CREDIT, 1),
)  # fmt: skip


@pytest.mark.parametrize(("child", "left", "status", "captured"), [
    (_child(RecordKind.CAPTURE, *_CAPTURE_4), (2, 1, 1), HoldStatus.OPEN, 4),
    (_child(RecordKind.CAPTURE, *_CAPTURE_4, *_REST, final=True), (0, 0, 0),
     HoldStatus.CAPTURED, 4),
    (_child(RecordKind.CAPTURE, *_CAPTURE_ALL), (0, 0, 0), HoldStatus.OPEN, 6),
    (_child(RecordKind.CAPTURE, *_CAPTURE_ALL, *_ABOVE_4), (0, 0, 0), HoldStatus.CAPTURED, 10),
    (_child(RecordKind.RELEASE, *_RELEASE_4), (2, 1, 1), HoldStatus.OPEN, 0),
    (_child(RecordKind.RELEASE, *_RELEASE_ALL), (0, 0, 0), HoldStatus.RELEASED, 0),
    (_child(RecordKind.EXPIRY, *_RELEASE_ALL), (0, 0, 0), HoldStatus.EXPIRED, 0),
])  # fmt: skip
def test_what_a_child_leaves_of_a_hold(
    child: Record, left: tuple[int, ...], status: HoldStatus, captured: int
) -> None:
    """Of each leg, and where the hold stands; a limit above the amount keeps it open."""
    legs = tuple(leg._replace(remaining_minor=rest) for leg, rest in zip(_LEGS, left, strict=True))
    parent = grown(_PARENT, child)
    assert parent == Parent(5, legs, status, 6, captured, 10, 800, 500)
    assert parent.remaining_minor == left[0]
    assert parent.open is (status is HoldStatus.OPEN)
    assert fold([_HOLD, child]) == parent


def test_a_hold_without_headroom_is_captured_when_nothing_is_left() -> None:
    """The limit is the amount: all of it captured is the end, less is not."""
    plain = _HOLD._replace(capture_limit_minor=None)
    whole = fold([plain, _child(RecordKind.CAPTURE, *_CAPTURE_ALL)])
    part = fold([plain, _child(RecordKind.CAPTURE, *_CAPTURE_4)])
    assert whole is not None
    assert part is not None
    assert (whole.status, part.status) == (HoldStatus.CAPTURED, HoldStatus.OPEN)


def test_what_a_reversal_leaves_of_a_transaction() -> None:
    """Its entries are the other way round; sides that it does not name stay whole."""
    paid = _entries(
        ("a", Effect.POST_DEBIT, 6), ("b", Effect.POST_CREDIT, 5), ("c", Effect.POST_CREDIT, 1)
    )
    original = Record(5, 500, RecordKind.TRANSACTION, None, None, paid)
    child = _child(RecordKind.REVERSAL, ("a", Effect.POST_CREDIT, 4), ("b", Effect.POST_DEBIT, 4))
    legs = (Leg("a", _D, 6, 2), Leg("b", _C, 5, 1), Leg("c", _C, 1, 1))
    assert fold([original, child]) == Parent(5, legs, None, 0, 0, 0, None, 500)
