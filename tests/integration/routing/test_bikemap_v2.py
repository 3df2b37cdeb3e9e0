"""The Bikemap adapter against a scripted Bikemap: tokens, errors, and lies."""

import asyncio
import base64
import time
from collections.abc import Callable

import pytest
from tests.support.fault_server import FaultServer, Reply, html_reply, json_reply
from tests.support.routing import (
    CLIENT_ID,
    CLIENT_SECRET,
    MARKET,
    REQUEST,
    STATION,
    VirtualClock,
    always,
    best_route,
    between,
    bikemap,
    body_of,
    compute_answer,
    problem,
    soon,
)

from tandem.platform.secrets import live
from tandem.routing.domain.errors import (
    AuthFailed,
    BadPayload,
    ComputeTimeout,
    GatewayHtml,
    InvalidRequest,
    NoRoute,
    NotSnapped,
    OutOfCoverage,
    Overloaded,
    PlanForbidden,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    Refusal,
    RoutingError,
    ServerError,
    TooLong,
    Truncated,
)
from tandem.routing.providers.bikemap_v2 import COMPUTE_PATH, TOKEN_PATH, BikemapV2

pytestmark = pytest.mark.anyio

_FINE = json_reply(200, compute_answer())
_TOKEN = {"access_token": "t", "token_type": "bearer", "expires_in": 9}


def _adapter(server: FaultServer, clock: Callable[[], float] = time.monotonic) -> BikemapV2:
    return BikemapV2(server.url, CLIENT_ID, live(CLIENT_SECRET), clock)


async def _failure(reply: Reply) -> RoutingError:
    async with bikemap(always(reply)) as server, _adapter(server) as provider:
        with pytest.raises(RoutingError) as raised:
            await best_route(provider, REQUEST, soon())
    assert CLIENT_SECRET not in repr(raised.value)
    return raised.value


async def test_a_route_in_our_words() -> None:
    """The answer is read whole, and the question was asked as the contract wants it."""
    async with bikemap(always(_FINE)) as server, _adapter(server) as provider:
        route = await best_route(provider, REQUEST, soon())
    assert route.geometry == between(MARKET, STATION)
    assert route.ascent_m == 5.0
    assert route.attribution == ("© Test",)
    assert [(leg.begin_index, leg.end_index) for leg in route.legs] == [(0, 2)]
    token, compute = server.seen
    assert base64.b64decode(token.headers["authorization"].removeprefix("Basic ")) == (
        f"{CLIENT_ID}:{CLIENT_SECRET}".encode()
    )
    assert compute.headers["authorization"] == "Bearer t1"
    assert compute.headers["bikemap-version"] == "2026-09-01"
    assert [place["lon"] for place in body_of(compute)["waypoints"]] == [MARKET.lon, STATION.lon]


async def test_other_forms_of_the_line() -> None:
    """GeoJSON and lines with heights give the same route."""
    line = [[place.lon, place.lat, 3.0] for place in between(MARKET, STATION)]
    shape = {"type": "LineString", "coordinates": line}
    changed = compute_answer(geometry={"format": "geojson", "dims": 3, "geojson": shape})
    async with bikemap(always(json_reply(200, changed))) as server, _adapter(server) as provider:
        route = await best_route(provider, REQUEST, soon())
    assert route.geometry == between(MARKET, STATION)


async def test_one_token_serves_many_calls() -> None:
    """Concurrent first calls fetch one token, and later calls fetch none until it expires."""
    clock = VirtualClock()
    async with bikemap(always(_FINE)) as server, _adapter(server, clock) as provider:
        await asyncio.gather(*(best_route(provider, REQUEST, soon()) for _ in range(10)))
        assert server.count(TOKEN_PATH) == 1
        clock.advance(3_600 - 31)
        await best_route(provider, REQUEST, soon())
        assert server.count(TOKEN_PATH) == 1
        clock.advance(2)
        await best_route(provider, REQUEST, soon())
        assert server.count(TOKEN_PATH) == 2


async def test_a_refused_token_is_renewed_once() -> None:
    """Calls that are told that their token has expired share one new one and succeed."""

    def only_second_token(seen: object) -> Reply:
        accepted = getattr(seen, "headers", {}).get("authorization") == "Bearer t2"
        return _FINE if accepted else problem(401, "auth.expired")

    async with bikemap(only_second_token) as server, _adapter(server) as provider:
        await asyncio.gather(*(best_route(provider, REQUEST, soon()) for _ in range(10)))
        assert server.count(TOKEN_PATH) == 2


