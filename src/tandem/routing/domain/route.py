"""A bicycle route.

Distances and heights are metres, durations seconds. Indexes count vertices of the geometry.
"""

from dataclasses import dataclass

from tandem.routing.domain.area import Area
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.maneuver import Maneuver
from tandem.routing.domain.segment import Segment


@dataclass(frozen=True, slots=True)
class Step:
    """A piece of a leg that begins with a maneuver; indexes count the whole route's vertices."""

    maneuver: Maneuver
    instruction: str
    begin_index: int
    end_index: int
    distance_m: float
    duration_s: float
    street_name: str = ""


@dataclass(frozen=True, slots=True)
class Leg:
    """The way from one stop to the next; `end_index` is its last vertex, included."""

    distance_m: float
    duration_s: float
    begin_index: int
    end_index: int
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class RouteWarning:
    """Something that was asked for and not quite given; `code` is for programs."""

    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """A bicycle route through all waypoints of its request.

    `heights_m` has one height for each vertex, or is None where they are not known or not wanted.
    """

    distance_m: float
    duration_s: float
    ascent_m: float
    descent_m: float
    geometry: tuple[Coordinate, ...]
    legs: tuple[Leg, ...]
    warnings: tuple[RouteWarning, ...] = ()
    attribution: tuple[str, ...] = ()
    heights_m: tuple[float, ...] | None = None
    segments: tuple[Segment, ...] = ()
    data_version: str = ""

    @property
    def area(self) -> Area:
        """The box around its line."""
        return Area.around(self.geometry)
