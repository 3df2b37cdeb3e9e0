"""What kind of ride is wanted."""

from dataclasses import dataclass
from enum import StrEnum


class BicycleProfile(StrEnum):
    """The bicycle to route for."""

    TOURING = "touring"
    ROAD = "road"
    MTB = "mtb"


class SurfacePreference(StrEnum):
    """What one would rather ride on. A wish: a route may still have the other."""

    ANY = "any"
    PAVED = "paved"
    UNPAVED = "unpaved"


class Avoid(StrEnum):
    """What to keep away from as far as possible."""

    STEPS = "steps"
    BUSY_ROADS = "busy_roads"
    FERRIES = "ferries"
    UNPAVED = "unpaved"
    COBBLESTONES = "cobblestones"
    TUNNELS = "tunnels"


@dataclass(frozen=True, slots=True)
class Preferences:
    """Wishes. A provider that cannot heed one says so in a warning of the route."""

    surface: SurfacePreference = SurfacePreference.ANY
    e_bike: bool = False
    avoid: frozenset[Avoid] = frozenset()
