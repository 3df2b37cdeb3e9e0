"""The Merkle tree against RFC 9162, read out loud: recursive, slow and plain."""

from functools import cache
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples

from tandem.ledger.core.merkle import (
    TILE_HASHES,
    Tile,
    Tree,
    leaf_hash,
    node_hash,
    tile_root,
)

_LEAVES = [leaf_hash(str(number).encode()) for number in range(1_200)]


@cache
def _root(first: int, size: int) -> bytes:
    """MTH of RFC 9162 2.1.1 over leaves from `first` on."""
    if size == 0:
        return sha256(b"").digest()
    if size == 1:
        return _LEAVES[first]
    split = 1
    while split * 2 < size:
        split *= 2
    left, right = _root(first, split), _root(first + split, size - split)
    return sha256(b"\x01" + left + right).digest()


def _grown(size: int) -> tuple[Tree, list[Tile]]:
    tree, tiles = Tree(), list[Tile]()
    for leaf in _LEAVES[:size]:
        tiles += tree.append(leaf)
    return tree, tiles


def _partial(size: int) -> list[list[bytes]]:
    """The hashes of each level's last, unfilled tile."""
    levels, width, full = [], 1, size
    while full:
        first = full - full % TILE_HASHES
        levels.append([_root(index * width, width) for index in range(first, full)])
        full, width = full // TILE_HASHES, width * TILE_HASHES
    return levels


def test_hashes_are_prefixed() -> None:
    """A leaf is never a node: RFC 9162's prefixes, on its empty and single trees."""
    assert leaf_hash(b"") == sha256(b"\x00").digest()
    assert node_hash(b"a", b"b") == sha256(b"\x01ab").digest()
    assert Tree().root() == sha256(b"").digest()


def test_every_size_has_the_root_of_the_rfc() -> None:
    """From none to six hundred leaves, one at a time."""
    tree = Tree()
    for size, leaf in enumerate(_LEAVES[:600]):
        assert (tree.size, tree.root()) == (size, _root(0, size))
        assert len(tree.frontier) == 32 * size.bit_count()
        tree.append(leaf)


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 300, 511, 512, 513, 600])
def test_a_restored_tree_grows_like_the_first(size: int) -> None:
    """From its frontier and partial tiles it reaches the same roots and fills the same tiles."""
    tree, _ = _grown(size)
    restored = Tree.restore(size, tree.frontier, _partial(size))
    for leaf in _LEAVES[size : size + 520]:
        assert restored.append(leaf) == tree.append(leaf)
        assert restored.frontier == tree.frontier
    assert restored.root() == _root(0, size + 520)


@examples(25)
@given(st.integers(0, 600), st.integers(0, 300))
def test_a_copy_grows_apart(size: int, more: int) -> None:
    """What is appended to a copy is not in the original, and the other way round."""
    tree, _ = _grown(size)
    copy = tree.copy()
    for leaf in _LEAVES[size : size + more]:
        copy.append(leaf)
    assert (tree.size, tree.root()) == (size, _root(0, size))
    assert copy.root() == _root(0, size + more)


def test_tiles_hold_what_the_tree_has() -> None:
    """Each full tile comes once, when it fills, with the 256 hashes of its place."""
    _, tiles = _grown(1_100)
    assert [(tile.level, tile.tile_index) for tile in tiles] == [(0, n) for n in range(4)]
    for tile in tiles:
        first = tile.tile_index * TILE_HASHES
        assert tile.hashes == b"".join(_LEAVES[first : first + TILE_HASHES])
        assert tile_root(tile.hashes) == _root(first, TILE_HASHES)


def test_upper_tiles_are_of_tile_roots() -> None:
    """After 65,536 leaves the first tile of the level above is full, and hashes to the root."""
    tree, roots = Tree(), list[bytes]()
    leaf = leaf_hash(b"the same leaf each time")
    for number in range(TILE_HASHES * TILE_HASHES):
        tiles = tree.append(leaf)
        assert bool(tiles) == (number % TILE_HASHES == TILE_HASHES - 1)
        roots += [tile_root(tile.hashes) for tile in tiles if tile.level == 0]
    low, high = tiles
    assert (low.level, low.tile_index) == (0, TILE_HASHES - 1)
    assert (high.level, high.tile_index) == (1, 0)
    assert high.hashes == b"".join(roots)
    assert tree.frontier == tree.root() == tile_root(high.hashes)


@given(st.lists(st.integers(0, 700), max_size=6))
def test_leaves_by_the_many(sizes: list[int]) -> None:
    """Adding leaves in pieces gives the frontier and the tiles of adding them one by one."""
    tree, tiles, start = Tree(), list[Tile](), 0
    leaves = _LEAVES * 4
    for size in sizes:
        tiles += tree.extend(leaves[start : start + size])
        start += size
    other, others = Tree(), list[Tile]()
    for leaf in leaves[:start]:
        others += other.append(leaf)
    assert (tree.size, tree.frontier, tiles) == (other.size, other.frontier, others)


def test_leaves_by_the_many_fill_a_tile_of_tiles() -> None:
    """The second level's tile is filled and closed by a whole tile as by a single leaf."""
    leaves = [leaf_hash(str(number).encode()) for number in range(TILE_HASHES**2 + 1)]
    tree, other = Tree(), Tree()
    tiles = tree.extend(leaves)
    others = [tile for leaf in leaves for tile in other.append(leaf)]
    assert (tree.frontier, tiles) == (other.frontier, others)
    assert [tile.level for tile in tiles].count(1) == 1
