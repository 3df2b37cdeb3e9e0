"""A ledger of plain dictionaries, written from the semantics page; no rule of the core is used.

It takes the core's commands (they are data), says what must become of each, and keeps a line for
every record that must be in the log. Balances are sums over those lines and nothing else.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from copy import deepcopy

from tests.property.ledger.deeds import (
    DEBIT_NORMAL,
    LARGEST_MINOR,
    Book,
    Deed,
    Line,
    Posting,
    Refuse,
    State,
    Told,
    all_left,
    asked_postings,
    captured_parts,
    exceeds,
    meant_parts,
    moved_parts,
    other_side,
    sides,
    signed,
)

from tandem.ledger.core.commands import (
    AtomicBatch,
    Capture,
    ClosePeriod,
    Command,
    OpenAccount,
    PlaceHold,
    Post,
    Release,
    Reverse,
    SingleCommand,
    Transfer,
    UpdateAccount,
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
            postings = all_left(deed, "release")
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
            case Transfer() | Post():
                postings = asked_postings(command.entries, "post")
                self._move(postings)
                self.state.deeds[self.position + 1] = Deed(sides(postings))
                return self._write("transaction", command.key, postings=postings)
            case ClosePeriod():
                raise AssertionError("periods are held to a replay of their own")
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
        postings, limit = asked_postings(command.entries, "hold"), command.capture_limit_minor
        held = sum(one.amount_minor for one in postings if one.direction == "debit")
        expired = command.expires_at_us is not None and command.expires_at_us <= self.time_us()
        if expired or (limit is not None and limit < held):
            raise Refuse("malformed")
        books = self.state.books
        assets = {books[one.address].asset for one in postings if one.address in books}
        if limit is not None and len(assets) > 1:
            self._check_entries(postings, unbalanced="asset_mismatch")
            raise Refuse("asset_mismatch")
        self._move(postings)
        self.state.deeds[self.position + 1] = Deed(
            sides(postings),
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
        meant = meant_parts(deed, command.amount_minor, command.entries, "capture_exceeds_hold")
        posted, covered = captured_parts(deed, meant)
        asked = sum(amount for (_, side), (amount, _) in meant.items() if side == "debit")
        # What stays reserved must balance by itself.
        uneven = sum(signed(one) for one in covered) != 0
        above = exceeds(deed, meant) and (uneven or deed.limit == deed.held)
        beyond = not meant or above or deed.captured + asked > deed.limit
        self._refuse_if(beyond, posted, "capture_exceeds_hold")
        self._check_entries(posted)
        rest = {**deed.left}
        for one in covered:
            rest[one.address, one.direction] -= one.amount_minor
        if command.final:
            covered += all_left(Deed(rest), "release")
        postings = covered + [one for one in posted if one.verb == "post"]
        self._move(postings)
        self._lessen(deed, covered)
        deed.captured += asked
        # A limit above the amount leaves something to capture where nothing is reserved.
        no_more = deed.limit <= max(deed.held, deed.captured)
        done = no_more and not any(deed.left.values())
        deed.status = "captured" if command.final or done else "open"
        self.state.deeds[self.position + 1] = Deed(sides(posted))
        return self._write("capture", command.key, command.hold, postings=postings)

    def _release(self, command: Release) -> Line:
        deed = self._open_hold(command.hold)
        meant = meant_parts(deed, command.amount_minor, command.entries, "capture_exceeds_hold")
        postings = moved_parts(meant, "release")
        self._refuse_if(exceeds(deed, meant), postings, "capture_exceeds_hold")
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
        meant = meant_parts(deed, command.amount_minor, command.entries, exceeded)
        postings = [one._replace(direction=other_side(one.direction)) for one in moved_parts(meant)]
        self._refuse_if(exceeds(deed, meant), postings, exceeded)
        self._move(postings, override=command.override_limits)
        for side, (amount, _) in meant.items():
            deed.left[side] -= amount
        self.state.deeds[self.position + 1] = Deed(sides(postings))
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

    def _check_entries(
        self, postings: Sequence[Posting], *, unbalanced: str = "unbalanced"
    ) -> None:
        """Check existence, state and agreement, in this order over all entries."""
        books = self.state.books
        if any(one.address not in books for one in postings):
            raise Refuse("account_not_found")
        for one in postings:
            self._check_status(books[one.address], one)
        self._check_agreement(postings, unbalanced)

    @staticmethod
    def _check_status(book: Book, posting: Posting) -> None:
        if book.status == "closed":
            raise Refuse("account_closed")
        outflow = "credit" if book.debit_normal else "debit"
        reserved = posting.verb == "capture" and posting.direction == outflow
        if book.status == "frozen" and posting.verb != "release" and not reserved:
            raise Refuse("account_frozen")

    def _check_agreement(self, postings: Sequence[Posting], unbalanced: str) -> None:
        sums: Counter[str] = Counter()
        for one in postings:
            asset = self.state.books[one.address].asset
            if one.asset not in (None, asset):
                raise Refuse("asset_mismatch")
            sums[asset] += signed(one)
        if any(sums.values()):
            exchange = len(postings) == len(sums) == 2
            raise Refuse("asset_mismatch" if exchange else unbalanced)
