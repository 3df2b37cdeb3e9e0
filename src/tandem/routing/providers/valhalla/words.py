"""Valhalla's numbers and words, and ours (its `proto/options.proto` and `directions.proto`)."""

from collections.abc import Mapping
from typing import Final

from tandem.routing.domain.maneuver import Maneuver
from tandem.routing.domain.preference import BicycleProfile
from tandem.routing.domain.segment import Surface, WayType

BICYCLE_TYPES: Final[Mapping[BicycleProfile, str]] = {
    BicycleProfile.TOURING: "Hybrid",
    BicycleProfile.ROAD: "Road",
    BicycleProfile.MTB: "Mountain",
}
MANEUVERS: Final[Mapping[int, Maneuver]] = {
    1: Maneuver.DEPART,
    2: Maneuver.DEPART,
    3: Maneuver.DEPART,
    4: Maneuver.ARRIVE,
    5: Maneuver.ARRIVE,
    6: Maneuver.ARRIVE,
    7: Maneuver.CONTINUE,
    8: Maneuver.CONTINUE,
    9: Maneuver.TURN_SLIGHT_RIGHT,
    10: Maneuver.TURN_RIGHT,
    11: Maneuver.TURN_SHARP_RIGHT,
    12: Maneuver.U_TURN_RIGHT,
    13: Maneuver.U_TURN_LEFT,
    14: Maneuver.TURN_SHARP_LEFT,
    15: Maneuver.TURN_LEFT,
    16: Maneuver.TURN_SLIGHT_LEFT,
    17: Maneuver.CONTINUE,
    18: Maneuver.KEEP_RIGHT,
    19: Maneuver.KEEP_LEFT,
    20: Maneuver.KEEP_RIGHT,
    21: Maneuver.KEEP_LEFT,
    22: Maneuver.CONTINUE,
    23: Maneuver.KEEP_RIGHT,
    24: Maneuver.KEEP_LEFT,
    25: Maneuver.MERGE,
    26: Maneuver.ROUNDABOUT_ENTER,
    27: Maneuver.ROUNDABOUT_EXIT,
    28: Maneuver.FERRY_BOARD,
    29: Maneuver.FERRY_LEAVE,
    37: Maneuver.MERGE,
    38: Maneuver.MERGE,
    39: Maneuver.DISMOUNT,
    40: Maneuver.DISMOUNT,
    41: Maneuver.DISMOUNT,
    42: Maneuver.DISMOUNT,
    43: Maneuver.DISMOUNT,
}
SURFACES: Final[Mapping[str, Surface]] = {
    "paved_smooth": Surface.PAVED,
    "paved": Surface.PAVED,
    "paved_rough": Surface.COBBLESTONES,
    "compacted": Surface.COMPACTED,
    "dirt": Surface.DIRT,
    "gravel": Surface.GRAVEL,
    "path": Surface.UNPAVED,
    "impassable": Surface.OTHER,
}
# What a way is used for says more than its class; of roads only the class says how busy they are.
_USES: Final[Mapping[str, WayType]] = {
    "cycleway": WayType.CYCLEWAY,
    "mountain_bike": WayType.PATH,
    "path": WayType.PATH,
    "footway": WayType.PEDESTRIAN_AREA,
    "sidewalk": WayType.PEDESTRIAN_AREA,
    "pedestrian": WayType.PEDESTRIAN_AREA,
    "pedestrian_crossing": WayType.PEDESTRIAN_AREA,
    "living_street": WayType.LIVING_STREET,
    "track": WayType.TRACK,
    "steps": WayType.STEPS,
    "ferry": WayType.FERRY,
    "alley": WayType.ACCESS_ROAD,
    "driveway": WayType.ACCESS_ROAD,
    "service_road": WayType.ACCESS_ROAD,
    "parking_aisle": WayType.ACCESS_ROAD,
}
_CLASSES: Final[Mapping[str, WayType]] = {
    "motorway": WayType.BUSY_ROAD,
    "trunk": WayType.BUSY_ROAD,
    "primary": WayType.BUSY_ROAD,
    "secondary": WayType.BUSY_ROAD,
    "tertiary": WayType.ROAD,
    "unclassified": WayType.QUIET_ROAD,
    "residential": WayType.QUIET_ROAD,
    "service_other": WayType.ACCESS_ROAD,
}


def way_type(use: str | None, road_class: str | None) -> WayType:
    """Return our word for a way."""
    if use is None and road_class is None:
        return WayType.MISSING
    return _USES.get(use or "") or _CLASSES.get(road_class or "") or WayType.OTHER
