"""The log's Merkle tree (RFC 9162 §2.1), kept as a frontier, with full tiles (C2SP tlog-tiles).

Leaf = SHA-256(0x00 ‖ canonical bytes), node = SHA-256(0x01 ‖ left ‖ right). The frontier holds
one hash for every set bit of the size; a tile holds 256 hashes of one level and never changes.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, NamedTuple, Self

HASH_BYTES: Final = 32
TILE_HEIGHT: Final = 8
TILE_HASHES: Final = 1 << TILE_HEIGHT
EMPTY_ROOT: Final = sha256(b"").digest()


def leaf_hash(body: bytes) -> bytes:
    """Hash a record's canonical bytes."""
    return sha256(b"\0" + body).digest()


def leaf_hashes(texts: Iterable[str]) -> list[bytes]:
    """Hash the canonical texts of records: `leaf_hash` for many, without a call for each."""
    return [sha256(b"\0" + text.encode()).digest() for text in texts]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into one."""
    return sha256(b"\1" + left + right).digest()


class Tile(NamedTuple):
    """A full tile: hashes `tile_index * 256` to `tile_index * 256 + 255` of a tile level."""

    level: int
    tile_index: int
    hashes: bytes


class Tree:
    """The frontier of the tree and the hashes of its partial tiles."""

    __slots__ = ("_frontier", "_partial", "size")

    def __init__(self) -> None:
        self.size = 0
        self._frontier: list[bytes] = []  # highest subtree first, one per set bit of the size
        self._partial: list[list[bytes]] = []  # per tile level, the hashes of its last tile

    @classmethod
    def restore(cls, size: int, frontier: bytes, partial: list[list[bytes]]) -> Self:
        """Make the tree of a stored size, frontier and partial tiles again."""
        tree = cls()
        tree.size = size
        tree._frontier = [
            frontier[start : start + HASH_BYTES] for start in range(0, len(frontier), HASH_BYTES)
        ]
        assert len(tree._frontier) == size.bit_count()
        tree._partial = [list(hashes) for hashes in partial]
        return tree

    def copy(self) -> Self:
        """Return a tree that can grow apart from this one."""
        return self.restore(self.size, self.frontier, self._partial)

    @property
    def frontier(self) -> bytes:
        """The frontier's hashes, highest subtree first."""
        return b"".join(self._frontier)

    def append(self, leaf: bytes) -> list[Tile]:
        """Add a leaf hash; return the tiles that it filled."""
        tiles = self._extend_tile(0, leaf)
        tiles += self._carry(leaf, 0)
        self.size += 1
        return tiles

    def extend(self, leaves: Sequence[bytes]) -> list[Tile]:
        """Add leaf hashes, whole tiles at a time where it can; return the tiles they filled."""
        tiles: list[Tile] = []
        if not self._partial:
            self._partial.append([])
        start = 0
        while start < len(leaves):
            if self.size % TILE_HASHES or len(leaves) - start < TILE_HASHES:
                tiles += self.append(leaves[start])
                start += 1
                continue
            whole = leaves[start : start + TILE_HASHES]
            tiles.append(Tile(0, self.size >> TILE_HEIGHT, b"".join(whole)))
            self.size += TILE_HASHES - 1  # the last leaf's place, from which the carry goes up
            tiles += self._carry_tile(power_root(whole))
            self.size += 1
            start += TILE_HASHES
        return tiles

    def _carry_tile(self, root: bytes) -> list[Tile]:
        """Add the root of a whole tile, as its last leaf would have."""
        tiles = self._extend_tile(1, root)
        tiles += self._carry(root, TILE_HEIGHT)
        return tiles

    def _carry(self, node: bytes, height: int) -> list[Tile]:
        """Join a complete subtree of a height with those to its left, as far as they go."""
        tiles: list[Tile] = []
        frontier, carried = self._frontier, self.size >> height
        while carried & 1:
            node = sha256(b"\1" + frontier.pop() + node).digest()
            height += 1
            carried >>= 1
            if height % TILE_HEIGHT == 0:
                tiles += self._extend_tile(height // TILE_HEIGHT, node)
        frontier.append(node)
        return tiles

    def _extend_tile(self, level: int, node: bytes) -> list[Tile]:
        if level == len(self._partial):
            self._partial.append([])
        partial = self._partial[level]
        partial.append(node)
        if len(partial) < TILE_HASHES:
            return []
        index = (self.size >> (TILE_HEIGHT * level)) // TILE_HASHES
        tile = Tile(level, index, b"".join(partial))
        partial.clear()
        return [tile]

    def root(self) -> bytes:
        """The root hash of all leaves; of none, SHA-256 of nothing."""
        if not self._frontier:
            return EMPTY_ROOT
        *rest, node = self._frontier
        for left in reversed(rest):
            node = node_hash(left, node)
        return node


def tile_root(hashes: bytes) -> bytes:
    """The root of a full tile: the hash that stands for it one tile level up."""
    level = [hashes[start : start + HASH_BYTES] for start in range(0, len(hashes), HASH_BYTES)]
    assert len(level) == TILE_HASHES
    return power_root(level)


def power_root(level: Sequence[bytes]) -> bytes:
    """The root over hashes whose number is a power of two."""
    while len(level) > 1:
        pairs = iter(level)
        level = [
            sha256(b"\1" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)
        ]
    return level[0]
