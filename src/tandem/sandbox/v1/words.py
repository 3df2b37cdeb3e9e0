"""The old contract's words and numbers for those of version 2."""

from collections.abc import Mapping
from typing import Final

from tandem.sandbox.v2.maneuvers import ManeuverKind, Modifier
from tandem.sandbox.v2.requests import Include, Profile

PROFILES: Final[Mapping[str, Profile]] = {
    "bike": Profile.TOURING,
    "racingbike": Profile.ROAD,
    "mtb": Profile.MTB,
}
DETAILS: Final[Mapping[str, Include]] = {
    "bm_surface": Include.SURFACE,
    "bm_way_type": Include.WAY_TYPE,
}
FINISH: Final = 4
REACHED_VIA: Final = 5
_CONTINUE: Final = 0
_TURNS: Final[Mapping[Modifier | None, int]] = {
    Modifier.SHARP_LEFT: -3,
    Modifier.LEFT: -2,
    Modifier.SLIGHT_LEFT: -1,
    Modifier.SLIGHT_RIGHT: 1,
    Modifier.RIGHT: 2,
    Modifier.SHARP_RIGHT: 3,
}
_KEEPS: Final[Mapping[Modifier | None, int]] = {Modifier.LEFT: -7, Modifier.RIGHT: 7}
_U_TURNS: Final[Mapping[Modifier | None, int]] = {Modifier.LEFT: -8, Modifier.RIGHT: 8}
_SIGNS: Final[Mapping[ManeuverKind, Mapping[Modifier | None, int] | int]] = {
    ManeuverKind.ARRIVE: FINISH,
    ManeuverKind.TURN: _TURNS,
    ManeuverKind.KEEP: _KEEPS,
    ManeuverKind.RAMP: _KEEPS,
    ManeuverKind.EXIT: _KEEPS,
    ManeuverKind.U_TURN: _U_TURNS,
    ManeuverKind.ROUNDABOUT_ENTER: 6,
    ManeuverKind.ROUNDABOUT_EXIT: -6,
    ManeuverKind.FERRY_ENTER: 9,
}


def sign(kind: ManeuverKind, modifier: Modifier | None) -> int:
    """Return the old number of a maneuver; what it has no number for goes on."""
    known = _SIGNS.get(kind, _CONTINUE)
    return known if isinstance(known, int) else known.get(modifier, _CONTINUE)
