"""The contract's words for surfaces and kinds of way, and which of the engine's are which."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Surface(StrEnum):
    """How a way is to ride on, best first."""

    PAVED_SMOOTH = "paved_smooth"
    PAVED = "paved"
    PAVED_ROUGH = "paved_rough"
    COMPACTED = "compacted"
    DIRT = "dirt"
    GRAVEL = "gravel"
    PATH = "path"
    MISSING = "missing"


class WayType(StrEnum):
    """What kind of way it is."""

    CYCLEWAY = "cycleway"
    LIVING_STREET = "living_street"
    QUIET_ROAD = "quiet_road"
    ROAD = "road"
    BUSY_ROAD = "busy_road"
    ACCESS_ROAD = "access_road"
    PEDESTRIAN_AREA = "pedestrian_area"
    PATH = "path"
    TRACK = "track"
    STEPS = "steps"
    FERRY = "ferry"
    MISSING = "missing"


_BY_USE: Final[Mapping[str, WayType]] = {
    "cycleway": WayType.CYCLEWAY,
    "living_street": WayType.LIVING_STREET,
    "driveway": WayType.ACCESS_ROAD,
    "alley": WayType.ACCESS_ROAD,
    "parking_aisle": WayType.ACCESS_ROAD,
    "drive_through": WayType.ACCESS_ROAD,
    "emergency_access": WayType.ACCESS_ROAD,
    "service_road": WayType.ACCESS_ROAD,
    "pedestrian": WayType.PEDESTRIAN_AREA,
    "footway": WayType.PATH,
    "sidewalk": WayType.PATH,
    "path": WayType.PATH,
    "bridleway": WayType.PATH,
    "pedestrian_crossing": WayType.PATH,
    "track": WayType.TRACK,
    "mountain_bike": WayType.TRACK,
    "steps": WayType.STEPS,
    "escalator": WayType.STEPS,
    "ferry": WayType.FERRY,
    "rail-ferry": WayType.FERRY,
}
_BY_ROAD_CLASS: Final[Mapping[str, WayType]] = {
    "motorway": WayType.BUSY_ROAD,
    "trunk": WayType.BUSY_ROAD,
    "primary": WayType.BUSY_ROAD,
    "secondary": WayType.BUSY_ROAD,
    "tertiary": WayType.ROAD,
    "unclassified": WayType.QUIET_ROAD,
    "residential": WayType.QUIET_ROAD,
    "service_other": WayType.ACCESS_ROAD,
}
_SURFACES: Final = frozenset(Surface)


def surface(engine_surface: str | None) -> Surface:
    """Translate the engine's surface; what it does not know is missing."""
    return Surface(engine_surface) if engine_surface in _SURFACES else Surface.MISSING


def way_type(use: str | None, road_class: str | None) -> WayType:
    """Translate the engine's use, or for an ordinary road its class."""
    by_use = _BY_USE.get(use or "")
    return by_use or _BY_ROAD_CLASS.get(road_class or "", WayType.MISSING)