async def test_token_that_is_never_accepted() -> None:
    """After one new token the refusal stands; nobody tries for ever."""
    async with (
        bikemap(always(problem(401, "auth.invalid"))) as server,
        _adapter(server) as provider,
    ):
        with pytest.raises(AuthFailed):
            await best_route(provider, REQUEST, soon())
        assert server.count(TOKEN_PATH) == 2
        assert server.count(COMPUTE_PATH) == 2


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (json_reply(401, {"error": "invalid_client"}), AuthFailed),
        (json_reply(400, {"error": "invalid_client"}), AuthFailed),
        (json_reply(503, {"error": "busy"}), Overloaded),
        (html_reply(502), GatewayHtml),
        (html_reply(200), GatewayHtml),
        (json_reply(200, _TOKEN | {"token_type": "mac"}), BadPayload),
        (
            json_reply(200, {"access_token": "a b", "token_type": "bearer", "expires_in": 9}),
            BadPayload,
        ),
    ],
)
async def test_token_failures(reply: Reply, error: type[RoutingError]) -> None:
    """A token that cannot be had is an error of its kind, and no route is asked for."""
    async with FaultServer(always(reply)) as server, _adapter(server) as provider:
        with pytest.raises(error):
            await best_route(provider, REQUEST, soon())
        assert server.count(COMPUTE_PATH) == 0


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "request.malformed", InvalidRequest),
        (413, "request.too_large", InvalidRequest),
        (401, "auth.invalid", AuthFailed),
        (401, "auth.expired", AuthFailed),
        (403, "auth.scope", PlanForbidden),
        (403, "plan.feature", PlanForbidden),
        (422, "route.no_path", NoRoute),
        (422, "route.point_not_snapped", NotSnapped),
        (422, "route.out_of_coverage", OutOfCoverage),
        (422, "route.too_long", TooLong),
        (429, "rate.exceeded", RateLimited),
        (429, "quota.exhausted", QuotaExhausted),
        (500, "internal", ServerError),
        (503, "overloaded", Overloaded),
        (503, "maintenance", Overloaded),
        (504, "compute.timeout", ComputeTimeout),
        # The body decides, whatever status it came under.
        (200, "route.no_path", NoRoute),
        (500, "route.no_path", NoRoute),
        (200, "overloaded", Overloaded),
        (200, "never.heard_of", BadPayload),
        # Where the code is unknown, the status does.
        (503, "never.heard_of", Overloaded),
        (500, "never.heard_of", ServerError),
        (418, "never.heard_of", ServerError),
        (400, "never.heard_of", InvalidRequest),
    ],
)
async def test_codes(status: int, code: str, error: type[RoutingError]) -> None:
    """Each code of the contract is one error of the taxonomy."""
    assert type(await _failure(problem(status, code))) is error


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (html_reply(502), GatewayHtml),
        (html_reply(404), GatewayHtml),
        (html_reply(200), GatewayHtml),
        (Reply(200, b"", {"Content-Type": "application/json"}), BadPayload),
        (Reply(200, b"", {}), GatewayHtml),
        (Reply(200, b'{"a":1', {"Content-Type": "application/json"}, no_length=True), BadPayload),
        (Reply(200, b'{"a":1}', {"Content-Type": "application/json"}, cut=3), Truncated),
        (Reply(302, b"", {"Location": "/elsewhere"}), BadPayload),
        (json_reply(200, {"routes": []}), BadPayload),
        (json_reply(200, compute_answer(distance_m="far")), BadPayload),
        (json_reply(200, compute_answer(duration_s=float("nan"))), BadPayload),
        (json_reply(200, compute_answer(duration_s=900_000.0)), BadPayload),
        (json_reply(200, compute_answer(ascent_m=80_000.0)), BadPayload),
        (json_reply(200, compute_answer(legs=[])), BadPayload),
        (
            json_reply(
                200, compute_answer(geometry={"format": "polyline6", "dims": 2, "polyline": "~"})
            ),
            BadPayload,
        ),
    ],
)
async def test_answers_not_to_be_believed(reply: Reply, error: type[RoutingError]) -> None:
    """HTML, emptiness, broken JSON, other shapes and impossible numbers are failures."""
    assert type(await _failure(reply)) is error


@pytest.mark.parametrize(
    ("reply", "error", "retry_after_s"),
    [
        (problem(429, "rate.exceeded", Retry_After="3"), RateLimited, 3),
        (problem(429, "rate.exceeded"), RateLimited, None),
        (problem(429, "rate.exceeded", Retry_After="-3"), RateLimited, None),
        (problem(429, "quota.exhausted", Retry_After="1800"), QuotaExhausted, 1_800),
        (html_reply(429), RateLimited, None),
        (Reply(429, headers={"Retry-After": "7200"}), QuotaExhausted, 3_600),
        (problem(503, "overloaded", Retry_After="2"), Overloaded, 2),
    ],
)
async def test_when_to_come_back(
    reply: Reply, error: type[ProviderError], retry_after_s: float | None
) -> None:
    """The wait that is asked for comes with the error; hours mean the quota, whatever it says."""
    failure = await _failure(reply)
    assert isinstance(failure, error)
    assert failure.retry_after_s == retry_after_s


async def test_waypoint_to_blame() -> None:
    """The waypoint that the problem names comes with the refusal, if there can be such a one."""
    body = {
        "code": "route.point_not_snapped",
        "errors": [
            {"pointer": "/waypoints/99", "code": "x", "point_index": 99_999},
            {"pointer": "/waypoints/1", "code": "x", "point_index": 1},
        ],
    }
    failure = await _failure(json_reply(422, body))
    assert isinstance(failure, Refusal)
    assert failure.point_index == 1
