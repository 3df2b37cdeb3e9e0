"""The ledger's interface: what the in-process ledger and the HTTP client both are.

Amounts are integers in the asset's minor unit. Times are timezone-aware `datetime`. Every write
takes an idempotency key: the same key with the same command gives the first outcome again, for
ever. A refused command raises `Refused`; a batch returns its refusals in place.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Annotated, Literal, Protocol

from pydantic import PlainSerializer

from tandem.ledger.api_log import BalanceProof, ConsistencyProof, InclusionProof, LogApi
from tandem.ledger.core.accounts import AccountClass, AccountStatus
from tandem.ledger.core.commands import Original, SingleCommand
from tandem.ledger.core.kinds import BatchMode, Direction, HoldStatus, RecordKind, TimeBasis
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused
from tandem.ledger.webhooks.api import DeadLetter, Webhook, Webhooks, WebhookStatus

__all__ = [
    "Account",
    "AccountBalance",
    "AccountClass",
    "AccountPage",
    "AccountStatus",
    "BalanceProof",
    "BatchMode",
    "ConsistencyProof",
    "DeadLetter",
    "Direction",
    "Entry",
    "Hold",
    "HoldStatus",
    "InclusionProof",
    "Ledger",
    "Original",
    "PostedEntry",
    "Receipt",
    "Record",
    "RecordKind",
    "RecordPage",
    "Refusal",
    "RefusalCode",
    "Refused",
    "Statement",
    "StatementLine",
    "TimeBasis",
    "TrialBalance",
    "TrialBalanceLine",
    "Verification",
    "Webhook",
    "WebhookStatus",
    "Webhooks",
    "credit",
    "debit",
]


def _refusal_members(refusal: Refusal) -> dict[str, str | int]:
    members = asdict(refusal)
    if refusal.available_minor is not None:
        members["available_minor"] = str(refusal.available_minor)
    return {name: value for name, value in members.items() if value is not None}


# Over the wire an amount is a decimal string, so that no JSON reader rounds it.
AmountMinor = Annotated[int, PlainSerializer(str, return_type=str, when_used="json")]
WireRefusal = Annotated[Refusal, PlainSerializer(_refusal_members, when_used="json")]


@dataclass(frozen=True, slots=True)
class Entry:
    """A debit or credit that a command asks for. `asset`, where given, must be the account's."""

    account: str
    direction: Direction
    amount_minor: int
    asset: str | None = None


def debit(account: str, amount_minor: int, asset: str | None = None) -> Entry:
    """Build a debit entry."""
    return Entry(account, Direction.DEBIT, amount_minor, asset)


def credit(account: str, amount_minor: int, asset: str | None = None) -> Entry:
    """Build a credit entry."""
    return Entry(account, Direction.CREDIT, amount_minor, asset)


@dataclass(frozen=True, slots=True)
class PostedEntry:
    """One entry as recorded, with the account's running totals after it.

    `effect` is one of post, hold, capture, release: post adds to posted, hold adds to pending,
    capture moves pending to posted, release takes from pending.
    """

    account: str
    direction: Direction
    effect: Literal["post", "hold", "capture", "release"]
    amount_minor: AmountMinor
    posted_debits_minor: AmountMinor
    posted_credits_minor: AmountMinor
    pending_debits_minor: AmountMinor
    pending_credits_minor: AmountMinor


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the log. `position` is gap-free in commit order and is the record's identity.

    `effective_at` is the business time of what is posted, where that is not `recorded_at`.
    `closed_through` is the end of the period that the record closes.
    `parent` is the hold or transaction that a capture, release, expiry or reversal belongs to.
    `final` is a capture's, `override_limits` a reversal's. `replayed` is True where the record was
    made by an earlier use of the same key.
    """

    position: int
    recorded_at: datetime
    kind: RecordKind
    idempotency_key: str | None = None
    entries: tuple[PostedEntry, ...] = ()
    parent: int | None = None
    reference: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    expires_at: datetime | None = None
    capture_limit_minor: AmountMinor | None = None
    final: bool = False
    override_limits: bool = False
    effective_at: datetime | None = None
    closed_through: datetime | None = None
    account: "Account | None" = None
    refusal: WireRefusal | None = None
    replayed: bool = False


@dataclass(slots=True)  # not frozen: a batch has thousands, and that would double their cost
class Receipt:
    """The short outcome of one command of a batch; `refusal` is None where it took effect."""

    position: int | None = None
    recorded_at: datetime | None = None
    replayed: bool = False
    refusal: WireRefusal | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """An account as it stands now."""

    address: str
    asset: str
    account_class: AccountClass
    status: AccountStatus
    opened_at: datetime
    opened_position: int
    min_balance_minor: AmountMinor | None = None
    max_balance_minor: AmountMinor | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """Balances of an account as of a position of the log.

    `balance_minor` is posted, on the account's normal side; `available_minor` is that less pending
    outflow (holds past their expiry do not count).
    """

    account: str
    asset: str
    position: int
    balance_minor: AmountMinor
    available_minor: AmountMinor
    posted_debits_minor: AmountMinor
    posted_credits_minor: AmountMinor
    pending_debits_minor: AmountMinor
    pending_credits_minor: AmountMinor


@dataclass(frozen=True, slots=True)
class Hold:
    """A pending transaction: what was held, what of it is captured, what remains."""

    position: int
    status: HoldStatus
    held_minor: AmountMinor
    captured_minor: AmountMinor
    remaining_minor: AmountMinor
    capture_limit_minor: AmountMinor
    record: Record
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RecordPage:
    """A page of records in order; `next_cursor` is None on the last one, and on no other."""

    items: tuple[Record, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class AccountPage:
    """A page of accounts in order of address; `next_cursor` is None on the last one."""

    items: tuple[Account, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One posted entry; `balance_minor` is the account's balance after it, on its normal side."""

    position: int
    kind: RecordKind
    recorded_at: datetime
    effective_at: datetime
    direction: Direction
    amount_minor: AmountMinor
    balance_minor: AmountMinor


