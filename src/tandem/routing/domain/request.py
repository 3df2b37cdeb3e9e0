"""What is asked for: a bicycle route through places."""

from dataclasses import dataclass
from enum import StrEnum

from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.errors import InvalidRequest
from tandem.routing.limits import KEY_DECIMALS, WAYPOINTS_MAX, WAYPOINTS_MIN

type RequestKey = tuple[str, tuple[tuple[float, float], ...]]


class BicycleProfile(StrEnum):
    """The bicycle to route for."""

    TOURING = "touring"
    ROAD = "road"
    MTB = "mtb"


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """A route through the waypoints, in their order. How long it may take is the deadline's matter.

    Raises:
        InvalidRequest: There are too few or too many waypoints.
    """

    waypoints: tuple[Coordinate, ...]
    profile: BicycleProfile = BicycleProfile.TOURING

    def __post_init__(self) -> None:
        if not WAYPOINTS_MIN <= len(self.waypoints) <= WAYPOINTS_MAX:
            raise InvalidRequest(
                f"a route needs {WAYPOINTS_MIN} to {WAYPOINTS_MAX} waypoints", field="waypoints"
            )

    def key(self) -> RequestKey:
        """Return what equal requests have in common, with places rounded to centimetres."""
        # Adding zero makes 0.0 of -0.0; the two are equal, but a key should also look the same.
        places = tuple(
            (round(place.lon, KEY_DECIMALS) + 0.0, round(place.lat, KEY_DECIMALS) + 0.0)
            for place in self.waypoints
        )
        return self.profile.value, places
