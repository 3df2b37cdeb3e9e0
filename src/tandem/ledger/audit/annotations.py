"""Hold the annotations, by which records and accounts are listed, to the records' text."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Final

from tandem.ledger.core.filters import terms
from tandem.ledger.core.records import Record
from tandem.ledger.storage.port import AccountAnnotation, Annotation, Head, LedgerStore

PAGE_ROWS: Final = 5_000
_STRETCH_RECORDS: Final = 1_000
_FIRST: Final = Annotation("0" * 32, 0)
_FIRST_OF_ACCOUNTS: Final = AccountAnnotation("0" * 32, "")


class Annotations:
    """An order-free digest of what a stretch of records says, and of what its rows say."""

    def __init__(self) -> None:
        self._said: defaultdict[int, int] = defaultdict(int)
        self._had: defaultdict[str, set[str]] = defaultdict(set)
        self.highest = 0  # the highest position that any row has

    def take(self, record: Record) -> None:
        """Note what a record says."""
        if record.reference is not None or record.metadata:
            self.add(record.position, record.reference, record.metadata)
        if record.account is not None and record.account.metadata:
            self._had[record.account.address].update(terms(None, record.account.metadata))

    def add(self, position: int, reference: str | None, metadata: Mapping[str, str]) -> None:
        """Note the reference and metadata of a record."""
        for term in terms(reference, metadata):
            self._add(self._said, Annotation(term, position))

    async def account_faults(self, store: LedgerStore, head: Head) -> Iterator[str]:
        """Compare what accounts had with the rows up to a head; name the accounts that differ."""
        held: defaultdict[str, set[str]] = defaultdict(set)
        after = _FIRST_OF_ACCOUNTS
        while page := await store.stored_account_annotations(head.ledger_id, after, PAGE_ROWS):
            for row in page:
                self.highest = max(self.highest, row.position)
                if row.position <= head.position:
                    held[row.address].add(row.term)
            after = page[-1]
        addresses = sorted(self._had.keys() | held.keys())
        return (
            f"account {address}: its annotations differ from the records"
            for address in addresses
            if self._had[address] != held[address]
        )

    async def faults(self, store: LedgerStore, head: Head) -> Iterator[str]:
        """Compare with the rows up to a head; name the stretches that differ."""
        held: defaultdict[int, int] = defaultdict(int)
        after = _FIRST
        while page := await store.stored_annotations(head.ledger_id, after, PAGE_ROWS):
            for row in page:
                self.highest = max(self.highest, row.position)
                if row.position <= head.position:
                    self._add(held, row)
            after = page[-1]
        stretches = sorted(self._said.keys() | held.keys())
        return (
            f"positions {stretch * _STRETCH_RECORDS} to {(stretch + 1) * _STRETCH_RECORDS - 1}: "
            "their annotations differ from the records"
            for stretch in stretches
            if self._said[stretch] != held[stretch]
        )

    @staticmethod
    def _add(onto: dict[int, int], row: Annotation) -> None:
        digest = sha256(f"{row.term}{row.position}".encode()).digest()
        onto[row.position // _STRETCH_RECORDS] += int.from_bytes(digest)
