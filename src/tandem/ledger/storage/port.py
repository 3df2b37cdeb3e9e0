"""The storage port: what the writer and the reader ask of a store.

Errors of a store (operating errors, never refusals):

    StorageError
    ├── Conflict             another writer moved the head; nothing was written
    ├── DuplicateKey         a key of the append is in the log; nothing was written
    ├── ClockStrayed         the writer's clock is too far from the store's; nothing was written
    ├── StorageUnavailable   the store said no or cannot be reached; nothing was written
    └── Unsettled            the connection was lost when it mattered; the head tells which
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from tandem.ledger.core.accounts import Account
from tandem.ledger.core.expiry import Due
from tandem.ledger.core.filters import AccountFilter, RecordFilter, Span
from tandem.ledger.core.limits import NOTHING_CLOSED_US
from tandem.ledger.core.merkle import Tile
from tandem.ledger.core.records import Balance, Record
from tandem.ledger.storage.webhooks import WebhookStore


class StorageError(Exception):
    """A store could not do what was asked."""


class Conflict(StorageError):  # noqa: N818 - it names what happened
    """Another writer moved the head; nothing was written."""


class DuplicateKey(StorageError):  # noqa: N818 - it names what happened
    """An idempotency key of the append is in the log already; nothing was written."""


class ClockStrayed(StorageError):  # noqa: N818 - it names what happened
    """The writer's clock is further from the store's than the bound; nothing was written."""


class StorageUnavailable(StorageError):  # noqa: N818 - it names what happened
    """The store said no, or cannot be reached; nothing was written."""


class Unsettled(StorageError):  # noqa: N818 - it names what happened
    """Whether the append was committed is not known; the locked head tells."""


class Head(NamedTuple):
    """The one row that serializes a ledger: `position` is that of its last record."""

    ledger_id: int
    name: str
    position: int
    recorded_at_us: int
    next_account_number: int
    frontier: bytes
    closed_through_us: int = NOTHING_CLOSED_US


class Displaced(NamedTuple):
    """An entry that takes effect at another time than it was recorded at: its posted part."""

    account_number: int
    position: int
    leg: int
    effective_at_us: int
    effect: int
    amount_minor: int


class Append(NamedTuple):
    """Everything that one append writes, in one transaction.

    `bodies` are the records' canonical texts. `entry_lines` are the entries' columns, comma
    separated: account number, position, leg, effect, amount and the four totals after it.
    `opened` and `updated` are the accounts as the records leave them. `annotated` are those of the
    records that have a reference or metadata.
    """

    before: Head
    after: Head
    records: Sequence[Record]
    bodies: Sequence[str]
    entry_lines: Sequence[str]
    opened: Sequence[Account]
    updated: Sequence[Account]
    tiles: Sequence[Tile]
    annotated: Sequence[Record] = ()
    displaced: Sequence[Displaced] = ()


class Loaded(NamedTuple):
    """What a store knows of what was asked; what is not there is absent.

    `chains` maps the position of a parent to its record and its children's, in order.
    """

    accounts: Mapping[str, Account]
    balances: Mapping[str, Balance]
    chains: Mapping[int, Sequence[Record]]
    scales: Mapping[str, int]


class BalanceRow(NamedTuple):
    """An account's totals as of a record, and the holds that may have expired unwritten by then."""

    account: Account
    position: int
    recorded_at_us: int
    balance: Balance
    unswept: Sequence[int]


class AssetTotals(NamedTuple):
    """The sums over all accounts of one asset."""

    asset: str
    accounts: int
    totals: Balance


class RecordSlice(NamedTuple):
    """Records in the order of a listing, as many as were asked for at most.

    `stopped` is the position up to which the store looked, None where it looked at all there is.
    """

    records: Sequence[Record]
    stopped: int | None = None


class AccountSlice(NamedTuple):
    """Accounts by address, as many as were asked for at most.

    `stopped` is the address up to which the store looked, None where it looked at all there is.
    """

    accounts: Sequence[Account]
    stopped: str | None = None


