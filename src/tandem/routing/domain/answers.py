"""What is answered, one type for each operation. Metres, seconds and degrees throughout."""

from dataclasses import dataclass
from enum import StrEnum

from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.route import Route
from tandem.routing.domain.waypoint import SnappedWaypoint

type Ring = tuple[Coordinate, ...]
"""A closed line: the last place is the first again."""


@dataclass(frozen=True, slots=True)
class Routes:
    """Routes, the best first, and where the request's waypoints came to lie, if that was said."""

    routes: tuple[Route, ...]
    waypoints: tuple[SnappedWaypoint, ...] = ()

    @property
    def best(self) -> Route:
        """The first of them; there is always one."""
        return self.routes[0]


class CellStatus(StrEnum):
    """Whether a cell of a matrix has values; never told by a null or a magic number."""

    OK = "ok"
    UNREACHABLE = "unreachable"
    NOT_SNAPPED = "not_snapped"


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """The way from a source to a target; both values are None unless the status is OK."""

    status: CellStatus
    distance_m: float | None = None
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class Matrix:
    """A row for each source, a cell in it for each target."""

    cells: tuple[tuple[MatrixCell, ...], ...]


@dataclass(frozen=True, slots=True)
class Contour:
    """What lies within a limit: polygons, each an outer ring and perhaps holes."""

    limit: float
    polygons: tuple[tuple[Ring, ...], ...]


@dataclass(frozen=True, slots=True)
class Isochrone:
    """A contour for each that was asked for, in that order."""

    contours: tuple[Contour, ...]


@dataclass(frozen=True, slots=True)
class Snapped:
    """For each place the nearest point of the network, None where there is none in reach."""

    points: tuple[SnappedWaypoint | None, ...]


@dataclass(frozen=True, slots=True)
class Elevations:
    """For each place its height, None where it is not known."""

    heights_m: tuple[float | None, ...]


type DomainAnswer = Routes | Matrix | Isochrone | Snapped | Elevations
