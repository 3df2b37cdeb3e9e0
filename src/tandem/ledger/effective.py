"""Reads by effective time: balances, trial balances and statements as of a business date.

`balance(effective, known)` is the running total at the last position that is both recorded by the
effective time and known, corrected by the displaced entries between: those recorded later that
were effective by then, less those recorded by then that were not effective yet (the bitemporal
design of house.md). No row is ever rewritten, so an answer as known at a position is the same for
ever. Only what is posted has an effective time; what is pending counts as it was recorded.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from tandem.ledger.core.accounts import Account
from tandem.ledger.core.limits import MAX_TIME_US, MIN_TIME_US
from tandem.ledger.core.records import ZERO, Balance
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused
from tandem.ledger.reader import BalanceReading, Reader
from tandem.ledger.storage.port import AssetTotals, LedgerStore, StatementRow, StatementSpan, Window

FIRST_PLACE: Final = (MIN_TIME_US - 1, 0, -1)


class Period(NamedTuple):
    """What a statement covers: [`from_us`, `until_us`), by effective or by recorded time."""

    by_effective: bool
    from_us: int
    until_us: int


class StatementReading(NamedTuple):
    """A page of a statement; `opening` and `closing` are the whole statement's."""

    account: Account
    known: int
    opening: Balance
    closing: Balance
    rows: Sequence[StatementRow]


class EffectiveReader:
    """Reads of one ledger by effective time."""

    def __init__(self, store: LedgerStore, ledger_id: int, reader: Reader) -> None:
        self._store = store
        self._ledger_id = ledger_id
        self._reader = reader

    async def balance(
        self, address: str, effective_us: int, known: int, known_us: int | None = None
    ) -> BalanceReading:
        """An account's totals as of an effective time, as known at a position.

        `known_us` is the time by which holds count as expired, where it is not the record's own.
        """
        latest = await self._reader.balance_as_of(address, known, known_us)
        window = await self._window(effective_us, known)
        return latest._replace(balance=await self._effective_by(latest, window))

    async def trial_balance(self, effective_us: int, known: int) -> Sequence[AssetTotals]:
        """Sums per asset as of an effective time, as known at a position."""
        window = await self._window(effective_us, known)
        _, at_middle = await self._store.totals(self._ledger_id, window.middle)
        moved = await self._store.displaced_totals(self._ledger_id, window)
        lines = {line.asset: line for line in at_middle}
        for asset, change in moved.items():
            line = lines.get(asset, AssetTotals(asset, 0, ZERO))
            lines[asset] = line._replace(totals=_moved(line.totals, change))
        return [lines[asset] for asset in sorted(lines)]

    async def statement(
        self,
        address: str,
        period: Period,
        known: int,
        after: tuple[int, int, int],
        limit: int,
    ) -> StatementReading:
        """Posted entries after a place, between the balances before and after the period."""
        by_effective, from_us, until_us = period
        latest = await self._reader.balance_as_of(address, known, None)
        begin = await self._window(from_us - 1, known)
        end = await self._window(until_us - 1, known)
        if by_effective:
            opening = await self._effective_by(latest, begin)
            closing = await self._effective_by(latest, end)
        else:
            opening = await self._running(latest, begin.middle, None)
            closing = await self._running(latest, end.middle, None)
        # What is effective as recorded and before the place need not be walked again.
        begun = await self._last_by(after[0] - 1, known) if by_effective else after[1] - 1
        first, last = max(begin.middle, begun), end.middle
        span = StatementSpan(by_effective, from_us, until_us, first, last, known)
        rows = await self._store.statement(self._ledger_id, address, span, after, limit)
        return StatementReading(latest.account, known, opening, closing, rows)

    async def _effective_by(self, latest: BalanceReading, window: Window) -> Balance:
        """An account's totals in a window; `latest` are those at the last position known."""
        base = await self._running(latest, window.middle, window.effective_us)
        moved = await self._store.displacement(self._ledger_id, latest.account.address, window)
        return _moved(base, moved)

    async def _running(self, latest: BalanceReading, position: int, now_us: int | None) -> Balance:
        """An account's totals just after a record; `latest` are those after a later or the same."""
        account = latest.account
        if position == latest.position:
            return latest.balance
        if position < account.opened_position:
            return ZERO
        return (await self._reader.balance_as_of(account.address, position, now_us)).balance

    async def _window(self, effective_us: int, known: int) -> Window:
        return Window(await self._last_by(effective_us, known), known, effective_us)

    async def _last_by(self, time_us: int, known: int) -> int:
        """The last known position that is recorded by a time."""
        if time_us < MIN_TIME_US:
            return 0
        return min(known, await self._store.position_at(self._ledger_id, time_us))


def whole_period(by_effective: bool, from_us: int | None, until_us: int | None) -> Period:
    """Fill in what is left out: everything there is; refuse a period that ends before it begins."""
    begin = MIN_TIME_US if from_us is None else from_us
    end = MAX_TIME_US if until_us is None else until_us
    if begin >= end:
        raise Refused(Refusal(RefusalCode.MALFORMED, "a statement ends after it begins", "until"))
    return Period(by_effective, begin, end)


def _moved(balance: Balance, change: tuple[int, int]) -> Balance:
    debits, credits_ = change
    return balance._replace(
        posted_debits=balance.posted_debits + debits,
        posted_credits=balance.posted_credits + credits_,
    )
