"""Proofs against RFC 9162, read out loud, and against every way to bend them."""

from collections.abc import Sequence
from functools import cache
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.examples import examples

from tandem.ledger.core.merkle import TILE_HASHES, Tree, leaf_hash
from tandem.ledger.core.proofs import (
    ProofError,
    Run,
    TileNeed,
    check_consistency,
    check_inclusion,
    consistency_runs,
    inclusion_runs,
    proof_from_tiles,
    tiles_needed,
)

_LEAVES = [leaf_hash(str(number).encode()) for number in range(70_000)]


def _split(size: int) -> int:
    split = 1
    while split * 2 < size:
        split *= 2
    return split


@cache
def _root(first: int, size: int) -> bytes:
    """MTH of RFC 9162 2.1.1 over leaves from `first` on."""
    if size == 0:
        return sha256(b"").digest()
    if size == 1:
        return _LEAVES[first]
    split = _split(size)
    return sha256(b"\1" + _root(first, split) + _root(first + split, size - split)).digest()


def _path(index: int, first: int, size: int) -> list[bytes]:
    """PATH of RFC 9162 2.1.3.1."""
    if size == 1:
        return []
    split = _split(size)
    if index < split:
        return [*_path(index, first, split), _root(first + split, size - split)]
    return [*_path(index - split, first + split, size - split), _root(first, split)]


def _subproof(old: int, first: int, size: int, *, whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 9162 2.1.4.1."""
    if old == size:
        return [] if whole else [_root(first, size)]
    split = _split(size)
    if old <= split:
        rest = _root(first + split, size - split)
        return [*_subproof(old, first, split, whole=whole), rest]
    rest = _root(first, split)
    return [*_subproof(old - split, first + split, size - split, whole=False), rest]


def _tile(need: TileNeed) -> bytes:
    width = TILE_HASHES**need.level
    first = need.tile_index * TILE_HASHES
    return b"".join(_root((first + at) * width, width) for at in range(need.width))


def _proof(runs: Sequence[Run], size: int) -> tuple[bytes, ...]:
    needed = tiles_needed(runs, size)
    assert all(0 < need.width <= TILE_HASHES for need in needed)
    return proof_from_tiles(runs, size, {need: _tile(need) for need in needed})


@pytest.mark.parametrize("sizes", [range(1, 40), range(120, 140), range(250, 262), [511, 600]])
def test_inclusion_is_as_the_rfc_says(sizes: Sequence[int]) -> None:
    """Every leaf of every size: the RFC's own path, and it leads to the root."""
    for size in sizes:
        for index in range(size):
            proof = _proof(inclusion_runs(index, size), size)
            assert list(proof) == _path(index, 0, size)
            check_inclusion(_LEAVES[index], index, size, proof, _root(0, size))


def test_consistency_is_as_the_rfc_says() -> None:
    """Every size up to 600 from sizes of every kind below it."""
    for second in range(1, 601):
        firsts = range(1, second) if second < 70 else {1, 2, 63, 64, second // 2, second - 1}
        for first in firsts:
            proof = _proof(consistency_runs(first, second), second)
            assert list(proof) == _subproof(first, 0, second, whole=True)
            check_consistency(first, _root(0, first), second, _root(0, second), proof)


@examples(60)
@given(st.data())
def test_bigger_trees(data: st.DataObject) -> None:
    """Over two levels of tiles, with an index and an older size anywhere."""
    size = data.draw(st.integers(1, len(_LEAVES)))
    index = data.draw(st.integers(0, size - 1))
    older = data.draw(st.integers(1, size))
    root = _root(0, size)
    inclusion = _proof(inclusion_runs(index, size), size)
    assert list(inclusion) == _path(index, 0, size)
    check_inclusion(_LEAVES[index], index, size, inclusion, root)
    consistency = _proof(consistency_runs(older, size), size)
    assert list(consistency) == (_subproof(older, 0, size, whole=True) if older < size else [])
    check_consistency(older, _root(0, older), size, root, consistency)


def _bent(data: st.DataObject, path: Sequence[bytes]) -> list[bytes]:
    """Change, drop, add or swap hashes of a path; never to what it was."""
    bent = list(path)
    how = data.draw(st.sampled_from(["flip", "drop", "add", "swap", "short"]))
    at = data.draw(st.integers(0, max(len(bent) - 1, 0)))
    if how == "add" or not bent:
        bent.insert(at, data.draw(st.sampled_from([_LEAVES[0], bytes(32), *path])))
    elif how == "drop":
        del bent[at]
    elif how == "short":
        bent[at] = bent[at][:-1]
    elif how == "swap" and len(bent) > 1:
        other = (at + 1) % len(bent)
        bent[at], bent[other] = bent[other], bent[at]
    else:
        bit = data.draw(st.integers(0, 255))
        bent[at] = (int.from_bytes(bent[at]) ^ 1 << bit).to_bytes(32)
    return bent


@examples(300)
@given(st.data())
def test_a_bent_proof_proves_nothing(data: st.DataObject) -> None:
    """Any other path, leaf, index, size or root is refused."""
    size = data.draw(st.integers(2, 600))
    index = data.draw(st.integers(0, size - 1))
    older = data.draw(st.integers(1, size - 1))
    root, old_root = _root(0, size), _root(0, older)
    inclusion = _proof(inclusion_runs(index, size), size)
    consistency = _proof(consistency_runs(older, size), size)
    with pytest.raises(ProofError):
        check_inclusion(_LEAVES[index], index, size, _bent(data, inclusion), root)
    with pytest.raises(ProofError):
        check_inclusion(_LEAVES[index + 1], index, size, inclusion, root)
    with pytest.raises(ProofError):
        check_inclusion(_LEAVES[index], (index + 1) % size, size, inclusion, root)
    with pytest.raises(ProofError):
        check_inclusion(_LEAVES[index], index, size, inclusion, old_root)
    with pytest.raises(ProofError):
        check_consistency(older, old_root, size, root, _bent(data, consistency))
    with pytest.raises(ProofError):
        check_consistency(older, root, size, root, consistency)
    with pytest.raises(ProofError):
        check_consistency(older, old_root, size, old_root, consistency)


def test_proofs_of_nothing() -> None:
    """A tree extends itself and the empty one without a proof, and nothing larger than it."""
    root = _root(0, 5)
    assert consistency_runs(0, 5) == consistency_runs(5, 5) == []
    check_consistency(0, Tree().root(), 5, root, ())
    check_consistency(5, root, 5, root, ())
    with pytest.raises(ProofError):
        check_consistency(0, root, 5, root, ())
    with pytest.raises(ProofError):
        check_consistency(5, root, 5, _root(0, 4), ())
    with pytest.raises(ProofError):
        check_consistency(5, root, 5, root, (root,))
    for wrong in ((-1, 5), (5, 5), (0, 0)):
        with pytest.raises(ProofError):
            inclusion_runs(*wrong)
        with pytest.raises(ProofError):
            check_inclusion(root, *wrong, (), root)
    for first, second in ((-1, 5), (6, 5)):
        with pytest.raises(ProofError):
            consistency_runs(first, second)
        with pytest.raises(ProofError):
            check_consistency(first, root, second, root, ())
