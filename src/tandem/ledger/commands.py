"""Commands for `submit_batch`. Each function checks its arguments and raises `Refused`."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from tandem.ledger.api import Entry
from tandem.ledger.core import intake
from tandem.ledger.core.commands import (
    ORIGINAL,
    Capture,
    ClosePeriod,
    OpenAccount,
    Original,
    PlaceHold,
    Post,
    Release,
    Reverse,
    Transfer,
    UpdateAccount,
)
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused
from tandem.ledger.times import to_us


def raw(entries: Sequence[Entry] | None) -> list[tuple[object, object, object, object]] | None:
    """Take entries apart for intake."""
    if entries is None:
        return None
    try:
        return [
            (entry.account, entry.direction, entry.amount_minor, entry.asset) for entry in entries
        ]
    except (TypeError, AttributeError):
        raise Refused(
            Refusal(RefusalCode.MALFORMED, "entries are made by debit() and credit()", "entries")
        ) from None


def open_account(
    address: str,
    *,
    asset: str,
    account_class: str,
    min_balance_minor: int | str | None = None,
    max_balance_minor: int | str | None = None,
    metadata: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
) -> OpenAccount:
    """Open an account."""
    return intake.open_account(
        idempotency_key,
        address,
        asset,
        account_class,
        min_balance_minor,
        max_balance_minor,
        metadata,
    )


def update_account(
    address: str,
    *,
    status: str | None = None,
    min_balance_minor: int | str | None = None,
    max_balance_minor: int | str | None = None,
    metadata: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
) -> UpdateAccount:
    """Freeze, reopen, close or re-limit an account; "none" lifts a limit."""
    return intake.update_account(
        idempotency_key, address, status, min_balance_minor, max_balance_minor, metadata
    )


def transfer(
    *,
    debit_account: str,
    credit_account: str,
    amount_minor: int | str,
    asset: str | None = None,
    reference: str | None = None,
    metadata: Mapping[str, str] | None = None,
    effective_at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Transfer:
    """Post a two-entry transaction."""
    return intake.transfer(
        idempotency_key,
        debit_account,
        credit_account,
        amount_minor,
        asset,
        reference,
        metadata,
        None if effective_at is None else to_us(effective_at, "effective_at"),
    )


def post_transaction(
    entries: Sequence[Entry],
    *,
    reference: str | None = None,
    metadata: Mapping[str, str] | None = None,
    effective_at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Post:
    """Post a transaction."""
    return intake.post(
        idempotency_key, raw(entries) or [], reference, metadata, _effective_us(effective_at)
    )


def hold(
    entries: Sequence[Entry],
    *,
    expires_at: datetime | None = None,
    capture_limit_minor: int | str | None = None,
    reference: str | None = None,
    metadata: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
) -> PlaceHold:
    """Reserve a transaction."""
    expires_at_us = None if expires_at is None else to_us(expires_at, "expires_at")
    return intake.place_hold(
        idempotency_key,
        raw(entries) or [],
        expires_at_us,
        capture_limit_minor,
        reference,
        metadata,
    )


def capture(
    hold_position: int,
    *,
    amount_minor: int | str | None = None,
    entries: Sequence[Entry] | None = None,
    final: bool = False,
    metadata: Mapping[str, str] | None = None,
    effective_at: datetime | None = None,
    idempotency_key: str | None = None,
) -> Capture:
    """Post what a hold reserves."""
    return intake.capture(
        idempotency_key,
        hold_position,
        amount_minor,
        raw(entries),
        final,
        metadata,
        _effective_us(effective_at),
    )


def release(
    hold_position: int,
    *,
    amount_minor: int | str | None = None,
    entries: Sequence[Entry] | None = None,
    metadata: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
) -> Release:
    """Give back what a hold still reserves."""
    return intake.release(idempotency_key, hold_position, amount_minor, raw(entries), metadata)


def reverse(
    transaction: int,
    *,
    amount_minor: int | str | None = None,
    entries: Sequence[Entry] | None = None,
    override_limits: bool = False,
    reference: str | None = None,
    metadata: Mapping[str, str] | None = None,
    effective_at: datetime | Original | None = None,
    idempotency_key: str | None = None,
) -> Reverse:
    """Mirror a posted transaction."""
    return intake.reverse(
        idempotency_key,
        transaction,
        amount_minor,
        raw(entries),
        override_limits,
        reference,
        metadata,
        effective_at if effective_at == ORIGINAL else _effective_us(effective_at),
    )


def close_period(
    *,
    through: datetime,
    metadata: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
) -> ClosePeriod:
    """Let nothing more take effect at or before a time."""
    return intake.close_period(idempotency_key, to_us(through, "through"), metadata)


def _effective_us(effective_at: object) -> int | None:
    return None if effective_at is None else to_us(effective_at, "effective_at")
