"""Proofs over the tree that other implementations of RFC 6962 and RFC 9162 are tested with.

Leaves and roots are those of Certificate Transparency's own tests; the paths below were written
down once, and never change.
"""

from typing import Final

import pytest

from tandem.ledger.core.merkle import Tree, leaf_hash, leaf_hashes
from tandem.ledger.core.proofs import (
    ProofError,
    check_consistency,
    check_inclusion,
    consistency_runs,
    inclusion_runs,
    proof_from_tiles,
    tiles_needed,
)

_LEAVES: Final = [
    leaf_hash(bytes.fromhex(leaf))
    for leaf in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
_ROOTS: Final = [
    bytes.fromhex(root)
    for root in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
# Leaf, size: the audit path, lowest first.
_INCLUSION: Final = {
    (0, 1): "",
    (0, 8): "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
    " 5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
    " 6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    (5, 8): "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
    " ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
    " d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    (2, 3): "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    (1, 5): "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    " 5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
    " bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
}
# Older size, newer size: the consistency path.
_CONSISTENCY: Final = {
    (1, 1): "",
    (1, 8): "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
    " 5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
    " 6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    (6, 8): "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
    " ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
    " d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    (2, 5): "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
    " bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
}


def _path(text: str) -> list[bytes]:
    return [bytes.fromhex(one) for one in text.split()]


def _flipped(path: list[bytes]) -> list[list[bytes]]:
    """Every path with one bit of one hash changed, and every path that lacks one."""
    return [
        [*path[:at], bytes([one[0] ^ 1]) + one[1:], *path[at + 1 :]] for at, one in enumerate(path)
    ] + [path[:at] + path[at + 1 :] for at in range(len(path))]


def test_texts_are_hashed_as_their_bytes() -> None:
    """Many at once give what each gives by itself."""
    assert leaf_hashes(["", "Ä"]) == [_LEAVES[0], leaf_hash(b"\xc3\x84")]


def test_every_tree_has_its_root() -> None:
    """From no leaves to all eight, one at a time."""
    tree = Tree()
    assert tree.root() == _ROOTS[0]
    for size, leaf in enumerate(_LEAVES, 1):
        tree.append(leaf)
        assert tree.root() == _ROOTS[size]


@pytest.mark.parametrize(("leaf_index", "size"), _INCLUSION)
def test_an_audit_path_is_as_ever(leaf_index: int, size: int) -> None:
    """It is made so, it proves its leaf, and nothing near it does."""
    path = _path(_INCLUSION[leaf_index, size])
    runs = inclusion_runs(leaf_index, size)
    tiles = {need: b"".join(_LEAVES[: need.width]) for need in tiles_needed(runs, size)}
    assert list(proof_from_tiles(runs, size, tiles)) == path
    check_inclusion(_LEAVES[leaf_index], leaf_index, size, path, _ROOTS[size])
    for wrong in _flipped(path):
        with pytest.raises(ProofError):
            check_inclusion(_LEAVES[leaf_index], leaf_index, size, wrong, _ROOTS[size])


@pytest.mark.parametrize(("older", "newer"), _CONSISTENCY)
def test_a_consistency_path_is_as_ever(older: int, newer: int) -> None:
    """It is made so, it proves that the log only grew, and nothing near it does."""
    path = _path(_CONSISTENCY[older, newer])
    runs = consistency_runs(older, newer)
    tiles = {need: b"".join(_LEAVES[: need.width]) for need in tiles_needed(runs, newer)}
    assert list(proof_from_tiles(runs, newer, tiles)) == path
    check_consistency(older, _ROOTS[older], newer, _ROOTS[newer], path)
    for wrong in _flipped(path):
        with pytest.raises(ProofError):
            check_consistency(older, _ROOTS[older], newer, _ROOTS[newer], wrong)
