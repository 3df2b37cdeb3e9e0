"""Statements as the interface shows them: places in one, cursors, lines with running balances."""

import json
from typing import Final, NamedTuple

from tandem.ledger import api, cursors
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused
from tandem.ledger.effective import FIRST_PLACE, Period, StatementReading
from tandem.ledger.views import statement_lines

_NUMBERS: Final = 8


class Place(NamedTuple):
    """How far a statement was read: as known at a position, after an entry, with a balance."""

    known: int
    after: tuple[int, int, int]
    balance_minor: int | None


def first_place(known: int) -> Place:
    """The place before a statement's first line."""
    return Place(known, FIRST_PLACE, None)


def opened_place(cursor: object, period: Period, address: str, position: int | None) -> Place:
    """Read a cursor; refused `malformed` where it is not one of this very statement."""
    refused = Refused(Refusal(RefusalCode.MALFORMED, "not a cursor of this statement", "cursor"))
    text = cursors.opened(cursor)
    if text is None:
        raise refused
    try:
        whose, *numbers = json.loads(text)
    except (ValueError, TypeError):
        raise refused from None
    if len(numbers) != _NUMBERS or any(type(number) is not int for number in numbers):
        raise refused
    by_effective, from_us, until_us, known, time_us, entry, leg, balance_minor = numbers
    if whose != address or Period(bool(by_effective), from_us, until_us) != period:
        raise refused
    if position not in (None, known) or known < 0:
        raise refused
    return Place(known, (time_us, entry, leg), balance_minor)


def _sealed(address: str, period: Period, place: Place) -> str:
    by_effective, from_us, until_us = period
    members = [
        address,
        int(by_effective),
        from_us,
        until_us,
        place.known,
        *place.after,
        place.balance_minor,
    ]
    return cursors.sealed(json.dumps(members, separators=(",", ":")))


def statement_view(
    reading: StatementReading, period: Period, place: Place, size: int
) -> api.Statement:
    """Show a page of at most `size` lines; the reading has one more where there is a next page."""
    account, rows = reading.account, reading.rows[:size]
    opening_minor = reading.opening.posted(debit_normal=account.debit_normal)
    before_minor = opening_minor if place.balance_minor is None else place.balance_minor
    lines = statement_lines(account, rows, before_minor)
    cursor = None
    if len(reading.rows) > size:
        after = rows[-1].effective_us, rows[-1].position, rows[-1].leg
        here = Place(place.known, after, lines[-1].balance_minor)
        cursor = _sealed(account.address, period, here)
    return api.Statement(
        account.address,
        account.asset,
        api.TimeBasis.EFFECTIVE if period.by_effective else api.TimeBasis.RECORDED,
        reading.known,
        opening_minor,
        reading.closing.posted(debit_normal=account.debit_normal),
        tuple(lines),
        cursor,
    )
