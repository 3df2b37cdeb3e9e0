"""Both versions of Bikemap give equal routes for equal questions."""

from dataclasses import replace

import pytest
from tests.support.routing import (
    CLIENT_ID,
    CLIENT_SECRET,
    MARKET,
    STATION,
    VirtualClock,
    best_route,
    soon,
)
from tests.support.sandbox import served_sandbox

from tandem.platform.secrets import live
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.preference import BicycleProfile
from tandem.routing.domain.request import Include, RouteRequest
from tandem.routing.domain.route import Route
from tandem.routing.domain.waypoint import Waypoint, WaypointKind
from tandem.routing.providers.bikemap_v1 import BikemapV1
from tandem.routing.providers.bikemap_v2 import BikemapV2

pytestmark = pytest.mark.anyio

_PARK = Coordinate(lon=24.9465, lat=60.1745)


@pytest.mark.parametrize("profile", BicycleProfile)
@pytest.mark.parametrize("kind", WaypointKind)
async def test_equal_routes(valhalla_url: str, profile: BicycleProfile, kind: WaypointKind) -> None:
    """Lines to five decimals, metres and seconds, legs, steps and climb are the same."""
    waypoints = (Waypoint(MARKET), Waypoint(_PARK, kind), Waypoint(STATION))
    # Steps around a via have different names in the two, so they are compared without one.
    wanted = frozenset(Include) if kind is WaypointKind.STOP else frozenset({Include.HEIGHTS})
    request = replace(RouteRequest(waypoints, profile), include=wanted)
    async with (
        served_sandbox(valhalla_url) as sandbox,
        BikemapV2(sandbox.url, CLIENT_ID, live(CLIENT_SECRET), VirtualClock()) as version_2,
        BikemapV1(sandbox.url, live(CLIENT_SECRET)) as version_1,
    ):
        one = await best_route(version_1, request, soon())
        other = await best_route(version_2, request, soon())
    _check_equal(one, other)


def _check_equal(one: Route, other: Route) -> None:
    assert len(one.geometry) == len(other.geometry)
    for place, same in zip(one.geometry, other.geometry, strict=True):
        assert abs(place.lon - same.lon) <= 1e-5
        assert abs(place.lat - same.lat) <= 1e-5
    assert one.heights_m == pytest.approx(other.heights_m, abs=0.1)
    measures = [
        (route.distance_m, route.duration_s, route.ascent_m, route.descent_m)
        for route in (one, other)
    ]
    assert measures[0] == pytest.approx(measures[1], abs=0.5)
    assert [(leg.begin_index, leg.end_index) for leg in one.legs] == [
        (leg.begin_index, leg.end_index) for leg in other.legs
    ]
    steps = [
        [
            (step.maneuver, step.begin_index, step.end_index)
            for leg in route.legs
            for step in leg.steps
        ]
        for route in (one, other)
    ]
    assert steps[0] == steps[1]
    assert one.segments == other.segments