@dataclass(frozen=True, slots=True)
class Statement:
    """What was posted to an account in a period, as known at a position.

    `opening_balance_minor` and `closing_balance_minor` are the period's, the same on every page;
    the lines of all pages lead from the one to the other. `next_cursor` is None on the last page.
    """

    account: str
    asset: str
    by: TimeBasis
    position: int
    opening_balance_minor: AmountMinor
    closing_balance_minor: AmountMinor
    lines: tuple[StatementLine, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class TrialBalanceLine:
    """The totals of one asset: debits equal credits, posted and pending alike."""

    asset: str
    accounts: int
    posted_debits_minor: AmountMinor
    posted_credits_minor: AmountMinor
    pending_debits_minor: AmountMinor
    pending_credits_minor: AmountMinor
    difference_minor: AmountMinor


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """One line per asset, as of a position."""

    position: int
    lines: tuple[TrialBalanceLine, ...]

    @property
    def balanced(self) -> bool:
        """True where every asset's difference is zero."""
        return all(line.difference_minor == 0 for line in self.lines)


@dataclass(frozen=True, slots=True)
class Verification:
    """What recomputing every invariant from the stored bytes found; no `faults` means it holds."""

    records: int
    entries: int
    accounts: int
    root: str
    faults: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """True where no invariant is broken."""
        return not self.faults


class Ledger(LogApi, Protocol):
    """A ledger, in process or over HTTP. Commands raise `Refused`; see each refusal's code."""

    @property
    def webhooks(self) -> Webhooks:
        """The subscriptions that its records are sent to."""
        ...

    async def open_account(
        self,
        address: str,
        *,
        asset: str,
        account_class: AccountClass | str,
        min_balance_minor: int | str | None = None,
        max_balance_minor: int | str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None,
    ) -> Account:
        """Open an account. Refused `account_exists` where the address is taken."""
        ...

    async def update_account(
        self,
        address: str,
        *,
        status: AccountStatus | str | None = None,
        min_balance_minor: int | str | None = None,
        max_balance_minor: int | str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None,
    ) -> Account:
        """Freeze, reopen, close or re-limit an account; None keeps, "none" lifts a limit."""
        ...

    async def transfer(
        self,
        *,
        debit_account: str,
        credit_account: str,
        amount_minor: int | str,
        asset: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, str] | None = None,
        effective_at: datetime | None = None,
        idempotency_key: str | None,
    ) -> Record:
        """Post a two-entry transaction."""
        ...

    async def post_transaction(
        self,
        entries: Sequence[Entry],
        *,
        reference: str | None = None,
        metadata: Mapping[str, str] | None = None,
        effective_at: datetime | None = None,
        idempotency_key: str | None,
    ) -> Record:
        """Post a transaction whose debits equal its credits in every asset."""
        ...

    async def hold(
        self,
        entries: Sequence[Entry],
        *,
        expires_at: datetime | None = None,
        capture_limit_minor: int | str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None,
    ) -> Record:
        """Reserve a transaction; its record's position is the hold's identity."""
        ...

    async def capture(
        self,
        hold: int,
        *,
        amount_minor: int | str | None = None,
        entries: Sequence[Entry] | None = None,
        final: bool = False,
        metadata: Mapping[str, str] | None = None,
        effective_at: datetime | None = None,
        idempotency_key: str | None,
    ) -> Record:
        """Post a hold: all that remains, or `amount_minor` of a two-entry hold, or `entries`.

        `final` releases what is left. Refused `capture_exceeds_hold` past the capture limit.
        """
        ...

    async def release(
        self,
        hold: int,
        *,
        amount_minor: int | str | None = None,
        entries: Sequence[Entry] | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None,
    ) -> Record:
        """Give back all or part of what a hold still reserves."""
        ...

    async def reverse(
        self,
        transaction: int,
        *,
        amount_minor: int | str | None = None,
        entries: Sequence[Entry] | None = None,
        override_limits: bool = False,
        reference: str | None = None,
        metadata: Mapping[str, str] | None = None,
        effective_at: datetime | Original | None = None,
        idempotency_key: str | None,
    ) -> Record:
        """Mirror a posted transaction: all that is left of it, or part.

        `entries` names the original's own entries (as they were posted) and how much of each to
        take back; `amount_minor` does so for a two-entry transaction.
        """
        ...

    async def close_period(
        self,
        *,
        through: datetime,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None,
    ) -> Record:
        """Let nothing more take effect at or before a time, which has passed."""
        ...

    async def submit_batch(
        self,
        commands: Sequence[SingleCommand],
        *,
        mode: BatchMode | str = BatchMode.INDEPENDENT,
        idempotency_key: str | None = None,
    ) -> list[Receipt]:
        """Submit commands made by `tandem.ledger.commands`; later ones see earlier ones.

        Independent: every command has its own key and gets its own receipt, refusals included.
        Atomic: all or nothing under one key, the commands have none; raises `Refused` for all.
        """
        ...

    async def balance(
        self,
        account: str,
        *,
        at_position: int | None = None,
        at_time: datetime | None = None,
        effective_at: datetime | None = None,
    ) -> AccountBalance:
        """Balance now (sees every acknowledged write), at a position, or at a past time.

        With `effective_at`: of what takes effect by then, as known now, at the position or at the
        time.
        """
        ...

    async def statement(
        self,
        account: str,
        *,
        by: TimeBasis | str = "effective",
        from_time: datetime | None = None,
        until_time: datetime | None = None,
        at_position: int | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Statement:
        """What was posted to an account in [`from_time`, `until_time`): opening, lines, closing.

        `by` is "effective" or "recorded" time. As known at a position; neither time is all of it.
        """
        ...

    async def account(self, address: str) -> Account:
        """Look an account up."""
        ...

    async def transaction(self, position: int) -> Record:
        """Look a record up by position."""
        ...

    async def hold_state(self, position: int) -> Hold:
        """Where a hold stands now."""
        ...

    async def accounts(
        self,
        *,
        prefix: str = "",
        asset: str | None = None,
        account_class: AccountClass | str | None = None,
        status: AccountStatus | str | None = None,
        metadata: Mapping[str, str] | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> AccountPage:
        """List accounts by address: those, as they stand, to which everything given applies.

        `prefix` is whole segments, as `customers:42`; of `metadata` every pair is the account's.
        """
        ...

    async def records(
        self,
        *,
        account: str | None = None,
        account_prefix: str | None = None,
        kind: RecordKind | str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, str] | None = None,
        recorded_from: datetime | None = None,
        recorded_until: datetime | None = None,
        newest_first: bool = False,
        cursor: str | None = None,
        limit: int = 100,
    ) -> RecordPage:
        """List records in commit order: those to which everything given applies.

        `account` and `account_prefix` (whole segments) are of any of a record's entries; of
        `metadata` every pair is the record's; times are from one until just before the other.
        A page may have fewer than `limit` and go on: only without `next_cursor` it is the last.
        """
        ...

    async def changes(self, *, after: int = 0, wait_ms: int = 0, limit: int = 100) -> RecordPage:
        """Read every record after a position; wait up to `wait_ms` where there is none yet.

        Go on after the last item's position: positions have no gap, so nothing is ever missed.
        """
        ...

    def follow(self, *, after: int = 0) -> AsyncIterator[Record]:
        """Iterate over every record after a position, as they come, each exactly once.

        Lost connections and restarts of the server are bridged. In process it ends when the ledger
        closes.
        """
        ...

    async def trial_balance(
        self,
        *,
        at_position: int | None = None,
        at_time: datetime | None = None,
        effective_at: datetime | None = None,
    ) -> TrialBalance:
        """Sum every account per asset; the difference is zero at every position and time."""
        ...

    async def verify(self) -> Verification:
        """Recompute every invariant from the stored bytes."""
        ...
