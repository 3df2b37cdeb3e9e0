"""What was asked for, held against what came."""

from dataclasses import replace

import pytest
from tests.support.routing import MARKET, STATION, between

from tandem.routing.domain.answers import Routes
from tandem.routing.domain.capabilities import Capabilities
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.errors import NotSnapped
from tandem.routing.domain.maneuver import Maneuver
from tandem.routing.domain.operation import Operation
from tandem.routing.domain.preference import Preferences
from tandem.routing.domain.request import Include, RouteRequest
from tandem.routing.domain.route import Leg, Route, RouteWarning, Step
from tandem.routing.domain.waypoint import SnappedWaypoint
from tandem.routing.limits import WARNINGS_MAX
from tandem.routing.providers.asked import compared

_STEP = Step(Maneuver.DEPART, "Go.", 0, 2, 800.0, 200.0)
_ROUTE = Route(
    800.0,
    200.0,
    0.0,
    0.0,
    between(MARKET, STATION),
    (Leg(800.0, 200.0, 0, 2, (_STEP,)),),
    heights_m=(1.0, 2.0, 3.0),
)
_REQUEST = RouteRequest.through(MARKET, STATION)
_PLAIN = Capabilities(frozenset({Operation.ROUTE}))


def _codes(routes: Routes) -> list[str]:
    return [warning.code for warning in routes.best.warnings]


def test_what_nobody_asked_for_is_left_out() -> None:
    """Steps and heights that come unasked are not kept, nor are more alternatives than wanted."""
    routes = compared(Routes((_ROUTE, _ROUTE)), _REQUEST, _PLAIN)
    assert len(routes.routes) == 1
    assert (routes.best.heights_m, routes.best.legs[0].steps) == (None, ())
    assert _codes(routes) == []


def test_silently_ignored_options_are_named() -> None:
    """What was asked for and did not come is a warning, once."""
    request = replace(_REQUEST, include=frozenset(Include))
    assert _codes(compared(Routes((_ROUTE,)), request, _PLAIN)) == ["segments.unavailable"]
    said = replace(_ROUTE, warnings=(RouteWarning("segments.unavailable"),))
    assert _codes(compared(Routes((said,)), request, _PLAIN)) == ["segments.unavailable"]


def test_wishes_are_named_before_the_providers_warnings() -> None:
    """However much a provider has to say, our own warnings are not crowded out."""
    request = replace(_REQUEST, preferences=Preferences(e_bike=True))
    said = replace(_ROUTE, warnings=tuple(RouteWarning(f"w{i}") for i in range(WARNINGS_MAX)))
    codes = _codes(compared(Routes((said,)), request, _PLAIN))
    assert (codes[0], len(codes)) == ("unheeded.e_bike", WARNINGS_MAX)


def test_snapping_far_away() -> None:
    """A waypoint that was moved too far is refused by its index, whatever distance is claimed."""
    far = SnappedWaypoint(Coordinate(STATION.lon + 0.02, STATION.lat), 3.0)
    with pytest.raises(NotSnapped) as raised:
        compared(Routes((_ROUTE,), (SnappedWaypoint(MARKET, 0.0), far)), _REQUEST, _PLAIN)
    assert raised.value.point_index == 1