class Annotation(NamedTuple):
    """A row that says under which term (see `core.filters`) a record is listed."""

    term: str
    position: int


class Window(NamedTuple):
    """A reading by effective time: which entries count, as positions and a time.

    Counted are entries up to `middle` that are effective by `effective_us`, and those after it,
    up to `known`, that are effective by then all the same. `middle` is the last position that is
    recorded by `effective_us`, and at most `known`.
    """

    middle: int
    known: int
    effective_us: int


class StatementSpan(NamedTuple):
    """What a statement covers.

    By effective time: entries effective in [`from_us`, `until_us`) and recorded up to `known`.
    Else: entries recorded after position `first` and up to position `last`. `first` and `last`
    bound the entries that are effective when they are recorded in either case.
    """

    by_effective: bool
    from_us: int
    until_us: int
    first: int
    last: int
    known: int


class StatementRow(NamedTuple):
    """A posted entry of a statement; its first three fields are its place in it."""

    effective_us: int
    position: int
    leg: int
    kind: int
    recorded_at_us: int
    effect: int
    amount_minor: int


class AccountAnnotation(NamedTuple):
    """A row that says under which term an account is listed, and which record brought it."""

    term: str
    address: str
    position: int = 0


class StoredEntry(NamedTuple):
    """An entry row as stored, for verification against its record's bytes."""

    account_number: int
    position: int
    leg: int
    effect: int
    amount_minor: int
    balance: Balance


class EntryLines(NamedTuple):
    """A page of entry rows as lines, for verification.

    `accounts` gives for each account its rows up to a position: salt, position, leg, effect,
    amount and the four totals after it, with commas. `last` is the place of the page's last row,
    None where there are no more rows. `highest` is the highest position on the page.
    """

    accounts: Sequence[tuple[int, Sequence[str]]]
    last: tuple[int, int, int] | None
    highest: int


class StoredRecord(NamedTuple):
    """A record's columns and bytes as stored, for verification."""

    position: int
    recorded_at_us: int
    kind: int
    key: str | None
    parent: int | None
    expires_at_us: int | None
    body: str


class LockedHead(Protocol):
    """The head, locked: no other writer can move it until the context ends."""

    head: Head

    async def append(self, write: Append) -> None:
        """Write, to be committed when the context ends."""
        ...


