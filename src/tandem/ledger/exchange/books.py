"""What a log's records did to the books, as journals of other tools need it. Pure.

Only what is posted counts: transactions, captures and reversals. Holds, releases and expiries post
nothing.
"""

from dataclasses import dataclass
from datetime import UTC, date
from typing import NamedTuple

from tandem.ledger.api import Account, Direction, Record
from tandem.ledger.core.accounts import AccountClass, parse_asset


@dataclass(slots=True)
class Book:
    """An account and its posted balance, debits less credits."""

    address: str
    account_class: AccountClass
    code: str
    scale: int
    net_minor: int = 0


class Posting(NamedTuple):
    """A posted entry: debits are positive."""

    book: Book
    amount_minor: int


class Books:
    """The accounts of a log as it is read from its beginning; memory holds the accounts only."""

    def __init__(self) -> None:
        self.by_address: dict[str, Book] = {}
        self.last_day: date = date(1970, 1, 1)

    def open(self, account: Account, day: date) -> Book:
        """Take in a new account."""
        self.last_day = max(self.last_day, day)
        asset = parse_asset(account.asset)
        assert asset is not None
        book = Book(account.address, account.account_class, *asset)
        self.by_address[book.address] = book
        return book

    def post(self, record: Record) -> list[Posting]:
        """Take in a record's entries; gives those that are posted."""
        self.last_day = max(self.last_day, day_of(record))
        postings = []
        for entry in record.entries:
            if entry.effect in ("post", "capture"):
                debit = entry.direction is Direction.DEBIT
                amount_minor = entry.amount_minor if debit else -entry.amount_minor
                book = self.by_address[entry.account]
                book.net_minor += amount_minor
                postings.append(Posting(book, amount_minor))
        return postings


def day_of(record: Record) -> date:
    """The day on which a record was made, in UTC."""
    return record.recorded_at.astimezone(UTC).date()


def decimal_text(amount_minor: int, scale: int) -> str:
    """Write an amount in minor units with its decimals: 1250 of scale 2 as 12.50."""
    digits = str(abs(amount_minor)).zfill(scale + 1)
    sign = "-" if amount_minor < 0 else ""
    return f"{sign}{digits[:-scale]}.{digits[-scale:]}" if scale else sign + digits
