"""Numbers and words of the API of paths, and ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tandem.routing.domain.caching import CachePolicy
from tandem.routing.domain.capabilities import Capabilities
from tandem.routing.domain.maneuver import Maneuver
from tandem.routing.domain.operation import Operation
from tandem.routing.domain.preference import BicycleProfile
from tandem.routing.domain.segment import Surface, WayType


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one provider of the API of paths says differently.

    `key_header` names the header of the key; None: it is taken in the query alone. The details
    are what it calls the kinds of segments.
    """

    name: str
    attribution: tuple[str, ...]
    prefix: str
    key_header: str | None
    surface_detail: str
    way_type_detail: str
    capabilities: Capabilities
    caching: Mapping[Operation, CachePolicy]


PROFILES: Final[Mapping[BicycleProfile, str]] = {
    BicycleProfile.TOURING: "bike",
    BicycleProfile.ROAD: "racingbike",
    BicycleProfile.MTB: "mtb",
}
SIGN_FINISH: Final = 4
SIGN_VIA: Final = 5
SIGNS: Final[Mapping[int, Maneuver]] = {
    -98: Maneuver.U_TURN_LEFT,
    -8: Maneuver.U_TURN_LEFT,
    -7: Maneuver.KEEP_LEFT,
    -6: Maneuver.ROUNDABOUT_EXIT,
    -3: Maneuver.TURN_SHARP_LEFT,
    -2: Maneuver.TURN_LEFT,
    -1: Maneuver.TURN_SLIGHT_LEFT,
    0: Maneuver.CONTINUE,
    1: Maneuver.TURN_SLIGHT_RIGHT,
    2: Maneuver.TURN_RIGHT,
    3: Maneuver.TURN_SHARP_RIGHT,
    SIGN_FINISH: Maneuver.ARRIVE,
    SIGN_VIA: Maneuver.VIA_REACHED,
    6: Maneuver.ROUNDABOUT_ENTER,
    7: Maneuver.KEEP_RIGHT,
    8: Maneuver.U_TURN_RIGHT,
    9: Maneuver.FERRY_BOARD,
}
# OpenStreetMap's words where they are not ours as well.
_SURFACES: Final[Mapping[str, Surface]] = {
    "paved_smooth": Surface.PAVED,
    "paved_rough": Surface.COBBLESTONES,
    "cobblestone": Surface.COBBLESTONES,
    "sett": Surface.COBBLESTONES,
    "unhewn_cobblestone": Surface.COBBLESTONES,
    "metal_grid": Surface.METAL,
    "ground": Surface.DIRT,
    "earth": Surface.DIRT,
    "mud": Surface.DIRT,
    "pebblestone": Surface.GRAVEL,
    "path": Surface.UNPAVED,
}
_WAY_TYPES: Final[Mapping[str, WayType]] = {
    "motorway": WayType.BUSY_ROAD,
    "trunk": WayType.BUSY_ROAD,
    "primary": WayType.BUSY_ROAD,
    "secondary": WayType.BUSY_ROAD,
    "tertiary": WayType.ROAD,
    "unclassified": WayType.QUIET_ROAD,
    "residential": WayType.QUIET_ROAD,
    "service": WayType.ACCESS_ROAD,
    "footway": WayType.PEDESTRIAN_AREA,
    "pedestrian": WayType.PEDESTRIAN_AREA,
    "platform": WayType.PEDESTRIAN_AREA,
    "corridor": WayType.PEDESTRIAN_AREA,
    "bridleway": WayType.PATH,
}


def surface(value: str) -> Surface | None:
    """Return our word for a surface; None for one that we have never heard of."""
    return _SURFACES.get(value) or (Surface(value) if value in Surface else None)


def way_type(value: str) -> WayType | None:
    """Return our word for a kind of way; None for one that we have never heard of."""
    return _WAY_TYPES.get(value) or (WayType(value) if value in WayType else None)
