"""The synthetic terrain: repeatable, gentle, and in the form that the engine reads."""

import math
import struct
from pathlib import Path

import pytest

from tandem.platform.engine import limits
from tandem.platform.engine.geography import HELSINKI, Area
from tandem.platform.engine.terrain import write_terrain

_SIDE = limits.TERRAIN_SAMPLES_PER_SIDE


class _Heights:
    def __init__(self, tile: Path) -> None:
        self._content = tile.read_bytes()

    def __call__(self, lon: float, lat: float) -> int:
        column = round((lon - limits.TERRAIN_TILE_LON) * (_SIDE - 1))
        row = round((limits.TERRAIN_TILE_LAT + 1 - lat) * (_SIDE - 1))
        (height,) = struct.unpack_from(">h", self._content, (row * _SIDE + column) * 2)
        return int(height)


def _grid(area: Area) -> list[tuple[float, float]]:
    steps = [step / 20 for step in range(21)]
    return [
        (
            area.lon_min + across * (area.lon_max - area.lon_min),
            area.lat_min + up * (area.lat_max - area.lat_min),
        )
        for across in steps
        for up in steps
    ]


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    """One seed makes one landscape, another seed another."""
    first, second, other = (
        write_terrain(tmp_path / name, seed).read_bytes()
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == second
    assert first != other


def test_tile_is_where_and_what_the_engine_expects(tmp_path: Path) -> None:
    """The tile is named by its corner, has one arc second's size and costs little disk."""
    tile = write_terrain(tmp_path, 1)
    assert tile.relative_to(tmp_path) == Path("N60/N60E024.hgt")
    assert tile.stat().st_size == _SIDE * _SIDE * 2
    assert tile.stat().st_blocks * 512 < 4 * 1024 * 1024


@pytest.mark.parametrize("seed", range(5))
def test_landscape_is_rideable(tmp_path: Path, seed: int) -> None:
    """Heights stay in range, there are hills, and no slope in the area is steeper than 12 %."""
    height = _Heights(write_terrain(tmp_path, seed))
    heights = [height(lon, lat) for lon, lat in _grid(HELSINKI)]
    assert 0 <= min(heights) < max(heights) <= limits.TERRAIN_HEIGHT_MAX_M
    assert max(heights) - min(heights) > 10
    step_lat = 60 / 111_320
    step_lon = step_lat / math.cos(math.radians(60))
    for lon, lat in _grid(HELSINKI):
        north = (height(lon, lat + step_lat) - height(lon, lat - step_lat)) / 120
        east = (height(lon + step_lon, lat) - height(lon - step_lon, lat)) / 120
        assert math.hypot(north, east) < 0.12


def test_area_outside_the_tile_is_refused(tmp_path: Path) -> None:
    """An area that the tile cannot hold is an error, not a wrong landscape."""
    with pytest.raises(ValueError, match="does not fit"):
        write_terrain(tmp_path, 1, Area(24.99, 60.1, 25.01, 60.2))
