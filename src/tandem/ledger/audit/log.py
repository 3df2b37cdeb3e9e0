"""The walk over a log's canonical texts: every invariant that they have among themselves.

Positions, times, keys, balance per asset, running totals, pending totals against open holds,
limits, closed periods, and the Merkle tree. The usual transfer is looked at in a short way, which
accepts only what the general way would accept; whatever it does not like goes the general way,
which tells what is wrong.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from json.encoder import JSONEncoder
from typing import Final

from tandem.ledger.audit.annotations import Annotations
from tandem.ledger.audit.books import Books
from tandem.ledger.audit.findings import Faults
from tandem.ledger.audit.keys import Keys
from tandem.ledger.audit.plain import PLAIN
from tandem.ledger.audit.ties import Ties
from tandem.ledger.audit.tree import GrownTree
from tandem.ledger.core.accounts import Account, AccountStatus
from tandem.ledger.core.canonical import decode, encode
from tandem.ledger.core.kinds import POSTING, Direction, Effect, RecordKind
from tandem.ledger.core.limits import NOTHING_CLOSED_US
from tandem.ledger.core.records import Balance, Record, after
from tandem.ledger.storage.rows import KIND_CODES

_TRANSACTION: Final = KIND_CODES[RecordKind.TRANSACTION]
# What an effect adds to posted and to pending totals; each balances by itself in every record.
_SIGNS: Final[Mapping[Effect, tuple[int, int]]] = {
    effect: {"post": (1, 0), "hold": (0, 1), "capture": (1, -1), "release": (0, -1)}[effect.verb]
    for effect in Effect
}
_dumps: Final = JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


# What a record's bytes say of it that a store keeps in columns too: position, recorded time, code
# of its kind, key, parent, expiry.
type Columns = tuple[int, int, int, str | None, int | None, int | None]


class LogWalk:
    """Takes records in, in order. Memory grows with accounts and open holds, little with records.

    `roots` are roots known for sizes. `salt` begins the lines of entry rows that are digested:
    `salt,position,leg,effect,amount` and the four totals.
    """

    def __init__(self, roots: Mapping[int, bytes], salt: str = "") -> None:
        self.faults = Faults()
        self.tree = GrownTree(self.faults, roots)
        self._texts = self.tree.texts
        self.position = 0
        self.recorded_at_us = 0
        self.closed_through_us = NOTHING_CLOSED_US
        self.books: dict[str, Books] = {}
        self.keys = Keys()
        self.annotations = Annotations()
        self.entries = 0
        self.ties = Ties()
        self._salt = salt

    def fault(self, position: int, text: str) -> None:
        """Note what is wrong with a record."""
        self.faults.add(f"position {position}: {text}")

    def take(self, body: str, place: int) -> Columns | None:
        """Take the next record in; None where the text is no record.

        `place` is the position at which it was found.
        """
        self._texts.append(body)
        try:
            return self._take_plain(body) or self._take(body)
        except Exception as error:  # noqa: BLE001 - tampered bytes can be wrong in any way
            self.position = place
            self.fault(place, f"its bytes are no record ({error!r:.80})")
            return None

    # -- the short way -----------------------------------------------------------------------------

    def _take_plain(self, body: str) -> Columns | None:
        """Take in a record of the usual form with which all is well; else leave all as it was.

        One function, as calls are most of what this costs, and it is most of what there is.
        """
        match = PLAIN.fullmatch(body)
        if match is None:
            return None
        at, time, key, reference, debited, amount, debits, credited, credits_, noted = (
            match.groups()
        )
        position, recorded_at_us, amount_minor = int(at), int(time), int(amount)
        one, other = self.books.get(debited), self.books.get(credited)
        if (
            key is None
            or self.ties.members
            or position != self.position + 1
            or recorded_at_us <= self.recorded_at_us
            or one is None
            or other is None
            or one is other
            or one.asset != other.asset
        ):
            return None
        one_debits, other_credits = one.debits + amount_minor, other.credits + amount_minor
        if (
            f"{one_debits},{one.credits},{one.pending}" != debits
            or f"{other.debits},{other_credits},{other.pending}" != credits_
            or (one.guarded and _objects(one, amount_minor, 0))
            or (other.guarded and _objects(other, 0, amount_minor))
        ):
            return None
        if noted is not None or reference is not None:
            metadata = {} if noted is None else json.loads(noted)
            if noted is not None and not _is_metadata(metadata, noted):
                return None
            self.annotations.add(position, reference, metadata)
        self.position, self.recorded_at_us = position, recorded_at_us
        self.keys.add(key)
        one.debits, other.credits = one_debits, other_credits
        rows, salt = one.entries, self._salt
        rows.count += 1
        rows.total += hash(f"{salt},{at},0,1,{amount},{debits}")
        rows = other.entries
        rows.count += 1
        rows.total += hash(f"{salt},{at},1,2,{amount},{credits_}")
        self.entries += 2
        return (position, recorded_at_us, _TRANSACTION, key, None, None)

    # -- the general way ---------------------------------------------------------------------------

    def _take(self, body: str) -> Columns:
        record = decode(body)
        if encode(record) != body:
            raise ValueError("not canonical")
        self._check_order(record)
        if record.key is not None:
            self.keys.add(record.key)
        if record.account is not None:
            self._take_account(record, record.account)
        self._take_entries(record)
        for fault in self.ties.take(record):
            self.fault(record.position, fault)
        self._take_times(record)
        self.annotations.take(record)
        return (
            record.position,
            record.recorded_at_us,
            KIND_CODES[record.kind],
            record.key,
            record.parent,
            record.expires_at_us,
        )

    def _check_order(self, record: Record) -> None:
        if record.position != self.position + 1:
            self.fault(record.position, f"it follows {self.position}")
        if record.recorded_at_us <= self.recorded_at_us:
            self.fault(record.position, "its time is not after the one before")
        self.position, self.recorded_at_us = record.position, record.recorded_at_us

    def _take_account(self, record: Record, account: Account) -> None:
        books = self.books.get(account.address)
        said = (account.number, account.opened_position, account.opened_at_us)
        if record.kind is RecordKind.OPEN_ACCOUNT:
            expected = (len(self.books) + 1, record.position, record.recorded_at_us)
            if books is not None or said != expected:
                self.fault(record.position, f"it opens {account.address} oddly")
        elif books is None or books.opening != (*said, account.asset, account.account_class):
            self.fault(record.position, f"it changes what never changes of {account.address}")
        if books is None:
            self.books[account.address] = Books(account)
        else:
            books.change(account)

    def _take_entries(self, record: Record) -> None:
        sums: defaultdict[tuple[str, str], int] = defaultdict(int)
        before: dict[str, tuple[Books, Balance]] = {}
        for leg, (address, effect, amount_minor, balance) in enumerate(record.entries):
            books = self.books.get(address)
            if books is None:
                self.fault(record.position, f"{address} was never opened")
                continue
            signed = amount_minor if effect % 2 else -amount_minor
            posts, reserves = _SIGNS[effect]
            sums[books.account.asset, "posted"] += posts * signed
            sums[books.account.asset, "pending"] += reserves * signed
            held = books.balance
            before.setdefault(address, (books, held))
            if amount_minor <= 0 or after(held, effect, amount_minor) != balance:
                self.fault(record.position, f"running totals of {address} jump")
            books.set_balance(balance)
            totals = ",".join(map(str, balance))
            books.entries.add(
                f"{self._salt},{record.position},{leg},{effect:d},{amount_minor},{totals}"
            )
            self.entries += 1
        if any(sums.values()):
            self.fault(record.position, "its entries do not balance")
        for address, (books, earlier) in before.items():
            if not books.may(record):
                self.fault(record.position, f"{address} is {books.account.status} and moves")
            elif not record.override_limits:
                objection = books.objection(earlier, books.balance) if books.guarded else None
                if objection is not None:
                    self.fault(record.position, f"{address} {objection}")

    def _take_times(self, record: Record) -> None:
        if record.closed_through_us is not None:
            if not self.closed_through_us < record.closed_through_us < record.recorded_at_us:
                self.fault(record.position, "it closes no past, open period")
            self.closed_through_us = record.closed_through_us
        effective_at_us = record.effective_at_us
        if effective_at_us is None:
            return
        if effective_at_us <= self.closed_through_us:
            self.fault(record.position, "it takes effect in a closed period")
        for leg, entry in enumerate(record.entries):
            books = self.books.get(entry.address)
            if entry.effect in POSTING and books is not None:
                said = (effective_at_us, entry.effect.value, entry.amount_minor)
                books.displaced.add((self._salt, record.position, leg, *said))

    def finish(self) -> None:
        """Check, at the end of the log, what only then can be known."""
        self.tree.grow()
        self.tree.check_unreached()
        if self.ties.members:
            self.faults.add(f"the last atomic batch lacks {self.ties.members} of its records")
        pending = self.ties.pending()
        for address, books in self.books.items():
            expected = (
                pending.get((address, Direction.DEBIT), 0),
                pending.get((address, Direction.CREDIT), 0),
            )
            if (books.balance.pending_debits, books.balance.pending_credits) != expected:
                self.faults.add(f"account {address}: its pending totals are not its open holds")

    def check_original(self, body: str, position: int) -> None:
        """Look once more at a record that was reversed: not more of it than there was."""
        try:
            faults = [*self.ties.over_reversed(decode(body))]
        except (ValueError, KeyError):
            return  # what is no record there was told already
        for fault in faults:
            self.fault(position, fault)


def _objects(books: Books, debits: int, credits_: int) -> bool:
    """Tell whether an account's bounds forbid what is posted."""
    if books.account.status is not AccountStatus.OPEN:
        return True
    before = books.balance
    posted = Balance(
        before.posted_debits + debits,
        before.posted_credits + credits_,
        before.pending_debits,
        before.pending_credits,
    )
    return books.objection(before, posted) is not None


def _is_metadata(noted: object, text: str) -> bool:
    """Tell whether metadata are texts, written canonically."""
    return (
        isinstance(noted, dict)
        and all(isinstance(value, str) for value in noted.values())
        and _dumps(noted) == text
    )
