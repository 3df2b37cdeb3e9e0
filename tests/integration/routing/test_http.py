"""The routing API and its client over real HTTP, with real keys' guard and real problems."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from prometheus_client import CollectorRegistry
from tests.support.fault_server import FaultServer, Reply, html_reply, json_reply
from tests.support.routing import (
    MARKET,
    REQUEST,
    STATION,
    Compute,
    always,
    bikemap,
    compute_answer,
    gateway_on,
    problem,
    soon,
)

from tandem.platform.auth import Permission, Principal, create_require
from tandem.platform.http import Health, create_api
from tandem.platform.http.serving import HttpServer
from tandem.routing import client as sdk
from tandem.routing.client import BicycleProfile, Coordinate, RoutingClient
from tandem.routing.domain.errors import REFUSALS
from tandem.routing.domain.polyline import decode
from tandem.routing.http import create_operating_router, create_router
from tandem.routing.limits import DEADLINE_MS_MAX, WAYPOINTS_MAX

pytestmark = pytest.mark.anyio

_FINE = json_reply(200, compute_answer())
_PATIENT_MS = 10_000
_ENDS = [{"lon": MARKET.lon, "lat": MARKET.lat}, {"lon": STATION.lon, "lat": STATION.lat}]
_KEYS = {
    "router": Principal("1", "router", frozenset({Permission.ROUTE})),
    "operator": Principal("3", "operator", frozenset({Permission.ADMIN, Permission.ROUTE})),
    "reader": Principal("2", "reader", frozenset({Permission.READ})),
}


async def _verify(token: str) -> Principal | None:
    return _KEYS.get(token)


@asynccontextmanager
async def _api(compute: Compute) -> AsyncIterator[str]:
    """Serve the routing API in front of a scripted Bikemap; give its base URL."""
    registry = CollectorRegistry()
    app = create_api("Routing", version="1", registry=registry, health=Health())
    async with (
        bikemap(compute) as primary,
        gateway_on(primary.url, None, registry=registry) as gateway,
    ):
        require = create_require(_verify)
        app.include_router(create_router(gateway, require))
        app.include_router(create_operating_router(gateway, require))
        async with HttpServer(app, host="127.0.0.1", port=0) as server:
            yield server.url


async def _post(
    url: str, body: Any, key: str | None = "router", path: str = "/v1/routes:plan"
) -> httpx2.Response:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(base_url=url, timeout=20, headers=headers) as http:
        return await http.post(path, json=body)


async def test_client_gets_what_the_gateway_gave() -> None:
    """A route with its label comes through the wire whole."""
    async with _api(always(_FINE)) as url, RoutingClient(url, "router") as routes:
        result = await routes.plan(REQUEST.places, deadline_ms=_PATIENT_MS)
        again = await routes.plan(REQUEST.places, profile=BicycleProfile.TOURING)
    async with bikemap(always(_FINE)) as primary, gateway_on(primary.url, None) as gateway:
        assert result == await gateway.ask(REQUEST, soon(_PATIENT_MS))
    assert (again.freshness, again.route) == (sdk.Freshness.FRESH_CACHE, result.route)


async def test_both_forms_of_the_line() -> None:
    """The line comes as polyline or as GeoJSON, with the same places."""
    body = {"waypoints": _ENDS, "deadline_ms": _PATIENT_MS}
    async with _api(always(_FINE)) as url:
        encoded = (await _post(url, body)).json()["route"]["geometry"]
        drawn = (await _post(url, body | {"geometry": "geojson"})).json()["route"]["geometry"]
    assert drawn["geojson"]["type"] == "LineString"
    places = [Coordinate(lon, lat) for lon, lat in drawn["geojson"]["coordinates"]]
    assert list(decode(encoded["polyline"], 6)) == places


@pytest.mark.parametrize(
    ("code", "error", "status"),
    [
        ("route.no_path", sdk.NoRoute, 422),
        ("route.point_not_snapped", sdk.NotSnapped, 422),
        ("route.out_of_coverage", sdk.OutOfCoverage, 422),
        ("route.too_long", sdk.TooLong, 422),
        ("request.malformed", sdk.InvalidRequest, 400),
    ],
)
async def test_refusals_come_through(code: str, error: type[sdk.Refusal], status: int) -> None:
    """Each refusal is a problem of its own code, and the same error at the client."""
    body = {"code": code, "errors": [{"point_index": 1}]}
    async with _api(always(json_reply(422, body))) as url, RoutingClient(url, "router") as routes:
        answer = await _post(url, {"waypoints": _ENDS, "deadline_ms": _PATIENT_MS})
        with pytest.raises(error) as raised:
            await routes.plan(REQUEST.places, deadline_ms=_PATIENT_MS)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["code"], answer.json()["point_index"]) == (error.code, 1)
    assert raised.value.point_index == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "waypoints"),
        ({"waypoints": _ENDS[:1]}, "waypoints"),
        ({"waypoints": _ENDS * (WAYPOINTS_MAX // 2 + 1)}, "waypoints"),
        ({"waypoints": [*_ENDS, {"lon": 181, "lat": 0}]}, "waypoints.2.lon"),
        ({"waypoints": [*_ENDS, {"lon": "24", "lat": 0}]}, "waypoints.2.lon"),
        ({"waypoints": [*_ENDS, {"lon": 24}]}, "waypoints.2.lat"),
        ({"waypoints": [*_ENDS, {"lon": 24, "lat": 0, "x": 1}]}, "waypoints.2.x"),
        ({"waypoints": _ENDS, "profile": "unicycle"}, "profile"),
        ({"waypoints": _ENDS, "deadline_ms": 0}, "deadline_ms"),
        ({"waypoints": _ENDS, "deadline_ms": DEADLINE_MS_MAX + 1}, "deadline_ms"),
        ({"waypoints": _ENDS, "deadline_ms": 1e3 + 0.5}, "deadline_ms"),
        ({"waypoints": _ENDS, "geometry": "wkt"}, "geometry"),
        ({"waypoints": _ENDS, "departure_at": "2026-11-23T08:00:00"}, "departure_at"),
        ({"waypoints": _ENDS, "avoid": []}, "avoid"),
    ],
)
async def test_malformed_requests(body: dict[str, Any], field: str) -> None:
    """What is not as documented is refused with the field's name, before anybody is asked."""
    async with _api(always(problem(500, "internal"))) as url:
        answer = await _post(url, body)
    assert answer.status_code == 400
    assert answer.json()["code"] == "malformed"
    assert answer.json()["errors"][0]["field"] == field


