"""Commands: what a caller asks of the ledger, already checked for shape (see `intake`).

A command says nothing of time, positions or balances; those are given when it is decided.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from tandem.ledger.core.accounts import AccountClass, AccountStatus
from tandem.ledger.core.kinds import Direction

NO_METADATA: Final[Mapping[str, str]] = {}


# The effective time of the transaction that is reversed.
type Original = Literal["original"]
ORIGINAL: Final[Original] = "original"


class RequestedEntry(NamedTuple):
    """A debit or credit asked for; `asset`, where given, must be the account's."""

    address: str
    direction: Direction
    amount_minor: int
    asset: str | None = None


class OpenAccount(NamedTuple):
    """Open an account."""

    key: str | None
    address: str
    asset: str
    account_class: AccountClass
    min_balance_minor: int | None
    max_balance_minor: int | None
    metadata: Mapping[str, str]


class Limit(NamedTuple):
    """A new limit; None lifts it."""

    balance_minor: int | None


class UpdateAccount(NamedTuple):
    """Freeze, reopen, close or re-limit an account; None keeps what is."""

    key: str | None
    address: str
    status: AccountStatus | None
    min_balance: Limit | None
    max_balance: Limit | None
    metadata: Mapping[str, str] | None


class Transfer(NamedTuple):
    """Post a transaction of one debit and one credit: what is asked most often, so flat and small.

    It asks the same as a `Post` of these two entries.
    """

    key: str | None
    debit_account: str
    credit_account: str
    amount_minor: int
    asset: str | None
    reference: str | None
    metadata: Mapping[str, str]
    effective_at_us: int | None = None

    @property
    def entries(self) -> tuple[RequestedEntry, RequestedEntry]:
        """The debit, then the credit."""
        _, debited, credited, amount_minor, asset, *_ = self
        return (
            RequestedEntry(debited, Direction.DEBIT, amount_minor, asset),
            RequestedEntry(credited, Direction.CREDIT, amount_minor, asset),
        )


class Post(NamedTuple):
    """Post a transaction of two entries or more."""

    key: str | None
    entries: tuple[RequestedEntry, ...]
    reference: str | None
    metadata: Mapping[str, str]
    effective_at_us: int | None = None


class PlaceHold(NamedTuple):
    """Reserve a transaction."""

    key: str | None
    entries: tuple[RequestedEntry, ...]
    expires_at_us: int | None
    capture_limit_minor: int | None
    reference: str | None
    metadata: Mapping[str, str]


class Capture(NamedTuple):
    """Post what a hold reserves: all that remains, an amount, or named entries."""

    key: str | None
    hold: int
    amount_minor: int | None
    entries: tuple[RequestedEntry, ...] | None
    final: bool
    metadata: Mapping[str, str]
    effective_at_us: int | None = None


class Release(NamedTuple):
    """Give back what a hold still reserves: all, an amount, or named entries."""

    key: str | None
    hold: int
    amount_minor: int | None
    entries: tuple[RequestedEntry, ...] | None
    metadata: Mapping[str, str]


class Reverse(NamedTuple):
    """Mirror a posted transaction: all that is left of it, an amount, or named entries."""

    key: str | None
    transaction: int
    amount_minor: int | None
    entries: tuple[RequestedEntry, ...] | None
    override_limits: bool
    reference: str | None
    metadata: Mapping[str, str]
    effective_at_us: int | Original | None = None


class ClosePeriod(NamedTuple):
    """Let nothing more take effect at or before a time."""

    key: str | None
    through_us: int
    metadata: Mapping[str, str]


type SingleCommand = (
    OpenAccount
    | UpdateAccount
    | Transfer
    | Post
    | PlaceHold
    | Capture
    | Release
    | Reverse
    | ClosePeriod
)


class AtomicBatch(NamedTuple):
    """All of the commands or none; the key is the batch's, the commands have none."""

    key: str | None
    commands: tuple[SingleCommand, ...]


type Command = SingleCommand | AtomicBatch


def named_entries(command: Command) -> int:
    """How many entries a command names; an atomic batch names none itself."""
    if type(command) is Transfer:  # told apart first: these come by the thousand
        return 2
    return len(getattr(command, "entries", None) or ())
