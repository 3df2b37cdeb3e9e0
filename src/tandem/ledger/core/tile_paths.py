"""How tiles are named in URLs and entries are bundled: the C2SP tlog-tiles layout.

A tile is `level/N`, where N is in groups of three digits, all but the last with an x before them:
tile 1234067 of level 0 is `0/x001/x234/067`. The first 5 hashes of it are `…/067.p/5`.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from tandem.ledger.core.limits import MAX_BUNDLED_RECORD_BYTES, MAX_TILE_LEVEL
from tandem.ledger.core.merkle import TILE_HASHES
from tandem.ledger.core.proofs import ProofError

_LENGTH_BYTES: Final = 2
_PATH: Final = re.compile(r"((?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)


class TilePlace(NamedTuple):
    """Which tile of a level, and how many of its hashes."""

    tile_index: int
    width: int


def tile_path(tile_index: int, width: int = TILE_HASHES) -> str:
    """Write the path of a tile, or of the first `width` hashes of it."""
    groups = [f"{tile_index % 1_000:03}"]
    while tile_index := tile_index // 1_000:
        groups.append(f"x{tile_index % 1_000:03}")
    path = "/".join(reversed(groups))
    return path if width == TILE_HASHES else f"{path}.p/{width}"


def parse_tile_path(path: str) -> TilePlace:
    """Read the path of a tile. Raises ProofError where it is written otherwise."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise ProofError("a tile's number is in groups of three digits, as x001/234")
    place = TilePlace(
        int(match[1].replace("x", "").replace("/", "")),
        TILE_HASHES if match[2] is None else int(match[2]),
    )
    if tile_path(*place) != path or place.width > TILE_HASHES:
        raise ProofError("a tile's path has one form, and a part of it 1 to 255 hashes")
    return place


def parse_tile_level(text: str) -> int:
    """Read a tile level: 0 for the hashes of records. Raises ProofError."""
    if len(text) == 1 and text in "0123456789" and int(text) <= MAX_TILE_LEVEL:
        return int(text)
    raise ProofError(f"a tile level is 0 to {MAX_TILE_LEVEL}")


def write_bundle(bodies: Sequence[str]) -> bytes:
    """Write records' canonical bytes, two bytes of length before each, the higher byte first.

    Raises ProofError where one is longer than two bytes can say.
    """
    parts: list[bytes] = []
    for body in bodies:
        data = body.encode()
        if len(data) > MAX_BUNDLED_RECORD_BYTES:
            raise ProofError(
                f"a record of the bundle has more than {MAX_BUNDLED_RECORD_BYTES} bytes"
            )
        parts += (len(data).to_bytes(_LENGTH_BYTES), data)
    return b"".join(parts)


def read_bundle(bundle: bytes) -> tuple[bytes, ...]:
    """Read the canonical bytes of a bundle's records. Raises ProofError where it is cut off."""
    bodies: list[bytes] = []
    at = 0
    while at < len(bundle):
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(bundle[at:start])
        if start > len(bundle) or at > len(bundle):
            raise ProofError("the bundle is cut off")
        bodies.append(bundle[start:at])
    return tuple(bodies)
