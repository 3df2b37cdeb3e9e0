"""Places, requests, estimates and climbs."""

import math
from dataclasses import replace
from datetime import datetime

import pytest
from tests.support.routing import MARKET, STATION

from tandem.routing.domain.climb import climb_m
from tandem.routing.domain.coordinate import Coordinate, great_circle_m, line_length_m
from tandem.routing.domain.errors import InvalidRequest, NoRoute
from tandem.routing.domain.estimate import estimate
from tandem.routing.domain.preference import BicycleProfile
from tandem.routing.domain.request import RouteRequest
from tandem.routing.domain.waypoint import Waypoint, WaypointKind


@pytest.mark.parametrize(
    ("lon", "lat"), [(180.1, 0), (0, -90.1), (math.nan, 0), (0, math.nan), (math.inf, 0)]
)
def test_places_are_on_the_globe(lon: float, lat: float) -> None:
    """What is no place cannot be made."""
    with pytest.raises(ValueError, match="longitude"):
        Coordinate(lon, lat)


def test_distances_are_right() -> None:
    """A degree of a meridian is 111.195 km, and antipodes are half the globe apart."""
    assert great_circle_m(Coordinate(25, 60), Coordinate(25, 61)) == pytest.approx(111_195, abs=1)
    half_m = math.pi * 6_371_008.8
    assert great_circle_m(Coordinate(0, 0), Coordinate(180, 0)) == pytest.approx(half_m)
    assert line_length_m([MARKET, STATION, MARKET]) == 2 * great_circle_m(MARKET, STATION)
    assert line_length_m([]) == 0


@pytest.mark.parametrize("count", [0, 1, 51])
def test_requests_have_two_to_fifty_waypoints(count: int) -> None:
    """Fewer or more are refused, and the field is named."""
    with pytest.raises(InvalidRequest) as refused:
        RouteRequest.through(*(MARKET,) * count)
    assert refused.value.field == "waypoints"


def test_a_departure_has_an_offset() -> None:
    """Without one nobody knows when it is."""
    naive = datetime(2026, 11, 23, 8)  # noqa: DTZ001 - it is refused
    with pytest.raises(InvalidRequest, match="offset"):
        replace(RouteRequest.through(Coordinate(24, 60), Coordinate(25, 60)), departure_at=naive)


def test_key_ignores_what_is_too_small_to_matter() -> None:
    """Places a centimetre apart are one place; another order or bicycle is another request."""
    request = RouteRequest.through(MARKET, STATION)
    nearby = Coordinate(MARKET.lon + 1e-8, MARKET.lat - 1e-8)
    assert RouteRequest.through(nearby, STATION).key() == request.key()
    assert RouteRequest.through(STATION, MARKET).key() != request.key()
    assert RouteRequest.through(MARKET, STATION, profile=BicycleProfile.ROAD).key() != request.key()
    zero = RouteRequest.through(Coordinate(-1e-9, 0.0), Coordinate(0.0, 1.0))
    assert repr(zero.key()) == repr(
        RouteRequest.through(Coordinate(0.0, 0.0), Coordinate(0.0, 1.0)).key()
    )


def test_an_estimate_goes_by_way_of_its_vias() -> None:
    """There and back through a via is no way of no length, and still one leg."""
    via = Waypoint(STATION, kind=WaypointKind.VIA)
    request = RouteRequest((Waypoint(MARKET), via, Waypoint(MARKET), Waypoint(STATION)))
    route = estimate(request)
    there_m = estimate(RouteRequest.through(MARKET, STATION)).distance_m
    assert route.geometry == request.places
    assert [(leg.begin_index, leg.end_index) for leg in route.legs] == [(0, 2), (2, 3)]
    assert [leg.distance_m / there_m for leg in route.legs] == pytest.approx([2, 1])


@pytest.mark.parametrize("profile", BicycleProfile)
def test_estimate_is_believable(profile: BicycleProfile) -> None:
    """An estimate is longer than the straight line, has its legs, no climb, and says what it is."""
    request = RouteRequest.through(MARKET, STATION, MARKET, profile=profile)
    route = estimate(request)
    assert route.distance_m == pytest.approx(2 * 1.35 * great_circle_m(MARKET, STATION))
    assert 10 < route.distance_m / route.duration_s * 3.6 < 25
    assert [(leg.begin_index, leg.end_index) for leg in route.legs] == [(0, 1), (1, 2)]
    assert sum(leg.distance_m for leg in route.legs) == pytest.approx(route.distance_m)
    assert route.ascent_m == route.descent_m == 0
    assert [warning.code for warning in route.warnings] == ["estimate"]


def test_climb_ignores_noise() -> None:
    """Ripples below a metre do not add up to a mountain; a slow climb still counts."""
    assert climb_m([]) == (0, 0)
    assert climb_m([10, 10.5, 10, 10.6, 10.1] * 50) == (0, 0)
    ascent_m, descent_m = climb_m([n / 10 for n in range(101)])
    assert ascent_m == pytest.approx(10, abs=1)
    assert descent_m == 0
    assert climb_m([0, 5, 2, 9]) == (12, 3)


def test_error_raised_again_is_equal_but_new() -> None:
    """What is kept in the negative cache can be raised many times without growing."""
    first = NoRoute("no way", point_index=1)
    again = first.again()
    assert again is not first
    assert (type(again), str(again), again.point_index) == (NoRoute, "no way", 1)
