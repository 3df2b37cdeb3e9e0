"""Golden vectors: records, the text that each is, and its leaf hash. They never change.

A difference means that logs in the world can no longer be verified: make a new format version.
"""

from typing import Final

from tandem.ledger.core.accounts import Account, AccountClass, AccountStatus
from tandem.ledger.core.kinds import Effect, RecordKind
from tandem.ledger.core.records import Balance, Entry, Record
from tandem.ledger.core.refusals import Refusal, RefusalCode

_AT_US: Final = 1_772_366_400_000_000
_FINGERPRINT: Final = "00112233445566778899aabbccddeeff"
_MOST: Final = 2**127 - 1

_ACCOUNT: Final = Account(
    number=7,
    address="customers:42:wallet",
    asset="EUR/2",
    account_class=AccountClass.LIABILITY,
    debit_normal=False,
    min_balance_minor=-_MOST,
    max_balance_minor=0,
    status=AccountStatus.FROZEN,
    opened_position=1,
    opened_at_us=_AT_US,
    metadata={"a": '<&>"\\', "\u00e5": "\U0001f6b2\u2028\n\x01\x7f"},
)


def _entries(*effects: Effect) -> tuple[Entry, ...]:
    return tuple(
        Entry("cash" if effect % 2 else "customers:42:wallet", effect, 250, Balance(1, 2, 3, _MOST))
        for effect in effects
    )


RECORDS: Final[dict[str, Record]] = {
    "open_account": Record(
        1, _AT_US, RecordKind.OPEN_ACCOUNT, "open", _FINGERPRINT, account=_ACCOUNT
    ),
    "transaction": Record(
        2,
        _AT_US + 1,
        RecordKind.TRANSACTION,
        'a\\"b',
        _FINGERPRINT,
        _entries(Effect.POST_DEBIT, Effect.POST_CREDIT),
        None,
        "invoice \u00e9\t1",
        {"1": "z", "a": ""},
    ),
    "hold": Record(
        3,
        _AT_US + 2,
        RecordKind.HOLD,
        "hold",
        _FINGERPRINT,
        _entries(Effect.HOLD_DEBIT, Effect.HOLD_CREDIT),
        expires_at_us=_AT_US + 60_000_000,
        capture_limit_minor=300,
    ),
    "capture": Record(
        4,
        _AT_US + 3,
        RecordKind.CAPTURE,
        "capture",
        _FINGERPRINT,
        _entries(
            Effect.CAPTURE_DEBIT, Effect.CAPTURE_CREDIT, Effect.POST_DEBIT, Effect.RELEASE_DEBIT
        ),
        3,
        final=True,
    ),
    "expiry": Record(
        5,
        _AT_US + 4,
        RecordKind.EXPIRY,
        None,
        None,
        _entries(Effect.RELEASE_DEBIT, Effect.RELEASE_CREDIT),
        3,
        expires_at_us=_AT_US + 60_000_000,
    ),
    "reversal": Record(
        6,
        _AT_US + 5,
        RecordKind.REVERSAL,
        "reverse",
        _FINGERPRINT,
        _entries(Effect.POST_CREDIT, Effect.POST_DEBIT),
        2,
        override_limits=True,
    ),
    "batch": Record(7, _AT_US + 6, RecordKind.BATCH, "batch", _FINGERPRINT, commands=2),
    "refusal": Record(
        8,
        _AT_US + 7,
        RecordKind.REFUSAL,
        "broke",
        _FINGERPRINT,
        refusal=Refusal(
            RefusalCode.INSUFFICIENT_FUNDS, "too little", "account", 0, _MOST, "captured"
        ),
    ),
}
