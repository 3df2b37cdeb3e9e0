"""Effective times and closed periods: to the microsecond, and as they stand in the log."""

from typing import Final

import pytest
from tests.property.ledger_core.test_decide import Book

from tandem.ledger.core import intake
from tandem.ledger.core.canonical import fingerprint
from tandem.ledger.core.commands import SingleCommand
from tandem.ledger.core.decide import decide
from tandem.ledger.core.kinds import RecordKind
from tandem.ledger.core.records import Record
from tandem.ledger.core.refusals import Refusal, RefusalCode
from tandem.ledger.core.state import State

_NOW_US: Final = 1_000
_PAIR: Final = [("cash", "debit", 1, None), ("a", "credit", 1, None)]
_CLOSED: Final = Refusal(
    RefusalCode.PERIOD_CLOSED, "the effective time is in a closed period", "effective_at"
)


def _refusal(book: Book, command: SingleCommand, now_us: int) -> Refusal | None:
    """What it is told at a time, without taking it in."""
    outcome = decide(book.state, command, now_us)
    assert isinstance(outcome, tuple)
    (record,) = outcome
    assert isinstance(record, Record)
    return record.refusal


@pytest.fixture
def closed() -> Book:
    """A book in which a transfer and a hold stand, and then everything through 500 is closed."""
    book = Book()
    book.made(intake.post(None, _PAIR, None, None, 400), _NOW_US)
    book.made(intake.place_hold(None, _PAIR), _NOW_US + 1)
    book.made(intake.close_period(None, 500), _NOW_US + 2)
    return book


def test_a_period_is_closed_by_one_record() -> None:
    """With its key, the fingerprint of what was asked, and its metadata; the state follows."""
    book = Book()
    command = intake.close_period("k", 500, {"a": "b"})
    position = book.state.position + 1
    record = book.made(command, _NOW_US)
    assert record == Record(
        position,
        _NOW_US,
        RecordKind.CLOSE_PERIOD,
        "k",
        fingerprint(command),
        metadata={"a": "b"},
        closed_through_us=500,
    )
    assert book.state.closed_through_us == 500


def test_a_period_is_over_before_it_is_closed() -> None:
    """Through the microsecond before now, and not through now."""
    book = Book()
    ended = "a period that is closed has ended"
    assert _refusal(book, intake.close_period(None, _NOW_US), _NOW_US) == Refusal(
        RefusalCode.MALFORMED, ended, "through"
    )
    assert _refusal(book, intake.close_period(None, _NOW_US - 1), _NOW_US) is None


def test_a_closed_period_is_only_ever_extended(closed: Book) -> None:
    """Through the same time again is refused, through the next microsecond is not."""
    refusal = Refusal(
        RefusalCode.PERIOD_CLOSED, "the ledger is closed through that time already", "through"
    )
    now_us = _NOW_US + 10
    assert _refusal(closed, intake.close_period(None, 500), now_us) == refusal
    assert _refusal(closed, intake.close_period(None, 501), now_us) is None


def test_nothing_takes_effect_in_a_closed_period(closed: Book) -> None:
    """Posted, captured or reversed: not at the last closed microsecond, but at the next."""
    paid, hold = closed.log[-3].position, closed.log[-2].position
    now_us = _NOW_US + 10
    for at_us, refusal in ((500, _CLOSED), (501, None), (None, None)):
        asked: list[SingleCommand] = [
            intake.post(None, _PAIR, None, None, at_us),
            intake.capture(None, hold, None, None, False, None, at_us),
            intake.reverse(None, paid, None, None, False, None, None, at_us),
        ]
        assert [_refusal(closed, command, now_us) for command in asked] == [refusal] * 3
    # The transaction itself took effect before the period was closed.
    original = intake.reverse(None, paid, None, None, False, None, None, "original")
    assert _refusal(closed, original, now_us) == _CLOSED


def test_money_is_told_before_the_period(closed: Book) -> None:
    """As the order of refusals has it."""
    poor = [("a", "debit", 50, None), ("cash", "credit", 50, None)]
    refusal = _refusal(closed, intake.post(None, poor, None, None, 500), _NOW_US + 10)
    assert refusal is not None
    assert refusal.code is RefusalCode.INSUFFICIENT_FUNDS


def test_when_a_record_takes_effect() -> None:
    """At the time asked for, as the original did, or when it is recorded."""
    book = Book()
    paid = book.made(intake.post(None, _PAIR, None, None, 400), _NOW_US)
    hold = book.made(intake.place_hold(None, _PAIR), _NOW_US + 1)
    later = book.made(
        intake.capture(None, hold.position, None, None, False, None, 450), _NOW_US + 2
    )
    back = book.made(
        intake.reverse(None, paid.position, None, None, False, None, None, "original"), _NOW_US + 3
    )
    plain = book.made(intake.post(None, _PAIR), _NOW_US + 4)
    whole = book.made(
        intake.reverse(None, plain.position, None, None, False, None, None, "original"), _NOW_US + 5
    )
    asked = [record.effective_at_us for record in (paid, hold, later, back, plain, whole)]
    assert asked == [400, None, 450, 400, None, _NOW_US + 4]
    happened = [record.effective_us for record in (paid, hold, later, back, plain, whole)]
    assert happened == [400, _NOW_US + 1, 450, 400, _NOW_US + 4, _NOW_US + 4]


def test_nothing_is_closed_at_first() -> None:
    """The first time there is can still take effect."""
    state = State()
    assert state.closed_through_us == -1
    assert State(closed_through_us=7).fork().closed_through_us == 7
