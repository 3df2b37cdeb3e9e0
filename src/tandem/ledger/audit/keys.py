"""Which keys a log has: eight bytes a key, and those that may be there twice."""

from array import array
from collections import Counter
from collections.abc import Collection
from typing import Final

from tandem.ledger.audit.findings import Faults
from tandem.ledger.core.records import Record

_BUCKETS: Final = 256


class Keys:
    """The hashes of all keys, in buckets so that looking for twins takes little memory.

    Python's own hash: 64 bits, seeded for each process. Equal hashes are a suspicion only.
    """

    def __init__(self) -> None:
        self._buckets = [array("q") for _ in range(_BUCKETS)]

    def add(self, key: str) -> None:
        """Note a key."""
        digest = hash(key)
        self._buckets[digest % _BUCKETS].append(digest)

    def twins(self) -> set[int]:
        """The hashes that are there more than once."""
        found: set[int] = set()
        for bucket in self._buckets:
            if len(set(bucket)) < len(bucket):
                found.update(one for one, count in Counter(bucket).items() if count > 1)
        return found


class Twins:
    """Tells which records share a key, of those whose keys' hashes are there twice."""

    def __init__(self, faults: Faults, hashes: Collection[int]) -> None:
        self.hashes = hashes
        self._faults = faults
        self._first: dict[str, int] = {}

    def take(self, record: Record) -> None:
        """Look at the next record."""
        if record.key is None or hash(record.key) not in self.hashes:
            return
        first = self._first.setdefault(record.key, record.position)
        if first != record.position:
            self._faults.add(f"position {record.position}: its key is that of position {first}")
