"""The log as a Merkle tree: its checkpoint, its tiles, and the proofs that are made of them.

Full tiles are stored. The hashes of a last, partial tile are made of what is below it: records'
bytes on level 0, full tiles on the levels above.
"""

from collections.abc import Iterable
from typing import NamedTuple

from tandem.ledger.core.limits import CACHED_TILE_ROOTS
from tandem.ledger.core.merkle import TILE_HASHES, TILE_HEIGHT, Tree, leaf_hashes, tile_root
from tandem.ledger.core.proofs import (
    ProofError,
    Run,
    TileNeed,
    consistency_runs,
    inclusion_runs,
    proof_from_tiles,
    tiles_needed,
)
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused
from tandem.ledger.core.tile_paths import write_bundle
from tandem.ledger.signing import Signer
from tandem.ledger.storage.port import Head, LedgerStore


class LastEntry(NamedTuple):
    """The record that an account's totals are read of; `leg` is None where it has no entries."""

    position: int
    leg: int | None
    body: str


class LogReader:
    """Reads of one ledger's log."""

    def __init__(self, store: LedgerStore, head: Head, signer: Signer | None) -> None:
        self._store = store
        self._ledger_id = head.ledger_id
        self._name = head.name
        self._signer = signer
        self._roots: dict[tuple[int, int], bytes] = {}

    async def head(self) -> Head:
        """The head as it is now."""
        head = await self._store.head(self._name)
        assert head is not None
        return head

    def signer(self) -> Signer:
        """The key that signs; refused `unavailable` where there is none."""
        if self._signer is None:
            detail = "this server has no signing key; set one (signing_key)"
            raise Refused(Refusal(RefusalCode.UNAVAILABLE, detail))
        return self._signer

    def checkpoint(self, head: Head) -> str:
        """Sign a head."""
        root = Tree.restore(head.position, head.frontier, []).root()
        return self.signer().sign(self._name, head.position, root)

    async def tile(self, need: TileNeed, size: int) -> bytes:
        """The first hashes of a tile of a log that is at least so long."""
        level, tile_index, width = need
        if (size >> (TILE_HEIGHT * level)) - tile_index * TILE_HASHES < width:
            raise _not_there(f"the log has no tile {level}/{tile_index} of {width} hashes yet")
        if width == TILE_HASHES:
            found = await self._store.tiles(self._ledger_id, level, tile_index, 1)
            return _whole(found, 1)[0]
        first = tile_index * TILE_HASHES
        if level == 0:
            return b"".join(leaf_hashes(await self._bodies(first, width)))
        return b"".join(await self._tile_roots(level - 1, range(first, first + width)))

    async def entry_bundle(self, tile_index: int, width: int, size: int) -> bytes:
        """The bytes of a tile's records."""
        first = tile_index * TILE_HASHES
        if size - first < width:
            raise _not_there(f"the log has no {width} records after {first} yet")
        try:
            return write_bundle(await self._bodies(first, width))
        except ProofError as error:
            raise Refused(Refusal(RefusalCode.TOO_LARGE, str(error))) from None

    async def canonical_records(self, after: int, limit: int) -> tuple[str, ...]:
        """The texts of the records after a position."""
        return tuple(await self._store.bodies(self._ledger_id, after, limit))

    async def inclusion(self, position: int, size: int) -> tuple[str, ...]:
        """The audit path of a record, in hexadecimal."""
        if position > size:
            raise _not_there(f"a log of {size} records has no position {position}")
        return await self._hashes(inclusion_runs(position - 1, size), size)

    async def consistency(self, first: int, second: int) -> tuple[str, ...]:
        """The consistency path between two sizes, in hexadecimal."""
        return await self._hashes(consistency_runs(first, second), second)

    async def last_entry(self, address: str, position: int) -> LastEntry:
        """The last entry of an account up to a position, with its record."""
        account = await self._store.account(self._ledger_id, address)
        if account is None or account.opened_position > position:
            detail = f"no account {address}"
            raise Refused(Refusal(RefusalCode.ACCOUNT_NOT_FOUND, detail, "account"))
        entry = await self._store.last_entry(self._ledger_id, account.number, position)
        at = account.opened_position if entry is None else entry[0]
        (body,) = await self._bodies(at - 1, 1)
        return LastEntry(at, None if entry is None else entry[1], body)

    async def _hashes(self, runs: list[Run], size: int) -> tuple[str, ...]:
        needed = tiles_needed(runs, size)
        tiles = {need: await self.tile(need, size) for need in needed}
        return tuple(one.hex() for one in proof_from_tiles(runs, size, tiles))

    async def _bodies(self, after: int, count: int) -> list[str]:
        return _whole(await self._store.bodies(self._ledger_id, after, count), count)

    async def _tile_roots(self, level: int, indexes: range) -> list[bytes]:
        """Roots of full tiles; those that were made once are remembered."""
        missing = [index for index in indexes if (level, index) not in self._roots]
        if missing:
            count = missing[-1] - missing[0] + 1
            tiles = await self._store.tiles(self._ledger_id, level, missing[0], count)
            if len(self._roots) > CACHED_TILE_ROOTS:
                self._roots.clear()
            for index, hashes in enumerate(_whole(tiles, count), missing[0]):
                self._roots[level, index] = tile_root(hashes)
        # Of this very range, those that were not missing may have gone with the rest.
        if any((level, index) not in self._roots for index in indexes):
            return await self._tile_roots(level, indexes)
        return [self._roots[level, index] for index in indexes]


def _whole[T](found: Iterable[T], count: int) -> list[T]:
    """Be sure that the log has all that its head promises."""
    items = list(found)
    assert len(items) == count, "the log is not as long as its head says"
    return items


def _not_there(detail: str) -> Refused:
    return Refused(Refusal(RefusalCode.TRANSACTION_NOT_FOUND, detail, "position"))
