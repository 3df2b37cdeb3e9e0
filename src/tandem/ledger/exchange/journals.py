"""The log as a journal of beancount or hledger. Pure: text in the order of the records.

Every account is opened with its commodity, every record that posts something is a transaction, and
the balance of every account is asserted at the end, exactly.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final, Protocol

from tandem.ledger.api import Record, RecordKind
from tandem.ledger.exchange.books import Book, Books, Posting, day_of, decimal_text
from tandem.ledger.exchange.names import (
    beancount_account,
    beancount_commodity,
    hledger_account,
    hledger_commodity,
)

_INDENT: Final = "  "
_ESCAPES: Final = str.maketrans(
    {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "\b": "\\b"}
)


class Journal(Protocol):
    """Writes a journal: `begin`, then each record in order, then `end`."""

    def begin(self, ledger: str, position: int) -> str:
        """What stands first."""
        ...

    def record(self, record: Record) -> str:
        """What a record adds; empty where it opens and posts nothing."""
        ...

    def end(self) -> Iterator[str]:
        """The balances, one by one."""
        ...


def _details(record: Record) -> Iterator[tuple[str, str]]:
    """What a transaction tells besides its postings, by name."""
    if record.parent is not None:
        yield "parent", str(record.parent)
    if record.effective_at is not None:
        yield "effective-at", record.effective_at.isoformat()
    if record.idempotency_key is not None:
        yield "key", record.idempotency_key
    if record.reference is not None:
        yield "reference", record.reference
    if record.metadata:
        yield "metadata", json.dumps(dict(record.metadata), ensure_ascii=False)


class BeancountJournal:
    """Text for beancount 2 and 3."""

    def __init__(self) -> None:
        self._books = Books()
        self._commodities: set[str] = set()

    def begin(self, ledger: str, position: int) -> str:
        """The title."""
        return f'option "title" "Tandem ledger {ledger} at position {position}"\n\n'

    def record(self, record: Record) -> str:
        """An `open`, or a transaction with links to itself and its parent, or nothing."""
        if record.kind is RecordKind.OPEN_ACCOUNT and record.account is not None:
            return self._open(record, self._books.open(record.account, day_of(record)))
        postings = self._books.post(record)
        return self._transaction(record, postings) if postings else ""

    def _open(self, record: Record, book: Book) -> str:
        day, commodity = day_of(record), beancount_commodity(book.code)
        text = ""
        if commodity not in self._commodities:
            self._commodities.add(commodity)
            text = f"{day} commodity {commodity}\n{_INDENT}scale: {book.scale}\n"
        name = beancount_account(book.address, book.account_class)
        return f'{text}{day} open {name} {commodity}\n{_INDENT}address: "{book.address}"\n\n'

    def _transaction(self, record: Record, postings: Iterable[Posting]) -> str:
        links = f"^tandem-{record.position}"
        if record.parent is not None:
            links += f" ^tandem-{record.parent}"
        out = [f'{day_of(record)} * "{record.kind}" {links}']
        out.append(f"{_INDENT}position: {record.position}")
        out.append(f'{_INDENT}recorded-at: "{record.recorded_at.isoformat()}"')
        out += [f'{_INDENT}{name}: "{text.translate(_ESCAPES)}"' for name, text in _details(record)]
        for book, amount_minor in postings:
            name = beancount_account(book.address, book.account_class)
            amount = decimal_text(amount_minor, book.scale)
            out.append(f"{_INDENT}{name}  {amount} {beancount_commodity(book.code)}")
        return "\n".join(out) + "\n\n"

    def end(self) -> Iterator[str]:
        """Assert balances on the day after the last record.

        Beancount asserts the balance of an account together with those below it.
        """
        names = {
            beancount_account(book.address, book.account_class): book
            for book in self._books.by_address.values()
        }
        sums = _sums(names)
        day = self._books.last_day + timedelta(days=1)
        for name, book in names.items():
            amount = decimal_text(sums[name], book.scale)
            yield f"{day} balance {name}  {amount} ~ 0 {beancount_commodity(book.code)}\n"


def _sums(names: dict[str, Book]) -> dict[str, int]:
    """The balance of each account together with those below it that have its commodity."""
    sums = dict.fromkeys(names, 0)
    for name, book in names.items():
        above = name
        while above:
            holder = names.get(above)
            if holder is not None and holder.code == book.code:
                sums[above] += book.net_minor
            above = above.rpartition(":")[0]
    return sums


class HledgerJournal:
    """Text for hledger 1.20 and later."""

    def __init__(self) -> None:
        self._books = Books()
        self._commodities: set[str] = set()
        self._last_position = 0

    def begin(self, ledger: str, position: int) -> str:
        """A heading, and that a point begins decimals."""
        self._last_position = position
        return f"; Tandem ledger {ledger} at position {position}\ndecimal-mark .\n\n"

    def record(self, record: Record) -> str:
        """An `account`, or a transaction whose code is its position, or nothing."""
        if record.kind is RecordKind.OPEN_ACCOUNT and record.account is not None:
            return self._open(self._books.open(record.account, day_of(record)))
        postings = self._books.post(record)
        return self._transaction(record, postings) if postings else ""

    def _open(self, book: Book) -> str:
        text = ""
        if book.code not in self._commodities:
            self._commodities.add(book.code)
            text = f"commodity 1000.{'0' * book.scale} {hledger_commodity(book.code)}\n"
        return f"{text}account {hledger_account(book.address, book.account_class)}\n\n"

    def _transaction(self, record: Record, postings: Iterable[Posting]) -> str:
        out = [f"{day_of(record)} * ({record.position}) {record.kind}"]
        out.append(f"{_INDENT}; recorded-at: {record.recorded_at.isoformat()}")
        out += [f"{_INDENT}; {name}: {_plain(text)}" for name, text in _details(record)]
        out += [_INDENT + _posting(book, amount_minor) for book, amount_minor in postings]
        return "\n".join(out) + "\n\n"

    def end(self) -> Iterator[str]:
        """Assert balances in one last transaction, on the day of the last record."""
        if self._books.by_address:
            yield f"{self._books.last_day} * balances at position {self._last_position}\n"
        for book in self._books.by_address.values():
            amount = decimal_text(book.net_minor, book.scale)
            yield f"{_INDENT}{_posting(book, 0)} = {amount} {hledger_commodity(book.code)}\n"


def _posting(book: Book, amount_minor: int) -> str:
    name = hledger_account(book.address, book.account_class)
    return f"{name}  {decimal_text(amount_minor, book.scale)} {hledger_commodity(book.code)}"


def _plain(text: str) -> str:
    """Write a text as it is, or as JSON where it holds more than visible characters and blanks."""
    return text if text.isprintable() else json.dumps(text)
