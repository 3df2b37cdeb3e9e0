"""A stretch of the globe between two meridians and two parallels."""

from collections.abc import Iterable
from dataclasses import dataclass

from tandem.routing.domain.coordinate import Coordinate


@dataclass(frozen=True, slots=True)
class Area:
    """A box in degrees, its borders included.

    What crosses the antimeridian has the box that goes around the other way: too large, so that
    whoever looks for what touches an area finds too much and never too little.

    Raises:
        ValueError: A corner is not on the globe, or the corners are the wrong way round.
    """

    west: float
    south: float
    east: float
    north: float

    def __post_init__(self) -> None:
        Coordinate(self.west, self.south)
        Coordinate(self.east, self.north)
        if self.west > self.east or self.south > self.north:
            raise ValueError("an area goes from west to east and from south to north")

    @classmethod
    def around(cls, places: Iterable[Coordinate]) -> "Area":
        """Return the smallest area that holds all the places, of which there is at least one."""
        known = tuple(places)
        longitudes = [place.lon for place in known]
        latitudes = [place.lat for place in known]
        return cls(min(longitudes), min(latitudes), max(longitudes), max(latitudes))

    def touches(self, other: "Area") -> bool:
        """Tell whether the two have a place in common."""
        return (
            self.west <= other.east
            and other.west <= self.east
            and self.south <= other.north
            and other.south <= self.north
        )
