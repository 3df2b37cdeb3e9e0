"""Accounts: addresses, classes, status, limits, assets. No balances here; those are entries."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Final

from tandem.ledger.core.limits import CACHED_ADDRESSES, MAX_ADDRESS_CHARS, MAX_ASSET_SCALE

_ADDRESS: Final = re.compile(r"[a-zA-Z0-9_-]+(?::[a-zA-Z0-9_-]+)*", re.ASCII)
_ASSET: Final = re.compile(r"([A-Z][A-Z0-9_]{0,15})/(0|[1-9][0-9]?)", re.ASCII)


class AccountClass(StrEnum):
    """The five classes of bookkeeping; the class fixes the side on which a balance is positive."""

    ASSET = "asset"
    LIABILITY = "liability"
    EQUITY = "equity"
    INCOME = "income"
    EXPENSE = "expense"

    @property
    def debit_normal(self) -> bool:
        """True where debits increase the balance."""
        return self in (AccountClass.ASSET, AccountClass.EXPENSE)


class AccountStatus(StrEnum):
    """Open takes everything, frozen takes nothing new, closed takes nothing ever again."""

    OPEN = "open"
    FROZEN = "frozen"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of an account besides its balance.

    `min_balance_minor` bounds `available` on outflow, `max_balance_minor` bounds the posted
    balance on inflow; None is no bound. `asset` is written `CODE/scale`, as `EUR/2`.
    """

    number: int
    address: str
    asset: str
    account_class: AccountClass
    debit_normal: bool
    min_balance_minor: int | None
    max_balance_minor: int | None
    status: AccountStatus
    opened_position: int
    opened_at_us: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    limited: bool = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Note whether there is any bound to check."""
        bounds = (self.min_balance_minor, self.max_balance_minor)
        object.__setattr__(self, "limited", bounds != (None, None))


def is_address(value: object) -> bool:
    """True for `segment(:segment)*` of ASCII letters, digits, `_` and `-`, up to 128 characters."""
    return isinstance(value, str) and len(value) <= MAX_ADDRESS_CHARS and _matches(value)


@lru_cache(maxsize=CACHED_ADDRESSES)
def _matches(value: str) -> bool:
    # Remembered because the same few accounts come again and again, and always in short texts.
    return _ADDRESS.fullmatch(value) is not None


def parse_asset(value: object) -> tuple[str, int] | None:
    """Split `CODE/scale` into code and scale (digits after the point), or None where it is not."""
    if not isinstance(value, str):
        return None
    match = _ASSET.fullmatch(value)
    if match is None or int(match[2]) > MAX_ASSET_SCALE:
        return None
    return match[1], int(match[2])
