"""A place on the globe, typed, because pairs of numbers get swapped."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

EARTH_RADIUS_M: Final = 6_371_008.8
_LON_MAX: Final = 180.0
_LAT_MAX: Final = 90.0


@dataclass(frozen=True, slots=True)
class Coordinate:
    """A place in degrees (WGS 84), longitude first.

    Raises:
        ValueError: A number is not finite or not on the globe.
    """

    lon: float
    lat: float

    def __post_init__(self) -> None:
        # A comparison with NaN is false, so this refuses it as well.
        if not (abs(self.lon) <= _LON_MAX and abs(self.lat) <= _LAT_MAX):
            raise ValueError("longitude must be within 180 degrees of 0, latitude within 90")


def great_circle_m(one: Coordinate, other: Coordinate) -> float:
    """Return the distance as the crow flies, in metres (haversine on a sphere)."""
    lat_one, lat_other = math.radians(one.lat), math.radians(other.lat)
    half_lat = (lat_other - lat_one) / 2
    half_lon = math.radians(other.lon - one.lon) / 2
    square = (
        math.sin(half_lat) ** 2 + math.cos(lat_one) * math.cos(lat_other) * math.sin(half_lon) ** 2
    )
    return 2 * EARTH_RADIUS_M * math.asin(math.sqrt(min(1.0, square)))


def line_length_m(line: Sequence[Coordinate]) -> float:
    """Return the length of a line in metres."""
    return sum(great_circle_m(one, other) for one, other in pairwise(line))
