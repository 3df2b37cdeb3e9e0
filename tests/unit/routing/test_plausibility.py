"""Routes that have the right type and cannot be true."""

from dataclasses import replace

import pytest
from tests.support.routing import MARKET, REQUEST, STATION, between

from tandem.routing.domain.coordinate import Coordinate, great_circle_m
from tandem.routing.domain.plausibility.routes import find_fault
from tandem.routing.domain.request import RouteRequest
from tandem.routing.domain.route import Leg, Route

_DISTANCE_M = great_circle_m(MARKET, STATION)
_ROUTE = Route(
    distance_m=_DISTANCE_M,
    duration_s=_DISTANCE_M / 4,
    ascent_m=5,
    descent_m=3,
    geometry=between(MARKET, STATION),
    legs=(Leg(_DISTANCE_M, _DISTANCE_M / 4, 0, 2),),
)


def _swapped(place: Coordinate) -> Coordinate:
    return Coordinate(place.lat, place.lon)


def test_a_true_route_has_no_fault() -> None:
    """What can be true is believed."""
    assert find_fault(_ROUTE, REQUEST) is None


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"geometry": ()}, "fewer than two"),
        ({"geometry": tuple(_swapped(place) for place in _ROUTE.geometry)}, "between the way"),
        ({"geometry": tuple(reversed(_ROUTE.geometry))}, "between the waypoints"),
        ({"legs": ()}, "one leg"),
        ({"legs": (Leg(1, 1, 1, 2),)}, "follow each other"),
        ({"legs": (Leg(1, 1, 0, 3),)}, "follow each other"),
        ({"legs": (Leg(1, 1, 0, 1),)}, "cover the line"),
        ({"distance_m": _DISTANCE_M / 1_000}, "as long as"),
        ({"distance_m": _DISTANCE_M * 1.609}, "as long as"),
        ({"distance_m": -1.0}, "out of bounds"),
        ({"distance_m": float("nan")}, "out of bounds"),
        ({"duration_s": _DISTANCE_M / 4 * 1_000}, "this speed"),
        ({"duration_s": _DISTANCE_M / 4 / 60}, "this speed"),
        ({"duration_s": 0.0}, "no time"),
        ({"duration_s": -1.0}, "negative"),
        ({"ascent_m": 80_000.0}, "climbs"),
        ({"descent_m": 80_000.0}, "climbs"),
        ({"ascent_m": -1.0}, "climbs"),
    ],
)
def test_mistakes_are_found(wrong: dict[str, object], fault: str) -> None:
    """Mixed-up axes, units and precisions, broken legs and terrain spikes are all named."""
    found = find_fault(replace(_ROUTE, **wrong), REQUEST)  # type: ignore[arg-type]  # by design
    assert found is not None
    assert fault in found


def test_a_leg_must_end_at_its_waypoint() -> None:
    """A route that skips a waypoint is not believed."""
    far = Coordinate(MARKET.lon + 0.02, MARKET.lat)
    request = RouteRequest.through(MARKET, far, STATION)
    legs = (Leg(1, 1, 0, 1), Leg(1, 1, 1, 2))
    assert find_fault(replace(_ROUTE, legs=legs), request) == "a leg does not end at its waypoint"


def test_a_few_metres_may_have_any_speed() -> None:
    """Over a few metres rounding makes any speed, so none is checked."""
    near = Coordinate(MARKET.lon + 0.0001, MARKET.lat)
    line = (MARKET, near)
    route = replace(
        _ROUTE, distance_m=5.0, duration_s=0.0, geometry=line, legs=(Leg(5, 0, 0, 1),), ascent_m=0
    )
    assert find_fault(route, RouteRequest.through(*line)) is None
