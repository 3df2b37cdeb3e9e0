"""The Merkle tree that an audit grows from the records' bytes, and what it is compared with."""

from collections.abc import Mapping
from hashlib import sha256

from tandem.ledger.audit.findings import Faults
from tandem.ledger.core.merkle import HASH_BYTES, Tree, leaf_hashes


class GrownTree:
    """A tree over the leaf hashes seen so far; remembers a digest of every full tile.

    Records are added to `texts`, a plain list, as that is done for every one.

    `roots` are known roots by size, as old checkpoints say them.
    """

    def __init__(self, faults: Faults, roots: Mapping[int, bytes]) -> None:
        self.tiles: dict[tuple[int, int], bytes] = {}
        self._tree = Tree()
        self._faults = faults
        self.texts: list[str] = []  # records; `grow` takes them in
        self._roots = dict(roots)
        self._check_roots()

    def grow(self) -> None:
        """Take in the records that were added."""
        for size in sorted(self._roots):
            self._extend(size - self._tree.size)
        self._extend(len(self.texts))

    def _extend(self, count: int) -> None:
        if not 0 < count <= len(self.texts):
            return
        for level, tile_index, hashes in self._tree.extend(leaf_hashes(self.texts[:count])):
            self.tiles[level, tile_index] = sha256(hashes).digest()
        del self.texts[:count]
        self._check_roots()

    def _check_roots(self) -> None:
        known = self._roots.pop(self._tree.size, None)
        if known is not None and known != self._tree.root():
            self._faults.add(
                f"checkpoint: the first {self._tree.size} records are not those that it signed"
            )

    @staticmethod
    def holds(digest: bytes | None, hashes: bytes) -> bool:
        """Tell whether a tile is the one of a digest."""
        return digest == sha256(hashes).digest()

    def root(self) -> bytes:
        """The root of all that was added."""
        self.grow()
        return self._tree.root()

    def check_unreached(self) -> None:
        """Report known roots of sizes that the log never had."""
        for size in sorted(self._roots):
            self._faults.add(f"checkpoint: it signed {size} records, the log has {self._tree.size}")

    def check_frontier(self, frontier: bytes) -> None:
        """Compare with the frontier of a head, one subtree after the other."""
        self.grow()
        mine, size = self._tree.frontier, self._tree.size
        if len(frontier) != len(mine):
            self._faults.add(f"head: its Merkle frontier is not of {size} records")
            return
        start = 0
        heights = [height for height in reversed(range(size.bit_length())) if size >> height & 1]
        for at, height in enumerate(heights):
            place = slice(at * HASH_BYTES, (at + 1) * HASH_BYTES)
            if mine[place] != frontier[place]:
                self._faults.add(
                    f"head: its Merkle frontier is not that of the bytes of positions "
                    f"{start + 1} to {start + (1 << height)}"
                )
            start += 1 << height
