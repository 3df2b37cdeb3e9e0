"""The Valhalla adapter against the real engine, and against one that misbehaves."""

import pytest
from tests.support.fault_server import FaultServer, Reply, Seen, html_reply, json_reply
from tests.support.routing import (
    MARKET,
    REQUEST,
    STATION,
    always,
    best_route,
    between,
    encode_line,
    soon,
)

from tandem.routing.domain.coordinate import Coordinate, great_circle_m, line_length_m
from tandem.routing.domain.errors import (
    BadPayload,
    GatewayHtml,
    InvalidRequest,
    NoRoute,
    NotSnapped,
    RoutingError,
    ServerError,
    TooLong,
)
from tandem.routing.domain.preference import BicycleProfile
from tandem.routing.domain.request import RouteRequest
from tandem.routing.providers.valhalla import Valhalla

pytestmark = pytest.mark.anyio

_PARK = Coordinate(lon=24.9465, lat=60.1745)


@pytest.mark.parametrize("profile", BicycleProfile)
async def test_a_real_route(valhalla_url: str, profile: BicycleProfile) -> None:
    """Every bicycle gets a believable route with legs, and with climb on the engine's terrain."""
    request = RouteRequest.through(MARKET, _PARK, STATION, profile=profile)
    async with Valhalla(valhalla_url) as provider:
        route = await best_route(provider, request, soon(10_000))
    assert route.distance_m > great_circle_m(MARKET, _PARK) + great_circle_m(_PARK, STATION)
    assert route.distance_m == pytest.approx(line_length_m(route.geometry), rel=0.02)
    assert len(route.legs) == 2
    assert sum(leg.duration_s for leg in route.legs) == pytest.approx(route.duration_s, rel=0.01)
    assert route.ascent_m + route.descent_m > 10
    assert route.warnings == ()


async def test_to_where_one_is(valhalla_url: str) -> None:
    """A route from a place to itself is a route of nothing."""
    async with Valhalla(valhalla_url) as provider:
        route = await best_route(provider, RouteRequest.through(MARKET, MARKET), soon(10_000))
    assert route.distance_m == 0
    assert great_circle_m(route.geometry[0], route.geometry[-1]) < 1


@pytest.mark.parametrize(
    ("waypoints", "error"),
    [
        ((Coordinate(24.952037, 60.169384), Coordinate(24.95, 60.175)), NoRoute),
        ((MARKET, Coordinate(24.99, 60.17)), NotSnapped),
        ((MARKET, Coordinate(11.5, 48.1)), RoutingError),
        ((Coordinate(MARKET.lat, MARKET.lon), STATION), RoutingError),
    ],
)
async def test_real_refusals(
    valhalla_url: str, waypoints: tuple[Coordinate, ...], error: type[RoutingError]
) -> None:
    """No way, no network near, and another country (or mixed-up axes) are refused."""
    async with Valhalla(valhalla_url) as provider:
        with pytest.raises(error) as raised:
            await best_route(provider, RouteRequest.through(*waypoints), soon(10_000))
    assert raised.value.traits.trips_breaker is False


def _error(code: int, status: int = 400) -> Reply:
    return json_reply(status, {"error_code": code, "error": "x", "status_code": status})


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (_error(442), NoRoute),
        (_error(170), NoRoute),
        (_error(171), NotSnapped),
        (_error(154), TooLong),
        (_error(150), InvalidRequest),
        (_error(120), InvalidRequest),
        (_error(499), ServerError),
        (_error(442, 200), NoRoute),
        (html_reply(502), GatewayHtml),
        (json_reply(503, {}), RoutingError),
        (json_reply(200, {"trip": {}}), BadPayload),
    ],
)
async def test_error_numbers(reply: Reply, error: type[RoutingError]) -> None:
    """Each number is an error of the taxonomy, under whatever status."""
    async with FaultServer(always(reply)) as server, Valhalla(server.url) as provider:
        with pytest.raises(error):
            await best_route(provider, REQUEST, soon())


def _trip(**changes: object) -> dict[str, object]:
    summary = {"length": great_circle_m(MARKET, STATION) / 1_000, "time": 150.0}
    leg = {"summary": summary, "shape": encode_line(between(MARKET, STATION))}
    trip = {"summary": summary, "legs": [leg], "units": "kilometers", "status": 0}
    return {"trip": trip | changes}


@pytest.mark.parametrize(
    ("heights", "ascent_m"),
    [
        (html_reply(500), 0.0),
        (json_reply(200, {"height": [1.0, None, 4.0]}), 3.0),
        (json_reply(200, {"height": []}), 0.0),
    ],
)
async def test_route_without_all_heights(heights: Reply, ascent_m: float) -> None:
    """Where the terrain is not known, the route is given with what is known, and a warning."""

    def script(seen: Seen) -> Reply:
        return heights if seen.path == "/height" else json_reply(200, _trip())

    async with FaultServer(script) as server, Valhalla(server.url) as provider:
        route = await best_route(provider, REQUEST, soon())
    assert route.ascent_m == ascent_m
    assert [warning.code for warning in route.warnings] == ["elevation.incomplete"]


@pytest.mark.parametrize("changes", [{"units": "miles"}, {"status": 442}, {"legs": []}])
async def test_trips_not_to_be_believed(changes: dict[str, object]) -> None:
    """Other units, a status of its own and no legs are failures."""
    server = FaultServer(always(json_reply(200, _trip(**changes))))
    async with server, Valhalla(server.url) as provider:
        with pytest.raises(BadPayload):
            await best_route(provider, REQUEST, soon())
