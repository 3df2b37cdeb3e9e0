"""Tiles: built once, whole or not at all, by one process at a time."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tandem.platform.engine import limits, tiles
from tandem.platform.engine.errors import TilesError
from tandem.platform.engine.tiles import TileSet, prepare_engine


@pytest.fixture
def cache(engine_tiles: TileSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty cache directory whose extract comes from the local copy."""
    extract = engine_tiles.directory.parent / "Helsinki.osm.pbf"
    monkeypatch.setenv(limits.EXTRACT_OVERRIDE_VARIABLE, str(extract))
    return tmp_path / "cache"


def test_concurrent_callers_build_once(cache: Path) -> None:
    """Two callers of one empty cache get the same whole tile set, and later calls build nothing."""
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(prepare_engine, [cache, cache])
    assert one == other
    assert list(one.tiles.rglob("*.gph"))
    assert list(one.elevation.rglob("*.hgt"))
    built = one.directory.stat().st_mtime_ns
    started_s = time.monotonic()
    assert prepare_engine(cache) == one
    assert time.monotonic() - started_s < 0.5
    assert one.directory.stat().st_mtime_ns == built


def test_half_built_tiles_are_not_used(cache: Path) -> None:
    """What a killed builder left is thrown away, never taken for a tile set."""
    stamp = prepare_engine(cache).stamp
    done = cache / f"helsinki-{stamp}"
    left_over = cache / f"helsinki-{stamp}.building-1"
    done.rename(left_over)
    assert prepare_engine(cache).directory == done.resolve()
    assert not left_over.exists()


def test_another_terrain_is_another_tile_set(cache: Path) -> None:
    """The terrain's seed is part of the stamp."""
    assert prepare_engine(cache).stamp != prepare_engine(cache, terrain_seed=1).stamp


def test_failing_builder_is_an_error(tmp_path: Path) -> None:
    """An extract that the builder cannot read gives an error, and no tile set."""
    broken = tmp_path / "broken.pbf"
    broken.write_bytes(b"\0" * 1_000)
    done = TileSet(tmp_path / "helsinki-0", "0", terrain_seed=1)
    with pytest.raises(TilesError):
        tiles._build(broken, done)
    assert not done.directory.exists()
