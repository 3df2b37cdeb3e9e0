"""What a stretch of a route is like. The values are the engine's own (bikemap/graphhopper)."""

from dataclasses import dataclass
from enum import StrEnum


class SegmentKind(StrEnum):
    """What is said of a stretch."""

    SURFACE = "surface"
    WAY_TYPE = "way_type"


class Surface(StrEnum):
    """What one rides on."""

    PAVED = "paved"
    ASPHALT = "asphalt"
    CONCRETE = "concrete"
    PAVING_STONES = "paving_stones"
    COBBLESTONES = "cobblestones"
    WOOD = "wood"
    METAL = "metal"
    COMPACTED = "compacted"
    FINE_GRAVEL = "fine_gravel"
    GRAVEL = "gravel"
    DIRT = "dirt"
    GRASS = "grass"
    SAND = "sand"
    ROCK = "rock"
    UNPAVED = "unpaved"
    OTHER = "other"
    MISSING = "missing"


class WayType(StrEnum):
    """What kind of way it is."""

    CYCLEWAY = "cycleway"
    LIVING_STREET = "living_street"
    QUIET_ROAD = "quiet_road"
    ROAD = "road"
    BUSY_ROAD = "busy_road"
    ACCESS_ROAD = "access_road"
    PATH = "path"
    TRACK = "track"
    PEDESTRIAN_AREA = "pedestrian_area"
    STEPS = "steps"
    FERRY = "ferry"
    OTHER = "other"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a route's line, from vertex `begin_index` to `end_index`, both included."""

    kind: SegmentKind
    begin_index: int
    end_index: int
    value: Surface | WayType