async def test_keys_are_needed() -> None:
    """Without a key, with an unknown one or one for other things, there is no route."""
    body = {"waypoints": _ENDS}
    async with _api(always(_FINE)) as url:
        assert (await _post(url, body, key=None)).status_code == 401
        assert (await _post(url, body, key="reader")).status_code == 403
        async with RoutingClient(url, "nobody") as routes:
            with pytest.raises(sdk.AuthFailed):
                await routes.plan(REQUEST.places)
        async with RoutingClient(url, "reader") as routes:
            with pytest.raises(sdk.PlanForbidden):
                await routes.plan(REQUEST.places)


async def test_api_is_documented() -> None:
    """The operation, its problems and its models are in the OpenAPI document."""
    async with _api(always(_FINE)) as url, httpx2.AsyncClient(base_url=url) as http:
        document = (await http.get("/openapi.json")).json()
    responses = document["paths"]["/v1/routes:plan"]["post"]["responses"]
    assert set(responses) >= {"200", "400", "401", "403", "422", "504"}
    described = responses["400"]["description"] + responses["422"]["description"]
    assert all(code in described for code in REFUSALS)


@pytest.mark.parametrize(
    ("waypoints", "profile", "deadline_ms"),
    [
        ((MARKET,), "touring", 2_000),
        (REQUEST.places, "boat", 2_000),
        (REQUEST.places, "road", 1),
    ],
)
async def test_client_checks_before_it_asks(
    waypoints: tuple[Coordinate, ...], profile: str, deadline_ms: int
) -> None:
    """What makes no sense is told without asking the server."""
    async with FaultServer(always(Reply())) as server, RoutingClient(server.url, "k") as routes:
        with pytest.raises(sdk.InvalidRequest):
            await routes.plan(waypoints, profile=profile, deadline_ms=deadline_ms)
        assert server.seen == []


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (html_reply(502), sdk.GatewayHtml),
        (html_reply(200), sdk.BadPayload),
        (json_reply(200, {"route": None}), sdk.BadPayload),
        (json_reply(500, {"code": "internal"}), sdk.ServerError),
        (json_reply(503, {"code": "unavailable"}), sdk.Overloaded),
        (Reply(200, b"{}" * 50, cut=10), sdk.Truncated),
    ],
)
async def test_client_trusts_no_answer(reply: Reply, error: type[sdk.RoutingError]) -> None:
    """Whatever comes in place of a route is an error of its kind, without the key in it."""
    async with (
        FaultServer(always(reply)) as server,
        RoutingClient(server.url, "canary-key") as routes,
    ):
        with pytest.raises(error) as raised:
            await routes.plan(REQUEST.places)
    assert "canary" not in repr(raised.value)


async def test_client_waits_no_longer_than_it_may() -> None:
    """The client's own patience ends a call, whatever the deadline."""
    server = FaultServer(always(Reply(body=b"x" * 10_000, drip_bytes=1)))
    async with server, RoutingClient(server.url, "k", timeout_ms=200) as routes:
        with pytest.raises(sdk.ReadTimeout):
            await routes.plan(REQUEST.places, deadline_ms=20_000)
    async with RoutingClient(server_url_of_nobody(), "k") as routes:
        with pytest.raises(sdk.ConnectFailed):
            await routes.plan(REQUEST.places)


