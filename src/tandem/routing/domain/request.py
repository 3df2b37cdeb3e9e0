"""What is asked for. How long it may take is the deadline's matter.

Every request has its `operation`, its `places` and a `key`: what equal requests have in common.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import ClassVar, Final, Self

from tandem.routing import limits
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.errors import InvalidRequest
from tandem.routing.domain.keys import RequestKey, place_key
from tandem.routing.domain.operation import Operation
from tandem.routing.domain.preference import BicycleProfile, Preferences
from tandem.routing.domain.waypoint import Waypoint, WaypointKind


class Include(StrEnum):
    """What a route may bring along, at some cost."""

    MANEUVERS = "maneuvers"
    SEGMENTS = "segments"
    HEIGHTS = "heights"


class Measure(StrEnum):
    """What the limits of an isochrone are limits of."""

    TIME_S = "time_s"
    DISTANCE_M = "distance_m"


_NO_WISHES: Final = Preferences()


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """A route through the waypoints, in their order.

    `alternatives`: how many other routes are wanted beside the best, of which fewer may come.

    Raises:
        InvalidRequest: There are too few or too many waypoints or alternatives, an end is no stop,
            or the time of departure has no zone.
    """

    operation: ClassVar[Operation] = Operation.ROUTE

    waypoints: tuple[Waypoint, ...]
    profile: BicycleProfile = BicycleProfile.TOURING
    preferences: Preferences = _NO_WISHES
    alternatives: int = 0
    departure_at: datetime | None = None
    include: frozenset[Include] = frozenset()

    def __post_init__(self) -> None:
        if not limits.WAYPOINTS_MIN <= len(self.waypoints) <= limits.WAYPOINTS_MAX:
            raise InvalidRequest(
                f"a route needs {limits.WAYPOINTS_MIN} to {limits.WAYPOINTS_MAX} waypoints",
                field="waypoints",
            )
        for index in (0, -1):
            if self.waypoints[index].kind is not WaypointKind.STOP:
                raise InvalidRequest("a route begins and ends at a stop", field="waypoints")
        if not 0 <= self.alternatives <= limits.ALTERNATIVES_MAX:
            raise InvalidRequest(
                f"there are at most {limits.ALTERNATIVES_MAX} alternatives", field="alternatives"
            )
        if self.departure_at is not None and self.departure_at.tzinfo is None:
            raise InvalidRequest("a time of departure needs its offset", field="departure_at")

    @classmethod
    def through(cls, *places: Coordinate, profile: BicycleProfile = BicycleProfile.TOURING) -> Self:
        """Ask for a route with a stop at every place."""
        return cls(tuple(Waypoint(place) for place in places), profile)

    @property
    def places(self) -> tuple[Coordinate, ...]:
        """Where the waypoints are."""
        return tuple(waypoint.place for waypoint in self.waypoints)

    @property
    def stops(self) -> tuple[Coordinate, ...]:
        """Where legs begin and end."""
        return tuple(one.place for one in self.waypoints if one.kind is WaypointKind.STOP)

    def key(self) -> RequestKey:
        """Return what equal requests have in common."""
        departure_at = self.departure_at and self.departure_at.astimezone(UTC).isoformat()
        preferences = self.preferences
        return (
            self.operation.value,
            self.profile.value,
            tuple(
                (*place_key(one.place), one.kind.value, one.heading_deg, one.snap_radius_m)
                for one in self.waypoints
            ),
            (preferences.surface.value, preferences.e_bike, _sorted(preferences.avoid)),
            self.alternatives,
            departure_at,
            _sorted(self.include),
        )


@dataclass(frozen=True, slots=True)
class MatrixRequest:
    """Distances and times from every source to every target.

    Raises:
        InvalidRequest: There is no source or target, or there are too many cells.
    """

    operation: ClassVar[Operation] = Operation.MATRIX

    sources: tuple[Coordinate, ...]
    targets: tuple[Coordinate, ...]
    profile: BicycleProfile = BicycleProfile.TOURING

    def __post_init__(self) -> None:
        if not 1 <= self.cells <= limits.MATRIX_CELLS_MAX:
            raise InvalidRequest(
                f"a matrix has 1 to {limits.MATRIX_CELLS_MAX} cells", field="sources"
            )

    @property
    def cells(self) -> int:
        """How many cells it has."""
        return len(self.sources) * len(self.targets)

    @property
    def places(self) -> tuple[Coordinate, ...]:
        """Sources and targets."""
        return self.sources + self.targets

    def key(self) -> RequestKey:
        """Return what equal requests have in common."""
        return (
            self.operation.value,
            self.profile.value,
            tuple(map(place_key, self.sources)),
            tuple(map(place_key, self.targets)),
        )


@dataclass(frozen=True, slots=True)
class IsochroneRequest:
    """How far one gets from a place, or (`reverse`) from how far one gets to it.

    Raises:
        InvalidRequest: There are too few or too many contours, or one is out of bounds.
    """

    operation: ClassVar[Operation] = Operation.ISOCHRONE

    center: Coordinate
    contours: tuple[float, ...]
    measure: Measure = Measure.TIME_S
    profile: BicycleProfile = BicycleProfile.TOURING
    reverse: bool = False

    def __post_init__(self) -> None:
        if not 1 <= len(self.contours) <= limits.CONTOURS_MAX:
            raise InvalidRequest(
                f"an isochrone has 1 to {limits.CONTOURS_MAX} contours", field="contours"
            )
        is_time = self.measure is Measure.TIME_S
        most = limits.CONTOUR_TIME_S_MAX if is_time else limits.CONTOUR_DISTANCE_M_MAX
        if not all(0 < contour <= most for contour in self.contours):
            raise InvalidRequest(f"a contour is more than 0 and at most {most:g}", field="contours")

    @property
    def places(self) -> tuple[Coordinate, ...]:
        """The center."""
        return (self.center,)

    def key(self) -> RequestKey:
        """Return what equal requests have in common."""
        return (
            self.operation.value,
            self.profile.value,
            place_key(self.center),
            self.contours,
            self.measure.value,
            self.reverse,
        )


@dataclass(frozen=True, slots=True)
class SnapRequest:
    """The nearest points of the network to places.

    Raises:
        InvalidRequest: There are too few or too many places, or the radius is none.
    """

    operation: ClassVar[Operation] = Operation.SNAP

    places: tuple[Coordinate, ...]
    profile: BicycleProfile = BicycleProfile.TOURING
    radius_m: float = limits.SNAP_RADIUS_M

    def __post_init__(self) -> None:
        _check_places(self.places, limits.SNAP_PLACES_MAX)
        if not 0 < self.radius_m <= limits.SNAP_RADIUS_M:
            raise InvalidRequest(
                f"a radius is more than 0 and at most {limits.SNAP_RADIUS_M:g} metres",
                field="radius_m",
            )

    def key(self) -> RequestKey:
        """Return what equal requests have in common."""
        places = tuple(map(place_key, self.places))
        return (self.operation.value, self.profile.value, places, self.radius_m)


@dataclass(frozen=True, slots=True)
class ElevationRequest:
    """The heights of places.

    Raises:
        InvalidRequest: There are too few or too many places.
    """

    operation: ClassVar[Operation] = Operation.ELEVATION

    places: tuple[Coordinate, ...]

    def __post_init__(self) -> None:
        _check_places(self.places, limits.ELEVATION_PLACES_MAX)

    def key(self) -> RequestKey:
        """Return what equal requests have in common."""
        return (self.operation.value, tuple(map(place_key, self.places)))


type Request = RouteRequest | MatrixRequest | IsochroneRequest | SnapRequest | ElevationRequest


def _check_places(places: tuple[Coordinate, ...], most: int) -> None:
    if not 1 <= len(places) <= most:
        raise InvalidRequest(f"there are 1 to {most} places", field="places")


def _sorted(wishes: frozenset[StrEnum]) -> tuple[str, ...]:
    return tuple(sorted(wish.value for wish in wishes))
