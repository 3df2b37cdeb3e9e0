"""State: the part of a ledger that decisions need, and how a record changes it.

The shell loads what a command needs before it is decided; what is known to be absent is None, and
asking for what was not loaded is a KeyError, so a decision never rests on a guess.
"""

from typing import NamedTuple, Self

from tandem.ledger.core.accounts import Account, parse_asset
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
    Transfer,
    UpdateAccount,
)
from tandem.ledger.core.kinds import RecordKind
from tandem.ledger.core.limits import NOTHING_CLOSED_US
from tandem.ledger.core.parents import Parent, found, grown
from tandem.ledger.core.records import ZERO, Balance, Record


class _Overlay[K, V](dict[K, V]):
    """A dictionary over another: reads fall through, writes stay here."""

    def __init__(self, below: dict[K, V]) -> None:
        super().__init__()
        self._below = below

    def __missing__(self, key: K) -> V:
        return self._below[key]

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or key in self._below


class State:
    """Accounts, balances, parents and recent keys, as of a position."""

    __slots__ = (
        "accounts",
        "assets",
        "balances",
        "closed_through_us",
        "keys",
        "next_account_number",
        "parents",
        "position",
        "recorded_at_us",
    )

    def __init__(
        self,
        position: int = 0,
        recorded_at_us: int = 0,
        next_account_number: int = 1,
        closed_through_us: int = NOTHING_CLOSED_US,
    ) -> None:
        self.position = position
        self.recorded_at_us = recorded_at_us
        self.next_account_number = next_account_number
        self.closed_through_us = closed_through_us
        self.accounts: dict[str, Account | None] = {}
        self.balances: dict[str, Balance] = {}
        # A recent record stands for the parent that it begins, until somebody asks for it.
        self.parents: dict[int, Parent | Record | None] = {}
        self.assets: dict[str, int | None] = {}
        self.keys: dict[str, Record] = {}

    def fork(self) -> Self:
        """Return a state over this one; what is applied to it leaves this one as it is."""
        fork = type(self)(
            self.position, self.recorded_at_us, self.next_account_number, self.closed_through_us
        )
        fork.accounts = _Overlay(self.accounts)
        fork.balances = _Overlay(self.balances)
        fork.parents = _Overlay(self.parents)
        fork.assets = _Overlay(self.assets)
        fork.keys = _Overlay(self.keys)
        return fork

    def apply(self, record: Record) -> None:
        """Take one more record in. Positions have no gap and recorded times strictly increase."""
        assert record.position == self.position + 1, (record.position, self.position)
        assert record.recorded_at_us > self.recorded_at_us
        self.position = record.position
        self.recorded_at_us = record.recorded_at_us
        for entry in record.entries:
            self.balances[entry.address] = entry.balance
        if record.key is not None:
            self.keys[record.key] = record
        # Most transactions never become parents; one that somebody asked for has to appear.
        if record.kind is RecordKind.HOLD or record.position in self.parents:
            self.parents[record.position] = record
        if record.account is not None:
            self._apply_account(record.account)
        if record.parent is not None:
            self._apply_child(record, record.parent)
        if record.closed_through_us is not None:
            self.closed_through_us = record.closed_through_us

    def parent(self, position: int) -> Parent | None:
        """The hold or posted transaction at a position, None where there is none."""
        parent = self.parents[position]
        if isinstance(parent, Record):
            parent = self.parents[position] = found(parent)
        return parent

    def _apply_account(self, account: Account) -> None:
        if account.number == self.next_account_number:
            self.next_account_number += 1
            self.balances[account.address] = ZERO
            asset = parse_asset(account.asset)
            assert asset is not None
            self.assets[asset[0]] = asset[1]
        self.accounts[account.address] = account

    def _apply_child(self, record: Record, position: int) -> None:
        try:
            parent = self.parent(position)
        except KeyError:
            return  # nobody needed it: whoever does will load it with its children
        assert parent is not None
        self.parents[position] = grown(parent, record)


class Needs(NamedTuple):
    """What must be loaded before a command can be decided."""

    addresses: set[str]
    parents: set[int]
    assets: set[str]


def needs(command: Command, into: Needs) -> None:
    """Add what a command needs. A parent's accounts are needed too, once the parent is known."""
    match command:
        case Transfer() | Post() | PlaceHold():
            into.addresses.update(entry.address for entry in command.entries)
        case OpenAccount():
            into.addresses.add(command.address)
            asset = parse_asset(command.asset)
            assert asset is not None
            into.assets.add(asset[0])
        case UpdateAccount():
            into.addresses.add(command.address)
        case Capture() | Release():
            into.parents.add(command.hold)
        case Reverse():
            into.parents.add(command.transaction)
        case ClosePeriod():
            pass
        case AtomicBatch():
            for single in command.commands:
                needs(single, into)
