"""Verification: recompute every invariant from the stored bytes, trusting no column.

Ordered walks of the tables. The first replays the records' bytes: positions, times, keys, balance
per asset, running totals, pending totals against open holds, limits, and the Merkle root against
the head. Then the entry rows, the account rows and the annotations are held to what the bytes said.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Final, NamedTuple

from tandem.ledger.core.accounts import Account
from tandem.ledger.core.canonical import decode, encode
from tandem.ledger.core.filters import AccountFilter
from tandem.ledger.core.kinds import POSTING, Effect, RecordKind
from tandem.ledger.core.limits import NOTHING_CLOSED_US
from tandem.ledger.core.merkle import Tree, leaf_hash
from tandem.ledger.core.parents import Parent, found, grown
from tandem.ledger.core.records import ZERO, Balance, Record, after
from tandem.ledger.storage.port import Head, LedgerStore, StoredEntry, StoredRecord
from tandem.ledger.storage.rows import KIND_CODES
from tandem.ledger.verify_annotations import Annotations

PAGE_RECORDS: Final = 2_000
MAX_FAULTS: Final = 100
# What an effect adds to posted and to pending totals; each balances by itself in every record.
_SIGNS: Final[Mapping[Effect, tuple[int, int]]] = {
    effect: {"post": (1, 0), "hold": (0, 1), "capture": (1, -1), "release": (0, -1)}[effect.verb]
    for effect in Effect
}


class Findings(NamedTuple):
    """What was read, and what is wrong with it; faults name a position or an account."""

    records: int
    entries: int
    accounts: int
    root: bytes
    faults: tuple[str, ...]


class _Digest:
    """An order-free digest of an account's entries: how many, and the sum of their hashes."""

    __slots__ = ("count", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0

    def add(self, *fields: int) -> None:
        self.count += 1
        self.total += int.from_bytes(sha256(repr(fields).encode()).digest())


class _Walk:
    """The state of the first pass."""

    def __init__(self) -> None:
        self.tree = Tree()
        self.faults: list[str] = []
        self.position = 0
        self.recorded_at_us = 0
        self.accounts: dict[str, Account] = {}
        self.balances: dict[str, Balance] = {}
        self.digests: dict[int, _Digest] = {}
        self.keys: set[bytes] = set()
        self.holds: dict[int, Parent] = {}
        self.annotations = Annotations()
        self.entries = 0
        self.closed_through_us = NOTHING_CLOSED_US
        self.displaced: dict[int, _Digest] = {}

    def fault(self, text: str) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(text)

    def take(self, stored: StoredRecord) -> None:
        self.tree.append(leaf_hash(stored.body.encode()))
        try:
            self._check(stored, decode(stored.body))
        except Exception as error:  # noqa: BLE001 - tampered bytes can be wrong in any way
            self.fault(f"position {stored.position}: its bytes are no record ({error!r:.80})")
        self.position = stored.position

    def _check(self, stored: StoredRecord, record: Record) -> None:
        self._check_columns(stored, record)
        self._check_order(record)
        self._check_key(record)
        if record.account is not None:
            self.accounts[record.account.address] = record.account
            self.balances.setdefault(record.account.address, ZERO)
        self._check_entries(record)
        self._follow_holds(record)
        self.annotations.take(record)
        if record.effective_at_us is not None or record.closed_through_us is not None:
            self._check_effective(record, record.effective_at_us)

    def _check_columns(self, stored: StoredRecord, record: Record) -> None:
        said = (
            record.position,
            record.recorded_at_us,
            KIND_CODES[record.kind],
            record.key,
            record.parent,
            record.expires_at_us,
        )
        if said != tuple(stored[:6]):
            self.fault(f"position {stored.position}: its columns differ from its bytes")
        if encode(record) != stored.body:
            self.fault(f"position {stored.position}: its bytes are not canonical")

    def _check_order(self, record: Record) -> None:
        if record.position != self.position + 1:
            self.fault(f"position {record.position}: it follows {self.position}")
        if record.recorded_at_us <= self.recorded_at_us:
            self.fault(f"position {record.position}: its time is not after the one before")
        self.recorded_at_us = record.recorded_at_us

    def _check_key(self, record: Record) -> None:
        if record.key is not None:
            digest = sha256(record.key.encode()).digest()[:16]
            if digest in self.keys:
                self.fault(f"position {record.position}: its key appears twice")
            self.keys.add(digest)

    def _check_entries(self, record: Record) -> None:
        sums: Counter[tuple[str, str]] = Counter()
        before: dict[str, Balance] = {}
        for leg, entry in enumerate(record.entries):
            account = self.accounts.get(entry.address)
            if account is None:
                self.fault(f"position {record.position}: {entry.address} was never opened")
                continue
            signed = entry.amount_minor if entry.effect % 2 else -entry.amount_minor
            posts, reserves = _SIGNS[entry.effect]
            sums[account.asset, "posted"] += posts * signed
            sums[account.asset, "pending"] += reserves * signed
            balance = self.balances[entry.address]
            before.setdefault(entry.address, balance)
            if after(balance, entry.effect, entry.amount_minor) != entry.balance:
                self.fault(f"position {record.position}: running totals of {entry.address} jump")
            self.balances[entry.address] = entry.balance
            digest = self.digests.setdefault(account.number, _Digest())
            digest.add(record.position, leg, entry.effect.value, entry.amount_minor, *entry.balance)
            self.entries += 1
        if any(sums.values()):
            self.fault(f"position {record.position}: its entries do not balance")
        if not record.override_limits:
            self._check_limits(record, before)

    def _check_effective(self, record: Record, effective_at_us: int | None) -> None:
        if record.closed_through_us is not None:
            if not self.closed_through_us < record.closed_through_us < record.recorded_at_us:
                self.fault(f"position {record.position}: it closes no past, open period")
            self.closed_through_us = record.closed_through_us
        if effective_at_us is None:
            return
        if effective_at_us <= self.closed_through_us:
            self.fault(f"position {record.position}: it takes effect in a closed period")
        for leg, entry in enumerate(record.entries):
            account = self.accounts.get(entry.address)
            if entry.effect in POSTING and account is not None:
                digest = self.displaced.setdefault(account.number, _Digest())
                said = (effective_at_us, entry.effect.value, entry.amount_minor)
                digest.add(record.position, leg, *said)

    def _check_limits(self, record: Record, before: dict[str, Balance]) -> None:
        for address, earlier in before.items():
            account, balance = self.accounts[address], self.balances[address]
            side = account.debit_normal
            low, high = account.min_balance_minor, account.max_balance_minor
            available = balance.available(debit_normal=side)
            if low is not None and available < min(low, earlier.available(debit_normal=side)):
                self.fault(f"position {record.position}: {address} falls below its limit")
            posted = balance.posted(debit_normal=side)
            if high is not None and posted > max(high, earlier.posted(debit_normal=side)):
                self.fault(f"position {record.position}: {address} passes its limit")

    def _follow_holds(self, record: Record) -> None:
        if record.kind is RecordKind.HOLD:
            hold = found(record)
            assert hold is not None
            self.holds[record.position] = hold
        elif record.parent in self.holds:
            hold = grown(self.holds[record.parent], record)
            if any(leg.remaining_minor < 0 for leg in hold.legs):
                self.fault(f"position {record.position}: hold {hold.position} is overdrawn")
            if hold.open:
                self.holds[record.parent] = hold
            else:
                del self.holds[record.parent]

    def check_pending(self) -> None:
        """Hold pending totals to the open holds (at the end of the log)."""
        pending: Counter[tuple[str, str]] = Counter()
        for hold in self.holds.values():
            for leg in hold.legs:
                pending[leg.address, leg.direction.value] += leg.remaining_minor
        for address, balance in self.balances.items():
            expected = (pending[address, "debit"], pending[address, "credit"])
            if (balance.pending_debits, balance.pending_credits) != expected:
                self.fault(f"account {address}: its pending totals are not its open holds")

    def check_head(self, head: Head) -> None:
        """Hold the head to the log."""
        if head.position != self.position:
            self.fault(f"head: the log ends at {self.position}, the head says {head.position}")
        elif head.frontier != self.tree.frontier:
            self.fault("head: its Merkle frontier is not that of the stored bytes")
        elif head.closed_through_us != self.closed_through_us:
            self.fault("head: what it says is closed is not what the records closed")


async def verify(
    store: LedgerStore, head: Head, progress: Callable[[int, int], None] | None = None
) -> Findings:
    """Recompute every invariant up to a head. `progress` is told (records done, records in all)."""
    walk = _Walk()
    while walk.position < head.position:
        page = await store.stored_records(
            head.ledger_id, walk.position, min(PAGE_RECORDS, head.position - walk.position)
        )
        if not page:
            walk.fault(f"position {walk.position + 1}: it is missing")
            break
        for stored in page:
            walk.take(stored)
        if progress is not None:
            progress(walk.position, head.position)
    walk.check_pending()
    walk.check_head(head)
    await _check_entry_rows(store, head, walk)
    await _check_displaced_rows(store, head, walk)
    await _check_account_rows(store, head, walk)
    for fault in await walk.annotations.faults(store, head):
        walk.fault(fault)
    for fault in await walk.annotations.account_faults(store, head):
        walk.fault(fault)
    return Findings(
        walk.position, walk.entries, len(walk.accounts), walk.tree.root(), tuple(walk.faults)
    )


async def _check_entry_rows(store: LedgerStore, head: Head, walk: _Walk) -> None:
    rows: dict[int, _Digest] = {}
    cursor = (0, 0, -1)
    while page := await store.stored_entries(head.ledger_id, cursor, PAGE_RECORDS):
        for row in page:
            if row.position <= head.position:
                _add_row(rows, row)
        cursor = (page[-1].account_number, page[-1].position, page[-1].leg)
    _compare(walk, "entry", walk.digests, rows)


async def _check_displaced_rows(store: LedgerStore, head: Head, walk: _Walk) -> None:
    rows: dict[int, _Digest] = {}
    cursor = (0, 0, -1)
    while page := await store.stored_displaced(head.ledger_id, cursor, PAGE_RECORDS):
        for row in page:
            if row.position <= head.position:
                rows.setdefault(row.account_number, _Digest()).add(*row[1:])
        cursor = page[-1][:3]
    _compare(walk, "displaced", walk.displaced, rows)


def _compare(walk: _Walk, what: str, records: dict[int, _Digest], rows: dict[int, _Digest]) -> None:
    addresses = {account.number: address for address, account in walk.accounts.items()}
    for number in sorted(rows.keys() | records.keys()):
        said, held = records.get(number, _Digest()), rows.get(number, _Digest())
        if (said.count, said.total) != (held.count, held.total):
            name = addresses.get(number, f"number {number}")
            walk.fault(f"account {name}: its {what} rows differ from the records")


def _add_row(rows: dict[int, _Digest], row: StoredEntry) -> None:
    digest = rows.setdefault(row.account_number, _Digest())
    digest.add(row.position, row.leg, row.effect, row.amount_minor, *row.balance)


async def _check_account_rows(store: LedgerStore, head: Head, walk: _Walk) -> None:
    """Hold the account rows, by which limits and status are judged, to the records."""
    odd: set[str] = set()
    left = set(walk.accounts)
    address = ""
    while page := (
        await store.accounts(head.ledger_id, AccountFilter(), address, PAGE_RECORDS)
    ).accounts:
        for account in page:
            if account.opened_position <= head.position:
                left.discard(account.address)
                if walk.accounts.get(account.address) != account:
                    odd.add(account.address)
        address = page[-1].address
    odd |= left
    if odd:
        # Others may have changed accounts while the log was walked.
        odd -= await _changed_after(store, head)
    for address in sorted(odd):
        walk.fault(f"account {address}: its row differs from the records")


async def _changed_after(store: LedgerStore, head: Head) -> set[str]:
    changed: set[str] = set()
    position = head.position
    while page := await store.bodies(head.ledger_id, position, PAGE_RECORDS):
        position += len(page)
        records = map(decode, page)
        changed.update(one.account.address for one in records if one.account is not None)
    return changed
