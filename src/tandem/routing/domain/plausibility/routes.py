"""Whether a route can be true."""

from tandem.routing.domain.coordinate import great_circle_m, line_length_m
from tandem.routing.domain.request import RouteRequest
from tandem.routing.domain.route import Route
from tandem.routing.limits import (
    CLIMB_PER_METRE_MAX,
    CLIMB_SLACK_M,
    DISTANCE_M_MAX,
    END_OFFSET_M_MAX,
    HEIGHT_M_MAX,
    HEIGHT_M_MIN,
    LENGTH_RATIO_MAX,
    LENGTH_SLACK_M,
    SPEED_CHECK_DISTANCE_M_MIN,
    SPEED_KMH_MAX,
    SPEED_KMH_MIN,
)

_KMH_PER_MS = 3.6


def find_fault(route: Route, request: RouteRequest) -> str | None:
    """Say what about a route cannot be true, or None."""
    if len(route.geometry) < 2:  # noqa: PLR2004 - a line has two ends
        return "the line has fewer than two vertices"
    return (
        _ends_fault(route, request)
        or _legs_fault(route, request)
        or _length_fault(route)
        or _speed_fault(route)
        or _climb_fault(route)
        or _details_fault(route)
    )


def _ends_fault(route: Route, request: RouteRequest) -> str | None:
    ends = (
        (route.geometry[0], request.stops[0]),
        (route.geometry[-1], request.stops[-1]),
    )
    if any(great_circle_m(end, wanted) > END_OFFSET_M_MAX for end, wanted in ends):
        return "the line does not run between the waypoints"
    return None


def _legs_fault(route: Route, request: RouteRequest) -> str | None:
    if len(route.legs) != len(request.stops) - 1:
        return "there is not one leg between each two waypoints"
    at = 0
    for leg, wanted in zip(route.legs, request.stops[1:], strict=True):
        if leg.begin_index != at or not at <= leg.end_index < len(route.geometry):
            return "the legs do not follow each other along the line"
        at = leg.end_index
        if great_circle_m(route.geometry[at], wanted) > END_OFFSET_M_MAX:
            return "a leg does not end at its waypoint"
    return None if at == len(route.geometry) - 1 else "the legs do not cover the line"


def _length_fault(route: Route) -> str | None:
    if not 0 <= route.distance_m <= DISTANCE_M_MAX:
        return "the distance is out of bounds"
    drawn_m = line_length_m(route.geometry)
    longer, shorter = max(drawn_m, route.distance_m), min(drawn_m, route.distance_m)
    if longer > shorter * LENGTH_RATIO_MAX + LENGTH_SLACK_M:
        return "the line is not as long as the distance says"
    return None


def _speed_fault(route: Route) -> str | None:
    if route.duration_s < 0:
        return "the duration is negative"
    # On a few metres, rounding makes any speed.
    if route.distance_m < SPEED_CHECK_DISTANCE_M_MIN:
        return None
    if route.duration_s == 0:
        return "it takes no time"
    speed_kmh = route.distance_m / route.duration_s * _KMH_PER_MS
    if not SPEED_KMH_MIN <= speed_kmh <= SPEED_KMH_MAX:
        return "no bicycle has this speed"
    return None


def _climb_fault(route: Route) -> str | None:
    climb_m_max = route.distance_m * CLIMB_PER_METRE_MAX + CLIMB_SLACK_M
    if not (0 <= route.ascent_m <= climb_m_max and 0 <= route.descent_m <= climb_m_max):
        return "no bicycle climbs like this"
    return None


def _details_fault(route: Route) -> str | None:
    """Look at what comes along with the line: heights, steps and segments."""
    last = len(route.geometry) - 1
    if route.heights_m is not None and len(route.heights_m) != len(route.geometry):
        return "there is not one height for each vertex"
    if not all(HEIGHT_M_MIN <= height <= HEIGHT_M_MAX for height in route.heights_m or ()):
        return "a height is out of bounds"
    pieces = [step for leg in route.legs for step in leg.steps] + list(route.segments)
    if any(not 0 <= piece.begin_index <= piece.end_index <= last for piece in pieces):
        return "a step or a segment is not on the line"
    return None
