"""Places and areas on the globe, for what deals with the engine itself."""

import math
from dataclasses import dataclass
from typing import Final

_EARTH_RADIUS_M: Final = 6_371_008.8


@dataclass(frozen=True, slots=True)
class Place:
    """A place in degrees (WGS 84), longitude first."""

    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle in degrees (WGS 84); it does not cross the antimeridian."""

    lon_min: float
    lat_min: float
    lon_max: float
    lat_max: float

    def contains(self, place: Place) -> bool:
        """Tell whether a place lies inside or on the border."""
        return (
            self.lon_min <= place.lon <= self.lon_max and self.lat_min <= place.lat <= self.lat_max
        )

    def middle(self) -> Place:
        """Return the place in the middle."""
        return Place((self.lon_min + self.lon_max) / 2, (self.lat_min + self.lat_max) / 2)


# The bounding box in the header of the extract: about 1.0 km by 1.7 km of central Helsinki.
HELSINKI: Final = Area(lon_min=24.935176, lat_min=60.164155, lon_max=24.953415, lat_max=60.179113)


def distance_m(one: Place, other: Place) -> float:
    """Return the great-circle distance in metres (haversine on a sphere)."""
    lat_one, lat_other = math.radians(one.lat), math.radians(other.lat)
    half_lat = (lat_other - lat_one) / 2
    half_lon = math.radians(other.lon - one.lon) / 2
    chord = (
        math.sin(half_lat) ** 2 + math.cos(lat_one) * math.cos(lat_other) * math.sin(half_lon) ** 2
    )
    return 2 * _EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(chord)))
