"""Tiles have one name each, and bundles come apart as they were put together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.ledger.core.limits import MAX_BUNDLED_RECORD_BYTES
from tandem.ledger.core.proofs import ProofError
from tandem.ledger.core.tile_paths import (
    parse_tile_level,
    parse_tile_path,
    read_bundle,
    tile_path,
    write_bundle,
)


def test_tiles_are_named_as_c2sp_names_them() -> None:
    """The layout's own example, and the edges of its groups."""
    assert tile_path(1_234_067) == "x001/x234/067"
    assert tile_path(0) == "000"
    assert tile_path(999) == "999"
    assert tile_path(1_000, 5) == "x001/000.p/5"
    assert [parse_tile_level(text) for text in "01234567"] == list(range(8))


@given(st.integers(0, 10**18 - 1), st.integers(1, 256))
def test_a_name_is_read_back(tile_index: int, width: int) -> None:
    """Every tile and every part of one."""
    assert parse_tile_path(tile_path(tile_index, width)) == (tile_index, width)


@given(st.text("0123456789x/.p", max_size=20) | st.text(max_size=8))
def test_any_other_name_is_refused(path: str) -> None:
    """A text is the one name of a tile, or none."""
    try:
        place = parse_tile_path(path)
    except ProofError:
        return
    assert tile_path(*place) == path


@pytest.mark.parametrize("text", ["", "8", "-1", "00", "x", "\u0661", "1 "])
def test_other_levels_are_refused(text: str) -> None:
    """Levels are 0 to 7."""
    with pytest.raises(ProofError):
        parse_tile_level(text)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), max_size=20))
def test_a_bundle_comes_apart(bodies: list[str]) -> None:
    """Whatever the records hold; cut off in the middle of one it is refused."""
    bundle = write_bundle(bodies)
    assert read_bundle(bundle) == tuple(body.encode() for body in bodies)
    if bodies:
        with pytest.raises(ProofError):
            read_bundle(bundle[:-1])


def test_the_longest_record_of_a_bundle() -> None:
    """65,535 bytes fit, one more does not."""
    longest = "x" * MAX_BUNDLED_RECORD_BYTES
    assert read_bundle(write_bundle([longest])) == (longest.encode(),)
    with pytest.raises(ProofError, match="more than 65535"):
        write_bundle([longest + "x"])
