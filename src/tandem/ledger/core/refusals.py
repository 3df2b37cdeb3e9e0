"""The closed set of expected "no"s. A refusal is a value: it is returned, recorded and replayed.

Where several apply, `PRECEDENCE` says which one is given.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class RefusalCode(StrEnum):
    """Stable code of a refusal; its HTTP status is in `HTTP_STATUS`."""

    MALFORMED = "malformed"
    IDEMPOTENCY_KEY_MISSING = "idempotency_key_missing"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    LEDGER_NOT_FOUND = "ledger_not_found"
    ACCOUNT_NOT_FOUND = "account_not_found"
    TRANSACTION_NOT_FOUND = "transaction_not_found"
    HOLD_NOT_FOUND = "hold_not_found"
    WEBHOOK_NOT_FOUND = "webhook_not_found"
    ACCOUNT_EXISTS = "account_exists"
    HOLD_NOT_OPEN = "hold_not_open"
    ALREADY_REVERSED = "already_reversed"
    ACCOUNT_NOT_EMPTY = "account_not_empty"
    UNBALANCED = "unbalanced"
    AMOUNT_INVALID = "amount_invalid"
    AMOUNT_OVERFLOW = "amount_overflow"
    ASSET_MISMATCH = "asset_mismatch"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    LIMIT_EXCEEDED = "limit_exceeded"
    ACCOUNT_FROZEN = "account_frozen"
    ACCOUNT_CLOSED = "account_closed"
    CAPTURE_EXCEEDS_HOLD = "capture_exceeds_hold"
    REVERSAL_EXCEEDS_ORIGINAL = "reversal_exceeds_original"
    PERIOD_CLOSED = "period_closed"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    TOO_LARGE = "too_large"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"


HTTP_STATUS: Final[dict[RefusalCode, int]] = {
    RefusalCode.MALFORMED: 400,
    RefusalCode.IDEMPOTENCY_KEY_MISSING: 400,
    RefusalCode.UNAUTHENTICATED: 401,
    RefusalCode.FORBIDDEN: 403,
    RefusalCode.LEDGER_NOT_FOUND: 404,
    RefusalCode.ACCOUNT_NOT_FOUND: 404,
    RefusalCode.TRANSACTION_NOT_FOUND: 404,
    RefusalCode.HOLD_NOT_FOUND: 404,
    RefusalCode.WEBHOOK_NOT_FOUND: 404,
    RefusalCode.ACCOUNT_EXISTS: 409,
    RefusalCode.HOLD_NOT_OPEN: 409,
    RefusalCode.ALREADY_REVERSED: 409,
    RefusalCode.ACCOUNT_NOT_EMPTY: 409,
    RefusalCode.UNBALANCED: 422,
    RefusalCode.AMOUNT_INVALID: 422,
    RefusalCode.AMOUNT_OVERFLOW: 422,
    RefusalCode.ASSET_MISMATCH: 422,
    RefusalCode.INSUFFICIENT_FUNDS: 422,
    RefusalCode.LIMIT_EXCEEDED: 422,
    RefusalCode.ACCOUNT_FROZEN: 422,
    RefusalCode.ACCOUNT_CLOSED: 422,
    RefusalCode.CAPTURE_EXCEEDS_HOLD: 422,
    RefusalCode.REVERSAL_EXCEEDS_ORIGINAL: 422,
    RefusalCode.PERIOD_CLOSED: 422,
    RefusalCode.IDEMPOTENCY_KEY_REUSED: 422,
    RefusalCode.TOO_LARGE: 413,
    RefusalCode.OVERLOADED: 429,
    RefusalCode.UNAVAILABLE: 503,
}

# Where several apply the first rank wins. What stands in one rank excludes each other or is told
# entry by entry in the order given. `amount_overflow` is twice: an amount's, a running total's.
PRECEDENCE: Final[tuple[tuple[RefusalCode, ...], ...]] = (
    (RefusalCode.UNAUTHENTICATED,),
    (RefusalCode.FORBIDDEN,),
    (RefusalCode.LEDGER_NOT_FOUND,),
    (RefusalCode.TOO_LARGE,),
    (RefusalCode.MALFORMED,),
    (RefusalCode.AMOUNT_INVALID, RefusalCode.AMOUNT_OVERFLOW),
    (RefusalCode.IDEMPOTENCY_KEY_MISSING,),
    (RefusalCode.OVERLOADED, RefusalCode.UNAVAILABLE),
    (RefusalCode.IDEMPOTENCY_KEY_REUSED,),
    (
        RefusalCode.ACCOUNT_EXISTS,
        RefusalCode.ACCOUNT_NOT_FOUND,
        RefusalCode.HOLD_NOT_FOUND,
        RefusalCode.TRANSACTION_NOT_FOUND,
        RefusalCode.WEBHOOK_NOT_FOUND,
    ),
    (RefusalCode.HOLD_NOT_OPEN, RefusalCode.ALREADY_REVERSED),
    (RefusalCode.ACCOUNT_CLOSED, RefusalCode.ACCOUNT_FROZEN, RefusalCode.ACCOUNT_NOT_EMPTY),
    (RefusalCode.ASSET_MISMATCH,),
    (RefusalCode.UNBALANCED,),
    (RefusalCode.CAPTURE_EXCEEDS_HOLD, RefusalCode.REVERSAL_EXCEEDS_ORIGINAL),
    (RefusalCode.AMOUNT_OVERFLOW,),
    (RefusalCode.INSUFFICIENT_FUNDS, RefusalCode.LIMIT_EXCEEDED),
    (RefusalCode.PERIOD_CLOSED,),
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a command was refused.

    `field` names the offending field, `index` the offending entry or command of the request,
    `available_minor` what could have been spent (`insufficient_funds`), and `hold_status` what the
    hold had become (`hold_not_open`).
    """

    code: RefusalCode
    detail: str
    field: str | None = None
    index: int | None = None
    available_minor: int | None = None
    hold_status: str | None = None


class Refused(Exception):  # noqa: N818 - a refusal is an answer, not a fault
    """Raised by the SDK where a single command or read was refused; carries the refusal.

    `replayed` is True where the key had been refused before.
    """

    def __init__(self, refusal: Refusal, *, replayed: bool = False) -> None:
        super().__init__(f"{refusal.code}: {refusal.detail}")
        self.refusal = refusal
        self.replayed = replayed

    @property
    def code(self) -> RefusalCode:
        """The stable code of the refusal."""
        return self.refusal.code