class LedgerStore(Protocol):
    """Everything is keyed by ledger; reads outside a lock see what is committed."""

    @property
    def webhooks(self) -> WebhookStore:
        """Subscriptions, their cursors and dead letters."""
        ...

    async def create(self, name: str) -> Head:
        """Make a ledger, or return the one of that name."""
        ...

    async def heads(self) -> Sequence[Head]:
        """Every ledger, by name."""
        ...

    async def head(self, name: str) -> Head | None:
        """The head of a ledger, or None where there is none of that name."""
        ...

    async def clock_us(self) -> int:
        """The store's own clock."""
        ...

    async def append(self, write: Append) -> None:
        """Write if the head is still `write.before`; durable on return."""
        ...

    def locked(self, name: str) -> AbstractAsyncContextManager[LockedHead]:
        """Lock the head until the context ends; what is appended is durable then."""
        ...

    async def load(
        self,
        ledger_id: int,
        addresses: Sequence[str],
        parents: Sequence[int],
        assets: Sequence[str],
    ) -> Loaded:
        """Load what decisions need."""
        ...

    async def by_keys(self, ledger_id: int, keys: Sequence[str]) -> Sequence[Record]:
        """The records that carry these keys."""
        ...

    async def bodies(self, ledger_id: int, after: int, limit: int) -> Sequence[str]:
        """Canonical texts after a position, in order."""
        ...

    async def tiles(
        self, ledger_id: int, level: int, first_index: int, limit: int
    ) -> Sequence[bytes]:
        """Full tiles of a level from an index on, in order."""
        ...

    async def last_entry(
        self, ledger_id: int, account_number: int, position: int
    ) -> tuple[int, int] | None:
        """Position and leg of an account's last entry up to a position; None without one."""
        ...

    async def expiring(self, ledger_id: int, beyond: Due, limit: int) -> Sequence[Due]:
        """Holds that expire, in order beyond one, the earliest first; open ones at least."""
        ...

    async def close_time(self, ledger_id: int, time_us: int) -> None:
        """See to it that no later record is recorded at or before a time."""
        ...

    async def position_at(self, ledger_id: int, time_us: int) -> int:
        """The position of the last record at or before a time, 0 where there is none."""
        ...

    async def balance(
        self, ledger_id: int, address: str, position: int | None, now_us: int | None
    ) -> BalanceRow | None:
        """An account's totals as of a position (None: the last); None without that account.

        `now_us` is the time by which holds count as expired (None: the record's own).
        """
        ...

    async def account(self, ledger_id: int, address: str) -> Account | None:
        """An account as it stands."""
        ...

    async def accounts(
        self, ledger_id: int, chosen: AccountFilter, after: str, limit: int
    ) -> AccountSlice:
        """Accounts that match, by address, after an address."""
        ...

    async def records(
        self, ledger_id: int, chosen: RecordFilter, span: Span, limit: int
    ) -> RecordSlice:
        """Records that match, in the order of the span; what it looks at is bounded."""
        ...

    async def totals(self, ledger_id: int, position: int | None) -> tuple[int, list[AssetTotals]]:
        """Sums per asset as of a position (None: the last), and that position."""
        ...

    async def displacement(self, ledger_id: int, address: str, window: Window) -> tuple[int, int]:
        """What displaced entries add to an account's posted debits and credits at `middle`."""
        ...

    async def displaced_totals(
        self, ledger_id: int, window: Window
    ) -> Mapping[str, tuple[int, int]]:
        """The same for all accounts, per asset; an asset without any is absent."""
        ...

    async def statement(
        self,
        ledger_id: int,
        address: str,
        span: StatementSpan,
        after: tuple[int, int, int],
        limit: int,
    ) -> Sequence[StatementRow]:
        """Posted entries of an account after a place, in order of effective time or position."""
        ...

    async def stored_displaced(
        self, ledger_id: int, after: tuple[int, int, int], limit: int
    ) -> Sequence[Displaced]:
        """Displaced rows in order of account, position and leg, for verification."""
        ...

    async def stored_records(
        self, ledger_id: int, after: int, limit: int
    ) -> Sequence[StoredRecord]:
        """Records with their columns as stored, in order, for verification."""
        ...

    async def stored_entries(
        self, ledger_id: int, after: tuple[int, int, int], limit: int
    ) -> Sequence[StoredEntry]:
        """Entry rows in order of account, position and leg, for verification."""
        ...

    async def entry_lines(
        self, ledger_id: int, after: tuple[int, int, int], limit: int, *, salt: str, position: int
    ) -> EntryLines:
        """The next entry rows in order of account, position and leg, for verification.

        Rows after `position` are passed over.
        """
        ...

    async def stored_tiles(
        self, ledger_id: int, after: tuple[int, int], limit: int
    ) -> Sequence[Tile]:
        """Full tiles in order of level and index, for verification."""
        ...

    async def stored_assets(
        self, ledger_id: int, after: str, limit: int
    ) -> Sequence[tuple[str, int]]:
        """Assets' codes and scales in order of code, for verification."""
        ...

    async def stored_annotations(
        self, ledger_id: int, after: Annotation, limit: int
    ) -> Sequence[Annotation]:
        """Annotations in order of term and position, for verification."""
        ...

    async def stored_account_annotations(
        self, ledger_id: int, after: AccountAnnotation, limit: int
    ) -> Sequence[AccountAnnotation]:
        """Annotations of accounts in order of term and address, for verification."""
        ...
