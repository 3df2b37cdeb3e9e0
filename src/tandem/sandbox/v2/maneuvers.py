"""The contract's maneuvers, and which of the engine's numbers is which."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class ManeuverKind(StrEnum):
    """What to do."""

    DEPART = "depart"
    ARRIVE = "arrive"
    CONTINUE = "continue"
    TURN = "turn"
    U_TURN = "u_turn"
    KEEP = "keep"
    RAMP = "ramp"
    EXIT = "exit"
    MERGE = "merge"
    ROUNDABOUT_ENTER = "roundabout_enter"
    ROUNDABOUT_EXIT = "roundabout_exit"
    FERRY_ENTER = "ferry_enter"
    FERRY_EXIT = "ferry_exit"
    ELEVATOR = "elevator"
    STEPS = "steps"
    ESCALATOR = "escalator"
    BUILDING_ENTER = "building_enter"
    BUILDING_EXIT = "building_exit"


class Modifier(StrEnum):
    """In which direction to do it."""

    STRAIGHT = "straight"
    SLIGHT_LEFT = "slight_left"
    LEFT = "left"
    SHARP_LEFT = "sharp_left"
    SLIGHT_RIGHT = "slight_right"
    RIGHT = "right"
    SHARP_RIGHT = "sharp_right"


type Maneuver = tuple[ManeuverKind, Modifier | None]

_K, _M = ManeuverKind, Modifier
_BY_ENGINE_TYPE: Final[Mapping[int, Maneuver]] = {
    1: (_K.DEPART, None),
    2: (_K.DEPART, _M.RIGHT),
    3: (_K.DEPART, _M.LEFT),
    4: (_K.ARRIVE, None),
    5: (_K.ARRIVE, _M.RIGHT),
    6: (_K.ARRIVE, _M.LEFT),
    7: (_K.CONTINUE, None),
    8: (_K.CONTINUE, None),
    9: (_K.TURN, _M.SLIGHT_RIGHT),
    10: (_K.TURN, _M.RIGHT),
    11: (_K.TURN, _M.SHARP_RIGHT),
    12: (_K.U_TURN, _M.RIGHT),
    13: (_K.U_TURN, _M.LEFT),
    14: (_K.TURN, _M.SHARP_LEFT),
    15: (_K.TURN, _M.LEFT),
    16: (_K.TURN, _M.SLIGHT_LEFT),
    17: (_K.RAMP, _M.STRAIGHT),
    18: (_K.RAMP, _M.RIGHT),
    19: (_K.RAMP, _M.LEFT),
    20: (_K.EXIT, _M.RIGHT),
    21: (_K.EXIT, _M.LEFT),
    22: (_K.KEEP, _M.STRAIGHT),
    23: (_K.KEEP, _M.RIGHT),
    24: (_K.KEEP, _M.LEFT),
    25: (_K.MERGE, None),
    26: (_K.ROUNDABOUT_ENTER, None),
    27: (_K.ROUNDABOUT_EXIT, None),
    28: (_K.FERRY_ENTER, None),
    29: (_K.FERRY_EXIT, None),
    37: (_K.MERGE, _M.RIGHT),
    38: (_K.MERGE, _M.LEFT),
    39: (_K.ELEVATOR, None),
    40: (_K.STEPS, None),
    41: (_K.ESCALATOR, None),
    42: (_K.BUILDING_ENTER, None),
    43: (_K.BUILDING_EXIT, None),
}


def maneuver(engine_type: int) -> Maneuver:
    """Translate; the rest of the engine's numbers are for public transport: go on."""
    return _BY_ENGINE_TYPE.get(engine_type, (ManeuverKind.CONTINUE, None))
