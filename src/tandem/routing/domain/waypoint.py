"""A place that a route goes through, and how."""

from dataclasses import dataclass
from enum import StrEnum

from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.errors import InvalidRequest
from tandem.routing.limits import SNAP_RADIUS_M

_FULL_CIRCLE_DEG = 360.0


class WaypointKind(StrEnum):
    """A stop begins a new leg; a via is only passed."""

    STOP = "stop"
    VIA = "via"


@dataclass(frozen=True, slots=True)
class Waypoint:
    """A place, the heading in which to leave it, and how far from the network it may lie.

    `heading_deg` counts clockwise from north, from 0 to below 360; None leaves it open.

    Raises:
        InvalidRequest: The heading or the radius is none.
    """

    place: Coordinate
    kind: WaypointKind = WaypointKind.STOP
    heading_deg: float | None = None
    snap_radius_m: float = SNAP_RADIUS_M

    def __post_init__(self) -> None:
        if self.heading_deg is not None and not 0 <= self.heading_deg < _FULL_CIRCLE_DEG:
            raise InvalidRequest("a heading is from 0 to below 360 degrees", field="heading_deg")
        if not 0 < self.snap_radius_m <= SNAP_RADIUS_M:
            raise InvalidRequest(
                f"a snap radius is more than 0 and at most {SNAP_RADIUS_M:g} metres",
                field="snap_radius_m",
            )


@dataclass(frozen=True, slots=True)
class SnappedWaypoint:
    """Where on the network a waypoint came to lie, and how far that is from where it was."""

    place: Coordinate
    snap_distance_m: float
