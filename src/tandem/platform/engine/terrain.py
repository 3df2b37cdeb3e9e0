"""A synthetic terrain, because no elevation data can be had from the package registries.

The heights are a smooth sum of seeded plane waves, written as one SRTM tile (HGT: rows from north
to south, columns from west to east, big-endian int16 metres). They are invented: whatever serves
them must say so in its attribution.
"""

import math
import random
import sys
from array import array
from dataclasses import dataclass
from pathlib import Path

from tandem.platform.engine import limits
from tandem.platform.engine.geography import HELSINKI, Area

_BYTES_PER_SAMPLE = 2
_INTERVALS = limits.TERRAIN_SAMPLES_PER_SIDE - 1
_METRES_PER_DEGREE_LAT = 111_320.0


@dataclass(frozen=True, slots=True)
class _Wave:
    """One plane wave: radians per sample eastwards and southwards, phase, amplitude."""

    per_column: float
    per_row: float
    phase: float
    amplitude: float


def write_terrain(directory: Path, seed: int, area: Area = HELSINKI) -> Path:
    """Write the tile that holds `area` where Valhalla looks for it, and return its path.

    The same seed gives the same bytes. The file is sparse: sea outside the area costs no disk.
    """
    tile = directory / f"N{limits.TERRAIN_TILE_LAT}" / f"{tile_name()}.hgt"
    tile.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = _window(area)
    with tile.open("wb") as file:
        for row, heights in zip(rows, _heights_m(seed, rows, columns), strict=True):
            samples = array("h", heights)
            if sys.byteorder == "little":
                samples.byteswap()
            offset = row * limits.TERRAIN_SAMPLES_PER_SIDE + columns.start
            file.seek(offset * _BYTES_PER_SAMPLE)
            file.write(samples.tobytes())
        file.truncate(limits.TERRAIN_SAMPLES_PER_SIDE**2 * _BYTES_PER_SAMPLE)
    return tile


def tile_name() -> str:
    """Return the tile's name: its south-west corner."""
    return f"N{limits.TERRAIN_TILE_LAT:02d}E{limits.TERRAIN_TILE_LON:03d}"


def _window(area: Area) -> tuple[range, range]:
    """The rows (counted from the north) and columns that hold the area and its margin."""
    margin = limits.TERRAIN_MARGIN_DEGREES
    north = limits.TERRAIN_TILE_LAT + 1 - (area.lat_max + margin)
    south = limits.TERRAIN_TILE_LAT + 1 - (area.lat_min - margin)
    west = area.lon_min - margin - limits.TERRAIN_TILE_LON
    east = area.lon_max + margin - limits.TERRAIN_TILE_LON
    if min(north, west) < 0 or max(south, east) > 1:
        raise ValueError(f"the area with its margin does not fit into the tile {tile_name()}")
    rows = range(math.floor(north * _INTERVALS), math.ceil(south * _INTERVALS) + 1)
    columns = range(math.floor(west * _INTERVALS), math.ceil(east * _INTERVALS) + 1)
    return rows, columns


def _heights_m(seed: int, rows: range, columns: range) -> list[list[int]]:
    """Whole metres, stretched so that the lowest sample is the sea and the highest the maximum."""
    raw = _relief(_waves(seed), rows, columns)
    lowest = min(map(min, raw))
    scale = limits.TERRAIN_HEIGHT_MAX_M / (max(map(max, raw)) - lowest)
    return [[round((height - lowest) * scale) for height in row] for row in raw]


def _waves(seed: int) -> list[_Wave]:
    """Draw waves whose amplitude grows with their length, so that no slope is a wall."""
    draw = random.Random(seed)  # noqa: S311 - a landscape, not a secret
    metres_per_row = _METRES_PER_DEGREE_LAT / _INTERVALS
    metres_per_column = metres_per_row * math.cos(math.radians(limits.TERRAIN_TILE_LAT))
    waves = []
    for _ in range(limits.TERRAIN_WAVES):
        length_m = draw.uniform(limits.TERRAIN_WAVELENGTH_M_MIN, limits.TERRAIN_WAVELENGTH_M_MAX)
        heading = draw.uniform(0, math.tau)
        radians_per_metre = math.tau / length_m
        waves.append(
            _Wave(
                per_column=radians_per_metre * math.cos(heading) * metres_per_column,
                per_row=radians_per_metre * math.sin(heading) * metres_per_row,
                phase=draw.uniform(0, math.tau),
                amplitude=length_m,
            )
        )
    return waves


def _relief(waves: list[_Wave], rows: range, columns: range) -> list[list[float]]:
    """Sum the waves by sin(a + b) = sin a cos b + cos a sin b: sines per side, not per sample."""
    across = [
        (
            [wave.amplitude * math.sin(wave.per_column * column) for column in columns],
            [wave.amplitude * math.cos(wave.per_column * column) for column in columns],
        )
        for wave in waves
    ]
    relief = []
    for row in rows:
        total = [0.0] * len(columns)
        for wave, (sines, cosines) in zip(waves, across, strict=True):
            angle = wave.per_row * row + wave.phase
            sine, cosine = math.sin(angle), math.cos(angle)
            total = [
                t + a * cosine + b * sine for t, a, b in zip(total, sines, cosines, strict=True)
            ]
        relief.append(total)
    return relief
