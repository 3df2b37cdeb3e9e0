"""What a rider does next: our own words, whatever numbers or names providers have."""

from enum import StrEnum


class Maneuver(StrEnum):
    """What to do at the beginning of a step."""

    DEPART = "depart"
    CONTINUE = "continue"
    TURN_SLIGHT_LEFT = "turn_slight_left"
    TURN_LEFT = "turn_left"
    TURN_SHARP_LEFT = "turn_sharp_left"
    TURN_SLIGHT_RIGHT = "turn_slight_right"
    TURN_RIGHT = "turn_right"
    TURN_SHARP_RIGHT = "turn_sharp_right"
    U_TURN_LEFT = "u_turn_left"
    U_TURN_RIGHT = "u_turn_right"
    KEEP_LEFT = "keep_left"
    KEEP_RIGHT = "keep_right"
    MERGE = "merge"
    ROUNDABOUT_ENTER = "roundabout_enter"
    ROUNDABOUT_EXIT = "roundabout_exit"
    FERRY_BOARD = "ferry_board"
    FERRY_LEAVE = "ferry_leave"
    DISMOUNT = "dismount"
    VIA_REACHED = "via_reached"
    ARRIVE = "arrive"
    UNKNOWN = "unknown"
    """The provider knows a maneuver that we do not; the instruction's text still says it."""
