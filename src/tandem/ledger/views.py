"""From the core's records and totals to the interface's types. Pure, so a replay looks the same."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, cast

from tandem.ledger import api
from tandem.ledger.audit.findings import Findings
from tandem.ledger.core.accounts import Account
from tandem.ledger.core.kinds import Direction, Effect, HoldStatus
from tandem.ledger.core.records import Entry, Record
from tandem.ledger.reader import BalanceReading, HoldReading
from tandem.ledger.storage.port import AssetTotals, StatementRow
from tandem.ledger.storage.rows import KINDS
from tandem.ledger.times import from_us


def record_view(record: Record, *, replayed: bool = False) -> api.Record:
    """Show a record."""
    return api.Record(
        position=record.position,
        recorded_at=from_us(record.recorded_at_us),
        kind=record.kind,
        idempotency_key=record.key,
        entries=tuple(map(_entry_view, record.entries)),
        parent=record.parent,
        reference=record.reference,
        metadata=record.metadata,
        capture_limit_minor=record.capture_limit_minor,
        final=record.final,
        override_limits=record.override_limits,
        expires_at=_time(record.expires_at_us),
        effective_at=_time(record.effective_at_us),
        closed_through=_time(record.closed_through_us),
        account=None if record.account is None else account_view(record.account),
        refusal=record.refusal,
        replayed=replayed,
    )


def _time(time_us: int | None) -> datetime | None:
    return None if time_us is None else from_us(time_us)


def _entry_view(entry: Entry) -> api.PostedEntry:
    return api.PostedEntry(
        entry.address,
        entry.effect.direction,
        cast("Literal['post', 'hold', 'capture', 'release']", entry.effect.verb),
        entry.amount_minor,
        *entry.balance,
    )


def account_view(account: Account) -> api.Account:
    """Show an account."""
    return api.Account(
        address=account.address,
        asset=account.asset,
        account_class=account.account_class,
        status=account.status,
        min_balance_minor=account.min_balance_minor,
        max_balance_minor=account.max_balance_minor,
        opened_at=from_us(account.opened_at_us),
        opened_position=account.opened_position,
        metadata=account.metadata,
    )


def balance_view(reading: BalanceReading) -> api.AccountBalance:
    """Show a balance."""
    account, balance = reading.account, reading.balance
    return api.AccountBalance(
        account.address,
        account.asset,
        reading.position,
        balance.posted(debit_normal=account.debit_normal),
        balance.available(debit_normal=account.debit_normal),
        *balance,
    )


def hold_view(reading: HoldReading) -> api.Hold:
    """Show a hold; one past its expiry is expired, written down or not."""
    hold = reading.hold
    status = HoldStatus.EXPIRED if reading.expired else hold.status
    assert status is not None
    return api.Hold(
        position=hold.position,
        status=status,
        held_minor=hold.held_minor,
        captured_minor=hold.captured_minor,
        remaining_minor=0 if reading.expired else hold.remaining_minor,
        capture_limit_minor=hold.capture_limit_minor,
        expires_at=_time(hold.expires_at_us),
        record=record_view(reading.record),
    )


def totals_view(totals: AssetTotals) -> api.TrialBalanceLine:
    """Show the totals of one asset; the difference is over posted and pending both."""
    sums = totals.totals
    posted = sums.posted_debits - sums.posted_credits
    pending = sums.pending_debits - sums.pending_credits
    return api.TrialBalanceLine(
        totals.asset, totals.accounts, *sums, difference_minor=posted or pending
    )


def statement_lines(
    account: Account, rows: Sequence[StatementRow], before_minor: int
) -> list[api.StatementLine]:
    """Show lines, each with the balance after it; before the first it is `before_minor`."""
    lines: list[api.StatementLine] = []
    balance_minor = before_minor
    for row in rows:
        direction = Effect(row.effect).direction
        grows = (direction is Direction.DEBIT) == account.debit_normal
        balance_minor += row.amount_minor if grows else -row.amount_minor
        lines.append(
            api.StatementLine(
                row.position,
                KINDS[row.kind],
                from_us(row.recorded_at_us),
                from_us(row.effective_us),
                direction,
                row.amount_minor,
                balance_minor,
            )
        )
    return lines


def verification_view(found: Findings) -> api.Verification:
    """Show what an audit found."""
    return api.Verification(
        found.records, found.entries, found.accounts, found.root.hex(), found.faults
    )
