"""Reads: balances now, at a position and at a time; accounts, records, holds, trial balance.

Every read is of the database's committed state, so it sees all that was acknowledged before it
began. Reads at a position or a time give the same answer for ever.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tandem.ledger.core.accounts import Account
from tandem.ledger.core.canonical import decode
from tandem.ledger.core.decide.entries import direction_effect
from tandem.ledger.core.filters import AccountFilter, RecordFilter, Span
from tandem.ledger.core.parents import Parent, fold
from tandem.ledger.core.records import Balance, Record, after
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused
from tandem.ledger.storage.port import (
    AccountSlice,
    AssetTotals,
    BalanceRow,
    LedgerStore,
    RecordSlice,
)


class BalanceReading(NamedTuple):
    """An account and its totals as of a position, expired holds taken off."""

    account: Account
    position: int
    balance: Balance


class HoldReading(NamedTuple):
    """A hold as it stands, and its record."""

    hold: Parent
    record: Record
    expired: bool


class Reader:
    """Reads of one ledger."""

    def __init__(
        self, store: LedgerStore, ledger_id: int, name: str, now_us: Callable[[], int]
    ) -> None:
        self._store = store
        self._ledger_id = ledger_id
        self._name = name
        self._now_us = now_us

    async def balance_now(self, address: str) -> BalanceReading:
        """The balance as of every write acknowledged before the call."""
        return await self.balance_as_of(address, None, self._now_us())

    async def balance_as_of(
        self, address: str, position: int | None, now_us: int | None
    ) -> BalanceReading:
        """The balance just after a record that is known to be there (None: the last).

        Holds count as expired by `now_us`, or (None) by the time of that record.
        """
        row = await self._store.balance(self._ledger_id, address, position, now_us)
        if row is None:
            raise _account_not_found(address)
        balance = row.balance
        if row.unswept:
            balance = await self._without_expired(row)
        return BalanceReading(row.account, row.position, balance)

    async def known_position(self, at_position: int | None, at_time_us: int | None) -> int:
        """The position that a read is to know the log up to; neither given, the last one.

        A time is closed first, so that what is read as known at it cannot change.
        """
        if at_time_us is not None:
            await self.close_time(at_time_us)
            return await self._store.position_at(self._ledger_id, at_time_us)
        head = await self._store.head(self._name)
        assert head is not None
        if at_position is None:
            return head.position
        if at_position > head.position:
            detail = f"the log ends at {head.position}"
            raise Refused(Refusal(RefusalCode.MALFORMED, detail, "at_position"))
        return at_position

    async def close_time(self, time_us: int) -> None:
        """See to it that nothing more is recorded at or before a time; refused in the future."""
        head = await self._store.head(self._name)
        assert head is not None
        if time_us <= head.recorded_at_us:
            return  # closed already, even where another process's clock is ahead of ours
        if time_us > self._now_us():
            raise Refused(Refusal(RefusalCode.MALFORMED, "a time to read at has passed", "at_time"))
        await self._store.close_time(self._ledger_id, time_us)
        closed = await self._store.head(self._name)
        if closed is None or closed.recorded_at_us < time_us:
            detail = "this server's clock is ahead of the database's"
            raise Refused(Refusal(RefusalCode.UNAVAILABLE, detail, "at_time"))

    async def _without_expired(self, row: BalanceRow) -> Balance:
        """Take off what holds reserve that had expired by then, though nobody wrote it down."""
        loaded = await self._store.load(self._ledger_id, (), row.unswept, ())
        balance = row.balance
        for chain in loaded.chains.values():
            hold = fold(record for record in chain if record.position <= row.position)
            if hold is None or not hold.open:
                continue
            for leg in hold.legs:
                if leg.address == row.account.address:
                    effect = direction_effect("release", leg.direction)
                    balance = after(balance, effect, leg.remaining_minor)
        return balance

    async def account(self, address: str) -> Account:
        """An account as it stands."""
        account = await self._store.account(self._ledger_id, address)
        if account is None:
            raise _account_not_found(address)
        return account

    async def record(self, position: int) -> Record:
        """The record at a position."""
        bodies = await self._store.bodies(self._ledger_id, position - 1, 1)
        if not bodies:
            detail = f"the log has no position {position}"
            raise Refused(Refusal(RefusalCode.TRANSACTION_NOT_FOUND, detail, "position"))
        return decode(bodies[0])

    async def hold(self, position: int) -> HoldReading:
        """A hold as it stands now, by time."""
        loaded = await self._store.load(self._ledger_id, (), (position,), ())
        chain = loaded.chains.get(position, ())
        hold = fold(chain)
        if hold is None or hold.status is None:
            raise Refused(Refusal(RefusalCode.HOLD_NOT_FOUND, f"{position} is no hold", "hold"))
        overdue = hold.expires_at_us is not None and hold.expires_at_us <= self._now_us()
        return HoldReading(hold, chain[0], expired=hold.open and overdue)

    async def accounts(self, chosen: AccountFilter, after_address: str, limit: int) -> AccountSlice:
        """Accounts by address."""
        return await self._store.accounts(self._ledger_id, chosen, after_address, limit)

    async def span(self, from_us: int | None, until_us: int | None) -> Span:
        """The positions recorded from a time until just before another, up to the last record."""
        head = await self._store.head(self._name)
        assert head is not None
        first, last = 1, head.position
        if from_us is not None:
            first += await self._store.position_at(self._ledger_id, from_us - 1)
        if until_us is not None:
            before = await self._store.position_at(self._ledger_id, until_us - 1)
            last = min(last, before)
        return Span(first, last)

    async def records(self, chosen: RecordFilter, span: Span, limit: int) -> RecordSlice:
        """Records in the order of a span. Of an account: those with entries of it."""
        if chosen.account is not None:
            await self.account(chosen.account)
        if span.first > span.last:
            return RecordSlice(())
        return await self._store.records(self._ledger_id, chosen, span, limit)

    async def trial_balance(self, position: int | None) -> tuple[int, Sequence[AssetTotals]]:
        """Sums per asset as of a position known to be there (None: the last), and that position."""
        return await self._store.totals(self._ledger_id, position)


def _account_not_found(address: str) -> Refused:
    return Refused(Refusal(RefusalCode.ACCOUNT_NOT_FOUND, f"no account {address}", "account"))
