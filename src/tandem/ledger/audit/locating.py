"""The second look: where exactly entry rows differ, and which records share a key.

Only taken where the first look found that something is wrong.
"""

from collections.abc import AsyncIterator, Collection
from typing import Final, NamedTuple

from tandem.ledger.audit.findings import Faults
from tandem.ledger.audit.keys import Twins
from tandem.ledger.core.canonical import decode
from tandem.ledger.core.records import Balance, Record
from tandem.ledger.storage.port import Head, LedgerStore

PAGE_RECORDS: Final = 1_000
_BEFORE: Final = -(2**63)


class _Entry(NamedTuple):
    position: int
    leg: int
    effect: int
    amount_minor: int
    balance: Balance


class EntryRows:
    """One account's entry rows, followed along the log up to the first that differs."""

    def __init__(self, store: LedgerStore, head: Head, number: int) -> None:
        self._rows = _rows(store, head, number)
        self._done = False

    async def difference(self, entry: _Entry) -> str | None:
        """Compare the next entry of a record with the next row."""
        if self._done:
            return None
        row = await anext(self._rows, None)
        if row == entry:
            return None
        self._done = True
        if row is None or row[:2] > entry[:2]:
            return f"its entry row of position {entry.position}, leg {entry.leg} is missing"
        if row[:2] < entry[:2]:
            return _unfounded(row)
        return f"its entry row of position {entry.position}, leg {entry.leg} differs"

    async def surplus(self) -> str | None:
        """What is left of the rows at the end of the log."""
        row = None if self._done else await anext(self._rows, None)
        return None if row is None else _unfounded(row)


def _unfounded(row: _Entry) -> str:
    return f"its entry row of position {row.position}, leg {row.leg} is of no record"


async def _rows(store: LedgerStore, head: Head, number: int) -> AsyncIterator[_Entry]:
    after = (number, _BEFORE, -1)
    while page := await store.stored_entries(head.ledger_id, after, PAGE_RECORDS):
        for row in page:
            if row.account_number != number:
                return
            if row.position <= head.position:
                yield _Entry(*row[1:])
        after = page[-1][:3]


async def locate(
    store: LedgerStore,
    head: Head,
    faults: Faults,
    suspects: dict[str, int],
    twins: Collection[int],
) -> None:
    """Walk the log again and report what suspect accounts (with their numbers) and keys have."""
    rows = {address: EntryRows(store, head, number) for address, number in suspects.items()}
    keys = Twins(faults, twins)
    async for record in _records(store, head):
        keys.take(record)
        for leg, (address, effect, amount_minor, balance) in enumerate(record.entries):
            if address in rows:
                entry = _Entry(record.position, leg, effect, amount_minor, balance)
                told = await rows[address].difference(entry)
                if told is not None:
                    faults.add(f"account {address}: {told}")
    for address, left in rows.items():
        told = await left.surplus()
        if told is not None:
            faults.add(f"account {address}: {told}")


async def _records(store: LedgerStore, head: Head) -> AsyncIterator[Record]:
    position = 0
    while position < head.position:
        page = await store.stored_records(head.ledger_id, position, PAGE_RECORDS)
        for stored in page:
            if stored.position <= head.position:
                try:
                    yield decode(stored.body)
                except ValueError:
                    continue  # the first look has told
        if not page:
            return
        position = page[-1].position
