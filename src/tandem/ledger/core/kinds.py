"""The closed vocabularies of the log: directions, effects, kinds, statuses, modes."""

from enum import IntEnum, StrEnum


class Direction(StrEnum):
    """The side of an entry."""

    DEBIT = "debit"
    CREDIT = "credit"

    @property
    def opposite(self) -> "Direction":
        """The other side."""
        return Direction.CREDIT if self is Direction.DEBIT else Direction.DEBIT


class Effect(IntEnum):
    """What an entry does to its account's four totals. Odd codes debit, even codes credit.

    The codes are in stored records and never change meaning.
    """

    POST_DEBIT = 1
    POST_CREDIT = 2
    HOLD_DEBIT = 3
    HOLD_CREDIT = 4
    CAPTURE_DEBIT = 5
    CAPTURE_CREDIT = 6
    RELEASE_DEBIT = 7
    RELEASE_CREDIT = 8

    @property
    def direction(self) -> Direction:
        """The side of the entry."""
        return Direction.DEBIT if self % 2 else Direction.CREDIT

    @property
    def verb(self) -> str:
        """One of post, hold, capture, release."""
        return self.name.split("_")[0].lower()


# The effects that change what is posted.
POSTING = frozenset(
    {Effect.POST_DEBIT, Effect.POST_CREDIT, Effect.CAPTURE_DEBIT, Effect.CAPTURE_CREDIT}
)


class RecordKind(StrEnum):
    """What a record of the log did."""

    OPEN_ACCOUNT = "open_account"
    UPDATE_ACCOUNT = "update_account"
    TRANSACTION = "transaction"
    HOLD = "hold"
    CAPTURE = "capture"
    RELEASE = "release"
    EXPIRY = "expiry"
    REVERSAL = "reversal"
    CLOSE_PERIOD = "close_period"
    BATCH = "batch"
    REFUSAL = "refusal"


# Records whose posted entries can be reversed.
REVERSIBLE = frozenset({RecordKind.TRANSACTION, RecordKind.CAPTURE, RecordKind.REVERSAL})


class HoldStatus(StrEnum):
    """Where a hold stands; all but open are final."""

    OPEN = "open"
    CAPTURED = "captured"
    RELEASED = "released"
    EXPIRED = "expired"


class TimeBasis(StrEnum):
    """Which time orders a statement: the business's, or the ledger's own."""

    EFFECTIVE = "effective"
    RECORDED = "recorded"


class BatchMode(StrEnum):
    """Atomic: all or nothing, one key for the whole. Independent: a key and an outcome each."""

    ATOMIC = "atomic"
    INDEPENDENT = "independent"