def server_url_of_nobody() -> str:
    """Return a URL that nobody listens on."""
    return "http://127.0.0.1:9"


@asynccontextmanager
async def _real_api(valhalla_url: str) -> AsyncIterator[str]:
    """Serve the routing API on a real engine alone; give its base URL."""
    registry = CollectorRegistry()
    app = create_api("Routing", version="1", registry=registry, health=Health())
    async with gateway_on(None, valhalla_url, registry=registry) as gateway:
        require = create_require(_verify)
        app.include_router(create_router(gateway, require))
        app.include_router(create_operating_router(gateway, require))
        async with HttpServer(app, host="127.0.0.1", port=0) as server:
            yield server.url


async def test_all_five_questions(valhalla_url: str) -> None:
    """Routes with all that comes along, matrices, isochrones, points and heights."""
    async with _real_api(valhalla_url) as url, RoutingClient(url, "router") as routes:
        request = replace(REQUEST, include=frozenset(sdk.Include))
        planned = await routes.ask(request, deadline_ms=_PATIENT_MS)
        assert planned.route.legs[0].steps
        assert planned.route.segments
        assert planned.route.heights_m
        matrix = await routes.ask(sdk.MatrixRequest((MARKET,), (STATION, MARKET)))
        assert [cell.status for cell in matrix.answer.cells[0]] == [sdk.CellStatus.OK] * 2
        isochrone = await routes.ask(sdk.IsochroneRequest(MARKET, (300.0,)))
        assert isochrone.answer.contours[0].polygons
        snapped = await routes.ask(sdk.SnapRequest((MARKET, Coordinate(24.99, 60.17))))
        assert [point is None for point in snapped.answer.points] == [False, True]
        heights = await routes.ask(sdk.ElevationRequest((MARKET,)))
        assert heights.answer.heights_m[0] is not None


@pytest.mark.parametrize(
    ("accept", "begins"),
    [("application/gpx+xml", b"<?xml"), ("application/geo+json, */*;q=0.1", b"{")],
)
async def test_routes_as_files(valhalla_url: str, accept: str, begins: bytes) -> None:
    """GPX and GeoJSON where `Accept` names them."""
    headers = {"Authorization": "Bearer router", "Accept": accept}
    async with (
        _real_api(valhalla_url) as url,
        httpx2.AsyncClient(base_url=url, timeout=20, headers=headers) as http,
    ):
        body = {"waypoints": _ENDS, "dims": 3, "deadline_ms": _PATIENT_MS}
        answer = await http.post("/v1/routes:plan", json=body)
    assert answer.headers["content-type"].split(";")[0] == accept.split(",", maxsplit=1)[0]
    assert answer.content.startswith(begins)
    assert b"OpenStreetMap" in answer.content


async def test_without_anybody_there_is_an_estimate_or_none() -> None:
    """Routes and matrices can be estimated; heights cannot, and say so with a time to retry."""
    async with (
        FaultServer(always(html_reply(500))) as engine,
        _real_api(engine.url) as url,
        RoutingClient(url, "router") as routes,
    ):
        matrix = await routes.ask(sdk.MatrixRequest((MARKET,), (STATION,)))
        assert (matrix.freshness, matrix.degraded) == (sdk.Freshness.ESTIMATE, True)
        with pytest.raises(sdk.NoneAnswered):
            await routes.ask(sdk.ElevationRequest((MARKET,)))
        answer = await _post(url, {"places": _ENDS[:1]}, path="/v1/places:elevate")
    assert (answer.status_code, answer.json()["code"]) == (503, "none_answered")
    assert int(answer.headers["retry-after"]) > 0


async def test_operators_see_capabilities_and_purge() -> None:
    """Who can do what; and an answer that is forgotten is asked for again."""
    box = {"west": 24.0, "south": 60.0, "east": 25.0, "north": 61.0}
    async with _api(always(_FINE)) as url, RoutingClient(url, "router") as routes:
        async with httpx2.AsyncClient(
            base_url=url, headers={"Authorization": "Bearer operator"}
        ) as http:
            told = (await http.get("/v1/routing/capabilities")).json()["providers"]
            assert [one["provider"] for one in told] == ["bikemap"]
            await routes.plan(REQUEST.places, deadline_ms=_PATIENT_MS)
            assert (await http.post("/v1/routing/cache:purge", json=box)).status_code == 200
            again = await routes.plan(REQUEST.places, deadline_ms=_PATIENT_MS)
            wrong = await http.post("/v1/routing/cache:purge", json=box | {"east": 1.0})
        refused = await _post(url, box, path="/v1/routing/cache:purge")
    assert again.freshness is sdk.Freshness.LIVE
    assert (wrong.status_code, refused.status_code) == (400, 403)
