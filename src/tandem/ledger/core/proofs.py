"""Proofs over the log's Merkle tree: inclusion (RFC 9162 §2.1.3) and consistency (§2.1.4).

A proof is made in two steps, so that this module reads nothing: it names the tiles it wants, and
is given them. Leaves are numbered from 0 here; the record at position p is leaf p - 1.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from tandem.ledger.core.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    TILE_HASHES,
    TILE_HEIGHT,
    node_hash,
    power_root,
)


class ProofError(Exception):
    """A proof is malformed or does not prove what it says."""


class Node(NamedTuple):
    """A complete subtree: leaves `place * 2**height` up to `(place + 1) * 2**height`."""

    height: int
    place: int


class TileNeed(NamedTuple):
    """The first `width` hashes of a tile; a full one has 256."""

    level: int
    tile_index: int
    width: int


# A subtree as a run of complete ones, left to right: what is left of it after its largest half.
type Run = tuple[Node, ...]


def inclusion_runs(leaf_index: int, size: int) -> list[Run]:
    """The subtrees whose hashes are the audit path of a leaf, lowest first."""
    if not 0 <= leaf_index < size:
        raise ProofError(f"a tree of {size} leaves has no leaf {leaf_index}")
    runs: list[Run] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if leaf_index < middle:
            runs.append(_run(middle, end))
            end = middle
        else:
            runs.append(_run(start, middle))
            start = middle
    return runs[::-1]


def consistency_runs(first: int, second: int) -> list[Run]:
    """The subtrees whose hashes prove that a tree of `second` leaves extends one of `first`."""
    if not 0 <= first <= second:
        raise ProofError(f"a tree of {second} leaves extends none of {first}")
    if first in (0, second):
        return []
    runs: list[Run] = []
    start, end, whole = 0, second, True
    while first < end:
        middle = start + _split(end - start)
        if first <= middle:
            runs.append(_run(middle, end))
            end = middle
        else:
            runs.append(_run(start, middle))
            start, whole = middle, False
    if not whole:
        runs.append(_run(start, end))
    return runs[::-1]


def tiles_needed(runs: Sequence[Run], size: int) -> set[TileNeed]:
    """The tiles, as wide as they are in a tree of `size` leaves, that hold these subtrees."""
    return {_tile_of(node, size) for run in runs for node in run}


def proof_from_tiles(
    runs: Sequence[Run], size: int, tiles: Mapping[TileNeed, bytes]
) -> tuple[bytes, ...]:
    """Compute a proof's hashes from the tiles that it needs."""
    return tuple(_run_hash(run, size, tiles) for run in runs)


def root_of_inclusion(leaf: bytes, leaf_index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that an audit path leads to. Raises ProofError where its shape is wrong."""
    _check_hashes([leaf, *path])
    if not 0 <= leaf_index < size:
        raise ProofError(f"a tree of {size} leaves has no leaf {leaf_index}")
    node, at, last, rest = leaf, leaf_index, size - 1, list(path)
    while last:
        if at & 1 or at < last:
            if not rest:
                raise ProofError("the audit path is too short")
            other = rest.pop(0)
            node = node_hash(other, node) if at & 1 else node_hash(node, other)
        at, last = at >> 1, last >> 1
    if rest:
        raise ProofError("the audit path is too long")
    return node


def check_inclusion(
    leaf: bytes, leaf_index: int, size: int, path: Sequence[bytes], root: bytes
) -> None:
    """Raise ProofError unless the tree of this root and size has this leaf at this index."""
    if root_of_inclusion(leaf, leaf_index, size, path) != root:
        raise ProofError("the audit path does not lead to the root")


def check_consistency(
    first: int, first_root: bytes, second: int, second_root: bytes, path: Sequence[bytes]
) -> None:
    """Raise ProofError unless the second tree has the first as its beginning."""
    _check_hashes([first_root, second_root, *path])
    if not 0 <= first <= second:
        raise ProofError(f"a tree of {second} leaves extends none of {first}")
    if first == 0 and first_root != EMPTY_ROOT:
        raise ProofError("the root of an empty tree is that of nothing")
    if first in (0, second):
        if path:
            raise ProofError("the consistency path is too long")
        if first == second and first_root != second_root:
            raise ProofError("one size, two roots")
        return
    if _both_roots(first, second, first_root, list(path)) != (first_root, second_root):
        raise ProofError("the consistency path does not lead to both roots")


def _both_roots(
    first: int, second: int, first_root: bytes, path: list[bytes]
) -> tuple[bytes, bytes]:
    """Fold a path into the roots of both trees (RFC 9162 §2.1.4.2)."""
    if first & (first - 1) == 0:
        path = [first_root, *path]  # the first tree is a subtree of the second
    if not path:
        raise ProofError("the consistency path is too short")
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = path[0]
    for node in path[1:]:
        if last == 0:
            raise ProofError("the consistency path is too long")
        if at & 1 or at == last:
            old, new = node_hash(node, old), node_hash(node, new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new = node_hash(new, node)
        at, last = at >> 1, last >> 1
    if last:
        raise ProofError("the consistency path is too short")
    return old, new


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if any(len(one) != HASH_BYTES for one in hashes):
        raise ProofError(f"a hash has {HASH_BYTES} bytes")


def _split(leaves: int) -> int:
    """The largest power of two below a number of leaves."""
    return 1 << ((leaves - 1).bit_length() - 1)


def _run(start: int, end: int) -> Run:
    nodes: list[Node] = []
    while start < end:
        height = (end - start).bit_length() - 1
        assert start % (1 << height) == 0
        nodes.append(Node(height, start >> height))
        start += 1 << height
    return tuple(nodes)


_IN_TILE: Final = TILE_HASHES - 1


def _tile_of(node: Node, size: int) -> TileNeed:
    level, above = divmod(node.height, TILE_HEIGHT)
    tile_index = (node.place << above) // TILE_HASHES
    held = (size >> (TILE_HEIGHT * level)) - tile_index * TILE_HASHES
    return TileNeed(level, tile_index, min(held, TILE_HASHES))


def _run_hash(run: Run, size: int, tiles: Mapping[TileNeed, bytes]) -> bytes:
    *rest, root = (_node_hash(node, size, tiles) for node in run)
    for left in reversed(rest):
        root = node_hash(left, root)
    return root


def _node_hash(node: Node, size: int, tiles: Mapping[TileNeed, bytes]) -> bytes:
    above = node.height % TILE_HEIGHT
    start = (node.place << above) & _IN_TILE
    hashes = tiles[_tile_of(node, size)]
    return power_root(
        [
            hashes[at * HASH_BYTES : (at + 1) * HASH_BYTES]
            for at in range(start, start + (1 << above))
        ]
    )
