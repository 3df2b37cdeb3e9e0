"""Bikemap's words of version 2, and ours."""

from collections.abc import Mapping
from typing import Final

from tandem.routing.domain.maneuver import Maneuver
from tandem.routing.domain.preference import Avoid, SurfacePreference
from tandem.routing.domain.segment import SegmentKind, Surface, WayType

AVOID: Final[Mapping[Avoid, str]] = {
    Avoid.BUSY_ROADS: "busy_roads",
    Avoid.FERRIES: "ferries",
    Avoid.UNPAVED: "unpaved",
}
SURFACE_PREFERENCES: Final[Mapping[SurfacePreference, str]] = {
    SurfacePreference.ANY: "any",
    SurfacePreference.PAVED: "paved",
}
_PLAIN: Final[Mapping[str, Maneuver]] = {
    "depart": Maneuver.DEPART,
    "arrive": Maneuver.ARRIVE,
    "continue": Maneuver.CONTINUE,
    "merge": Maneuver.MERGE,
    "roundabout_enter": Maneuver.ROUNDABOUT_ENTER,
    "roundabout_exit": Maneuver.ROUNDABOUT_EXIT,
    "ferry_enter": Maneuver.FERRY_BOARD,
    "ferry_exit": Maneuver.FERRY_LEAVE,
    "elevator": Maneuver.DISMOUNT,
    "steps": Maneuver.DISMOUNT,
    "escalator": Maneuver.DISMOUNT,
    "building_enter": Maneuver.DISMOUNT,
    "building_exit": Maneuver.DISMOUNT,
}
_TURNS: Final[Mapping[str, Maneuver]] = {
    "straight": Maneuver.CONTINUE,
    "slight_left": Maneuver.TURN_SLIGHT_LEFT,
    "left": Maneuver.TURN_LEFT,
    "sharp_left": Maneuver.TURN_SHARP_LEFT,
    "slight_right": Maneuver.TURN_SLIGHT_RIGHT,
    "right": Maneuver.TURN_RIGHT,
    "sharp_right": Maneuver.TURN_SHARP_RIGHT,
}
_KEEPING: Final[Mapping[str, Maneuver]] = {
    "straight": Maneuver.CONTINUE,
    "left": Maneuver.KEEP_LEFT,
    "right": Maneuver.KEEP_RIGHT,
}
_DIRECTED: Final[Mapping[str, Mapping[str, Maneuver]]] = {
    "turn": _TURNS,
    "u_turn": {"left": Maneuver.U_TURN_LEFT, "right": Maneuver.U_TURN_RIGHT},
    "keep": _KEEPING,
    "ramp": _KEEPING,
    "exit": _KEEPING,
}
_SURFACES: Final[Mapping[str, Surface]] = {
    "paved_smooth": Surface.PAVED,
    "paved_rough": Surface.COBBLESTONES,
    "path": Surface.UNPAVED,
}


def maneuver(kind: str, modifier: str | None) -> Maneuver:
    """Return our word for a maneuver; UNKNOWN for one that we have never heard of."""
    if kind in _DIRECTED:
        return _DIRECTED[kind].get(modifier or "", Maneuver.UNKNOWN)
    return _PLAIN.get(kind, Maneuver.UNKNOWN)


def segment_value(kind: SegmentKind, value: str) -> Surface | WayType | None:
    """Return our word for what a stretch is like; None for one that we have never heard of."""
    if kind is SegmentKind.WAY_TYPE:
        return WayType(value) if value in WayType else None
    return _SURFACES.get(value) or (Surface(value) if value in Surface else None)
