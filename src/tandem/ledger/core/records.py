"""Records: the lines of the log, and the entries and running totals in them."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from tandem.ledger.core.accounts import Account
from tandem.ledger.core.commands import NO_METADATA
from tandem.ledger.core.kinds import Effect, RecordKind
from tandem.ledger.core.refusals import Refusal


class Balance(NamedTuple):
    """The four running totals of an account, in minor units."""

    posted_debits: int
    posted_credits: int
    pending_debits: int
    pending_credits: int

    def available(self, *, debit_normal: bool) -> int:
        """Balance on the normal side less pending outflow; pending inflow does not count."""
        if debit_normal:
            return self.posted_debits - self.posted_credits - self.pending_credits
        return self.posted_credits - self.posted_debits - self.pending_debits

    def posted(self, *, debit_normal: bool) -> int:
        """Posted balance on the normal side."""
        difference = self.posted_debits - self.posted_credits
        return difference if debit_normal else -difference


ZERO: Final = Balance(0, 0, 0, 0)


# A named tuple's own constructor is a Python call; this runs for every entry, so it is left out.
_new: Final = tuple.__new__


def after(balance: Balance, effect: int, amount_minor: int) -> Balance:
    """Return the totals after one entry."""
    posted_debits, posted_credits, pending_debits, pending_credits = balance
    adds = _ADDS[effect]
    return _new(
        Balance,
        (
            posted_debits + adds[0] * amount_minor,
            posted_credits + adds[1] * amount_minor,
            pending_debits + adds[2] * amount_minor,
            pending_credits + adds[3] * amount_minor,
        ),
    )


# What one minor unit of an effect adds to each of the four totals, by the effect's code.
_ADDS: Final[tuple[tuple[int, int, int, int], ...]] = (
    (0, 0, 0, 0),
    (1, 0, 0, 0),
    (0, 1, 0, 0),
    (0, 0, 1, 0),
    (0, 0, 0, 1),
    (1, 0, -1, 0),
    (0, 1, 0, -1),
    (0, 0, -1, 0),
    (0, 0, 0, -1),
)


class Entry(NamedTuple):
    """One debit or credit as recorded, with the account's totals after it."""

    address: str
    effect: Effect
    amount_minor: int
    balance: Balance


class Record(NamedTuple):
    """One line of the log; what is None or empty is left out of its canonical bytes.

    `expires_at_us` stands on a hold and again on its expiry. `effective_at_us` is the business time
    of what is posted, None where it is the recorded time. `closed_through_us` is the last effective
    time of a period that the record closes. `account` is the account as it is
    after an `open_account` or `update_account`. `commands` counts the records of an atomic batch,
    which follow its own.
    """

    position: int
    recorded_at_us: int
    kind: RecordKind
    key: str | None
    fingerprint: str | None
    entries: tuple[Entry, ...] = ()
    parent: int | None = None
    reference: str | None = None
    metadata: Mapping[str, str] = NO_METADATA
    expires_at_us: int | None = None
    capture_limit_minor: int | None = None
    final: bool = False
    override_limits: bool = False
    account: Account | None = None
    refusal: Refusal | None = None
    commands: int | None = None
    effective_at_us: int | None = None
    closed_through_us: int | None = None

    @property
    def effective_us(self) -> int:
        """When it takes effect, in microseconds since 1970."""
        return self.recorded_at_us if self.effective_at_us is None else self.effective_at_us
