"""A ledger of plain dictionaries, written from the semantics page; no rule of the core is used.

It takes the core's commands (they are data), says what must become of each, and keeps a line for
every record that must be in the log. Balances are sums over those lines and nothing else.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from tandem.ledger.core.commands import (
    AtomicBatch,
    Capture,
    Command,
    OpenAccount,
    PlaceHold,
    Post,
    Release,
    RequestedEntry,
    Reverse,
    SingleCommand,
    UpdateAccount,
)

LARGEST_MINOR = 2**127 - 1
DEBIT_NORMAL = ("asset", "expense")

type Side = tuple[str, str]  # address, "debit" or "credit"


class Posting(NamedTuple):
    """One entry: the verb is post, hold, capture or release."""

    address: str
    verb: str
    direction: str
    amount_minor: int
    asset: str | None = None


class Line(NamedTuple):
    """One record that must be in the log."""

    position: int
    time_us: int
    kind: str
    key: str | None
    parent: int | None
    code: str | None
    postings: tuple[Posting, ...]


class Told(NamedTuple):
    """What a caller must be told: the position of its record, a refusal's code, replayed or not."""

    position: int | None
    code: str | None
    replayed: bool


class Refuse(Exception):  # noqa: N818 - an answer
    """A command is refused with this code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Book:
    """An account and its four totals."""

    asset: str
    debit_normal: bool
    low: int | None
    high: int | None
    opened: int
    status: str = "open"
    totals: Counter[tuple[str, str]] = field(default_factory=Counter)

    def posted(self) -> int:
        """What it holds, on its normal side."""
        net = self.totals["posted", "debit"] - self.totals["posted", "credit"]
        return net if self.debit_normal else -net

    def available(self) -> int:
        """What of it is not reserved."""
        outflow = "credit" if self.debit_normal else "debit"
        return self.posted() - self.totals["pending", outflow]

    def take(self, posting: Posting) -> None:
        """Add an entry to the totals."""
        side, amount = posting.direction, posting.amount_minor
        if posting.verb in ("post", "capture"):
            self.totals["posted", side] += amount
        if posting.verb == "hold":
            self.totals["pending", side] += amount
        if posting.verb in ("capture", "release"):
            self.totals["pending", side] -= amount


@dataclass
class Deed:
    """A hold (it has a status) or a posted transaction, and what is left of each side."""

    left: dict[Side, int]
    status: str | None = None
    held: int = 0
    captured: int = 0
    limit: int = 0
    expires_us: int | None = None

    def left_minor(self) -> int:
        """What is left on the debit side."""
        return sum(amount for (_, side), amount in self.left.items() if side == "debit")


@dataclass
class State:
    """Everything that a refused atomic batch must leave as it was."""

    books: dict[str, Book] = field(default_factory=dict)
    deeds: dict[int, Deed] = field(default_factory=dict)
    scales: dict[str, str] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)

    def copy(self) -> "State":
        """Copy what changes; lines never do."""
        return State(
            deepcopy(self.books), deepcopy(self.deeds), dict(self.scales), list(self.lines)
        )


class Reference:
    """What a ledger must answer, at a clock that the test sets."""

    def __init__(self) -> None:
        self.state = State()
        self.keys: dict[str, tuple[object, Line]] = {}
        self.closed_us = 0
        self.clock_us = 0

    @property
    def lines(self) -> list[Line]:
        """The log so far."""
        return self.state.lines

    @property
    def position(self) -> int:
        """The position of the last record."""
        return len(self.lines)

    def head_us(self) -> int:
        """The time up to which nothing more is recorded."""
        return max(self.lines[-1].time_us if self.lines else 0, self.closed_us)

    def time_us(self) -> int:
        """The time of the next record."""
        return max(self.clock_us, self.head_us() + 1)

    # -- commands ------------------------------------------------------------------------------

    def submit(self, command: Command) -> Told:
        """Take a command; holds that have expired are written down before it."""
        self.expire_due()
        body = (type(command), command._replace(key=None))
        if command.key in self.keys:
            earlier, line = self.keys[command.key]
            if earlier == body:
                return Told(line.position, line.code, replayed=True)
            return Told(None, "idempotency_key_reused", replayed=False)
        line = self._atomic(command) if isinstance(command, AtomicBatch) else self._single(command)
        if command.key is not None:
            self.keys[command.key] = (body, line)
        return Told(line.position, line.code, replayed=False)

    def _single(self, command: SingleCommand) -> Line:
        try:
            return self._do(command)
        except Refuse as refused:
            return self._write("refusal", command.key, code=refused.code)

    def _atomic(self, batch: AtomicBatch) -> Line:
        before = self.state.copy()
        try:
            head = self._write("batch", batch.key)
            for command in batch.commands:
                self._do(command)
        except Refuse as refused:
            self.state = before
            return self._write("refusal", batch.key, code=refused.code)
        return head

    def expire_due(self) -> None:
        """Write down every hold whose time has come, the earliest first."""
        while True:
            due = sorted(
                (deed.expires_us, position)
                for position, deed in self.state.deeds.items()
                if deed.status == "open" and (deed.expires_us or LARGEST_MINOR) <= self.time_us()
            )
            if not due:
                return
            position = due[0][1]
            deed = self.state.deeds[position]
            postings = _all_left(deed, "release")
            self._move(postings)
            self._lessen(deed, postings)
            deed.status = "expired"
            self._write("expiry", None, position, postings=postings)

    def _write(
        self,
        kind: str,
        key: str | None,
        parent: int | None = None,
        *,
        code: str | None = None,
        postings: Sequence[Posting] = (),
    ) -> Line:
        line = Line(self.position + 1, self.time_us(), kind, key, parent, code, tuple(postings))
        self.lines.append(line)
        return line

    def _do(self, command: SingleCommand) -> Line:  # noqa: PLR0911 - one return a command
        match command:
            case OpenAccount():
                return self._open(command)
            case UpdateAccount():
                return self._update(command)
            case Post():
                postings = _asked(command.entries, "post")
                self._move(postings)
                self.state.deeds[self.position + 1] = Deed(_sides(postings))
                return self._write("transaction", command.key, postings=postings)
            case PlaceHold():
                return self._hold(command)
            case Capture():
                return self._capture(command)
            case Release():
                return self._release(command)
            case Reverse():
                return self._reverse(command)

    # -- accounts ------------------------------------------------------------------------------

    def _open(self, command: OpenAccount) -> Line:
        if command.address in self.state.books:
            raise Refuse("account_exists")
        code, _, scale = command.asset.partition("/")
        if self.state.scales.setdefault(code, scale) != scale:
            raise Refuse("asset_mismatch")
        self.state.books[command.address] = Book(
            command.asset,
            command.account_class.value in DEBIT_NORMAL,
            command.min_balance_minor,
            command.max_balance_minor,
            self.position + 1,
        )
        return self._write("open_account", command.key)

    def _update(self, command: UpdateAccount) -> Line:
        book = self.state.books.get(command.address)
        if book is None:
            raise Refuse("account_not_found")
        if book.status == "closed":
            raise Refuse("account_closed")
        pending = book.totals["pending", "debit"] or book.totals["pending", "credit"]
        if command.status == "closed" and (book.posted() or pending):
            raise Refuse("account_not_empty")
        low = book.low if command.min_balance is None else command.min_balance.balance_minor
        high = book.high if command.max_balance is None else command.max_balance.balance_minor
        if low is not None and high is not None and low > high:
            raise Refuse("malformed")
        book.low, book.high = low, high
        book.status = command.status.value if command.status else book.status
        return self._write("update_account", command.key)

    # -- holds ---------------------------------------------------------------------------------

    def _hold(self, command: PlaceHold) -> Line:
        postings, limit = _asked(command.entries, "hold"), command.capture_limit_minor
        held = sum(one.amount_minor for one in postings if one.direction == "debit")
        expired = command.expires_at_us is not None and command.expires_at_us <= self.time_us()
        if expired or (limit is not None and limit < held):
            raise Refuse("malformed")
        before = dict(self.state.books)
        self._move(postings)
        if limit is not None and len({before[one.address].asset for one in postings}) > 1:
            self.state.books = before
            raise Refuse("asset_mismatch")
        self.state.deeds[self.position + 1] = Deed(
            _sides(postings),
            "open",
            held,
            limit=held if limit is None else limit,
            expires_us=command.expires_at_us,
        )
        return self._write("hold", command.key, postings=postings)

    def _open_hold(self, position: int) -> Deed:
        deed = self.state.deeds.get(position)
        if deed is None or deed.status is None:
            raise Refuse("hold_not_found")
        expired = deed.expires_us is not None and deed.expires_us <= self.time_us()
        if deed.status != "open" or expired:
            raise Refuse("hold_not_open")
        return deed

    def _capture(self, command: Capture) -> Line:
        deed = self._open_hold(command.hold)
        meant = _meant(deed, command.amount_minor, command.entries, "capture_exceeds_hold")
        posted, covered = _captured(deed, meant)
        asked = sum(amount for (_, side), (amount, _) in meant.items() if side == "debit")
        # What stays reserved must balance by itself.
        uneven = sum(_signed(one) for one in covered) != 0
        above = _exceeds(deed, meant) and (uneven or deed.limit == deed.held)
        beyond = not meant or above or deed.captured + asked > deed.limit
        self._refuse_if(beyond, posted, "capture_exceeds_hold")
        self._check_entries(posted)
        rest = {**deed.left}
        for one in covered:
            rest[one.address, one.direction] -= one.amount_minor
        if command.final:
            covered += _all_left(Deed(rest), "release")
        postings = covered + [one for one in posted if one.verb == "post"]
        self._move(postings)
        self._lessen(deed, covered)
        deed.captured += asked
        # A limit above the amount leaves something to capture where nothing is reserved.
        no_more = deed.limit <= max(deed.held, deed.captured)
        done = no_more and not any(deed.left.values())
        deed.status = "captured" if command.final or done else "open"
        self.state.deeds[self.position + 1] = Deed(_sides(posted))
        return self._write("capture", command.key, command.hold, postings=postings)

    def _release(self, command: Release) -> Line:
        deed = self._open_hold(command.hold)
        meant = _meant(deed, command.amount_minor, command.entries, "capture_exceeds_hold")
        postings = _moved(meant, "release")
        self._refuse_if(_exceeds(deed, meant), postings, "capture_exceeds_hold")
        self._move(postings)
        self._lessen(deed, postings)
        deed.status = "open" if any(deed.left.values()) else "released"
        return self._write("release", command.key, command.hold, postings=postings)

    def _reverse(self, command: Reverse) -> Line:
        deed = self.state.deeds.get(command.transaction)
        if deed is None or deed.status is not None:
            raise Refuse("transaction_not_found")
        if not any(deed.left.values()):
            raise Refuse("already_reversed")
        exceeded = "reversal_exceeds_original"
        meant = _meant(deed, command.amount_minor, command.entries, exceeded)
        postings = [one._replace(direction=_other(one.direction)) for one in _moved(meant)]
        self._refuse_if(_exceeds(deed, meant), postings, exceeded)
        self._move(postings, override=command.override_limits)
        for side, (amount, _) in meant.items():
            deed.left[side] -= amount
        self.state.deeds[self.position + 1] = Deed(_sides(postings))
        return self._write("reversal", command.key, command.transaction, postings=postings)

    def _refuse_if(self, beyond: bool, postings: Sequence[Posting], code: str) -> None:
        """Refuse what goes beyond its parent, but for what comes first in precedence."""
        if beyond:
            self._check_entries(postings)
            raise Refuse(code)

    @staticmethod
    def _lessen(deed: Deed, postings: Iterable[Posting]) -> None:
        for one in postings:
            deed.left[one.address, one.direction] -= one.amount_minor

    # -- entries -------------------------------------------------------------------------------

    def _move(self, postings: Sequence[Posting], *, override: bool = False) -> None:
        """Post entries or refuse them: existence, state, agreement, bounds, money."""
        books = self.state.books
        self._check_entries(postings)
        after = {one.address: deepcopy(books[one.address]) for one in postings}
        for one in postings:
            after[one.address].take(one)
            if max(after[one.address].totals.values()) > LARGEST_MINOR:
                raise Refuse("amount_overflow")
        for one in () if override else postings:
            was, now = books[one.address], after[one.address]
            if now.low is not None and now.available() < min(now.low, was.available()):
                raise Refuse("insufficient_funds")
            if now.high is not None and now.posted() > max(now.high, was.posted()):
                raise Refuse("limit_exceeded")
        books.update(after)

    def _check_entries(self, postings: Sequence[Posting]) -> None:
        """Check existence, state and agreement, in this order over all entries."""
        books = self.state.books
        if any(one.address not in books for one in postings):
            raise Refuse("account_not_found")
        for one in postings:
            self._check_status(books[one.address], one)
        self._check_agreement(postings)

    @staticmethod
    def _check_status(book: Book, posting: Posting) -> None:
        if book.status == "closed":
            raise Refuse("account_closed")
        outflow = "credit" if book.debit_normal else "debit"
        reserved = posting.verb == "capture" and posting.direction == outflow
        if book.status == "frozen" and posting.verb != "release" and not reserved:
            raise Refuse("account_frozen")

    def _check_agreement(self, postings: Sequence[Posting]) -> None:
        sums: Counter[str] = Counter()
        for one in postings:
            asset = self.state.books[one.address].asset
            if one.asset not in (None, asset):
                raise Refuse("asset_mismatch")
            sums[asset] += _signed(one)
        if any(sums.values()):
            exchange = len(postings) == len(sums) == 2
            raise Refuse("asset_mismatch" if exchange else "unbalanced")


def _signed(posting: Posting) -> int:
    return posting.amount_minor if posting.direction == "debit" else -posting.amount_minor


def _captured(deed: Deed, meant: "Meant") -> tuple[list[Posting], list[Posting]]:
    """What a capture posts, and what of that the hold covers."""
    posted, covered = [], []
    for side, (amount, asset) in meant.items():
        inside = min(amount, deed.left[side])
        if inside:
            covered.append(Posting(side[0], "capture", side[1], inside, asset))
        if amount > inside:
            posted.append(Posting(side[0], "post", side[1], amount - inside, asset))
    return covered + posted, covered


def _exceeds(deed: Deed, meant: "Meant") -> bool:
    return any(amount > deed.left[side] for side, (amount, _) in meant.items())


def _other(direction: str) -> str:
    return "credit" if direction == "debit" else "debit"


def _asked(entries: Iterable[RequestedEntry], verb: str) -> list[Posting]:
    return [
        Posting(entry.address, verb, entry.direction.value, entry.amount_minor, entry.asset)
        for entry in entries
    ]


def _sides(postings: Iterable[Posting]) -> dict[Side, int]:
    sums: Counter[Side] = Counter()
    for one in postings:
        sums[one.address, one.direction] += one.amount_minor
    return dict(sums)


def _all_left(deed: Deed, verb: str) -> list[Posting]:
    return [Posting(*(side[0], verb, side[1]), left) for side, left in deed.left.items() if left]


type Meant = dict[Side, tuple[int, str | None]]


def _meant(
    deed: Deed, amount: int | None, entries: tuple[RequestedEntry, ...] | None, exceeded: str
) -> Meant:
    """Which part is meant: all that is left, an amount of two sides, or named entries."""
    if entries is None and amount is None:
        return {side: (left, None) for side, left in deed.left.items() if left}
    if entries is None:
        if len(deed.left) != 2:
            raise Refuse("malformed")
        return {side: (cast("int", amount), None) for side in deed.left}
    meant: Meant = {}
    for entry in entries:
        side = (entry.address, entry.direction.value)
        if side not in deed.left:
            raise Refuse(exceeded)
        so_far, asset = meant.get(side, (0, None))
        meant[side] = (so_far + entry.amount_minor, entry.asset or asset)
    return meant


def _moved(meant: Meant, verb: str = "post") -> list[Posting]:
    return [
        Posting(address, verb, direction, amount, asset)
        for (address, direction), (amount, asset) in meant.items()
    ]
