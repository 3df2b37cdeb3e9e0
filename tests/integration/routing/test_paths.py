"""The API of paths against a scripted server: quirks, refusals without a code, keys and limits."""

from traceback import format_exception
from typing import Any

import pytest
from tests.support.fault_server import FaultServer, Reply, Seen, html_reply, json_reply
from tests.support.routing import MARKET, REQUEST, STATION, always, between, body_of, soon

from tandem.platform.secrets import live
from tandem.routing.domain import polyline
from tandem.routing.domain.answers import CellStatus, Isochrone, Matrix, Routes
from tandem.routing.domain.coordinate import Coordinate, great_circle_m
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
    QuotaExhausted,
    RateLimited,
    Refusal,
    RoutingError,
    ServerError,
    TooLong,
    Unsupported,
)
from tandem.routing.domain.request import IsochroneRequest, MatrixRequest
from tandem.routing.providers.bikemap_v1 import BikemapV1
from tandem.routing.providers.graphhopper import GraphHopper

pytestmark = pytest.mark.anyio

_KEY, _OLD_KEY = "canary-key-of-the-tests", "older-canary-key-of-the-tests"
_DISTANCE_M = great_circle_m(MARKET, STATION)
_TIME_MS = round(_DISTANCE_M / 4 * 1_000)


def _path(**changes: Any) -> dict[str, Any]:
    line = between(MARKET, STATION)
    go = {"text": "Go", "distance": _DISTANCE_M, "time": _TIME_MS, "interval": [0, 2], "sign": 0}
    stop = {"text": "There", "distance": 0, "time": 0, "interval": [2, 2], "sign": 4}
    path = {
        "distance": _DISTANCE_M,
        "time": _TIME_MS,
        "points_encoded": True,
        "points": polyline.encode_3d(line, (1.0, 2.0, 3.0), 5),
        "snapped_waypoints": polyline.encode_3d((line[0], line[2]), (1.0, 3.0), 5),
        "instructions": [go, stop],
    }
    return {"paths": [path | changes]}


def _adapter(server: FaultServer) -> BikemapV1:
    return BikemapV1(server.url, live(_KEY))


async def _failure(reply: Reply) -> RoutingError:
    async with FaultServer(always(reply)) as server, _adapter(server) as provider:
        with pytest.raises(RoutingError) as raised:
            await provider.call(REQUEST, soon())
    assert _KEY not in repr(raised.value)
    return raised.value


async def _routes(reply: Reply) -> Routes:
    async with FaultServer(always(reply)) as server, _adapter(server) as provider:
        answer = (await provider.call(REQUEST, soon())).answer
    assert isinstance(answer, Routes)
    return answer


def _error(status: int, message: str, details: str = "", point: int = 0, **headers: str) -> Reply:
    hint = {"message": message, "details": details, "point_index": point}
    return json_reply(status, {"message": message, "hints": [hint]}, **headers)


_UTIL = "com.graphhopper.util.exceptions."


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (_error(400, "no", f"{_UTIL}PointNotFoundException"), NotSnapped),
        (_error(400, "no", f"{_UTIL}ConnectionNotFoundException"), NoRoute),
        (_error(400, "no", f"{_UTIL}PointOutOfBoundsException"), OutOfCoverage),
        (_error(400, "no", f"{_UTIL}PointDistanceExceededException"), TooLong),
        (_error(400, "no", "java.lang.IllegalArgumentException"), InvalidRequest),
        (_error(400, "Connection between locations not found"), NoRoute),
        (_error(400, "Cannot find point 0: 60.1,24.9"), NotSnapped),
        (_error(400, "Point 0 is out of bounds: 1.0,2.0"), OutOfCoverage),
        (_error(400, "something else"), InvalidRequest),
        # The class is believed before the words.
        (_error(400, "Cannot find point 0", f"{_UTIL}ConnectionNotFoundException"), NoRoute),
        (_error(401, "Wrong credentials."), AuthFailed),
        (_error(403, "not in your plan"), PlanForbidden),
        (_error(404, "unknown"), ServerError),
        (_error(413, "too many"), InvalidRequest),
        (_error(500, "broken"), ServerError),
        (_error(501, "no such profile"), Unsupported),
        (_error(503, "busy"), Overloaded),
        (_error(504, "too slow"), ComputeTimeout),
        (html_reply(502), GatewayHtml),
    ],
)
async def test_no_route_status_varies(reply: Reply, error: type[RoutingError]) -> None:
    """Refusals are told by class, then by words, then by status."""
    assert type(await _failure(reply)) is error


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("Connection between locations not found", NoRoute),
        ("Daily API limit exceeded", QuotaExhausted),
        ("never heard of", BadPayload),
    ],
)
async def test_200_with_error_body(message: str, error: type[RoutingError]) -> None:
    """The body decides before the status does."""
    assert type(await _failure(_error(200, message))) is error


@pytest.mark.parametrize(
    ("reply", "error", "retry_after_s"),
    [
        # The reset is the day's, although it is the minute's limit that was met.
        (_error(429, "Minutely API limit violated", X_RateLimit_Reset="50000"), RateLimited, None),
        (_error(429, "Daily API limit reached", X_RateLimit_Reset="1800"), QuotaExhausted, 1_800),
        (_error(429, "API limit reached", Retry_After="2"), RateLimited, 2),
        (_error(429, "API limit reached", Retry_After="1800"), QuotaExhausted, 1_800),
        (_error(403, "Daily quota exceeded", X_RateLimit_Reset="60"), QuotaExhausted, 60),
        (html_reply(429), RateLimited, None),
    ],
)
async def test_minute_and_day_limit(
    reply: Reply, error: type[RateLimited | QuotaExhausted], retry_after_s: float | None
) -> None:
    """A minute's limit and a day's are different errors, whatever status they have."""
    failure = await _failure(reply)
    assert type(failure) is error
    assert getattr(failure, "retry_after_s", None) == retry_after_s


@pytest.mark.parametrize(
    ("message", "said", "index"),
    [
        (f"Cannot find point 0: {STATION.lat},{STATION.lon}", 0, 1),
        ("Cannot find point 0: 1.0,2.0", 0, None),
        ("Cannot find point 0: 99.0,2.0", 0, None),
        ("Cannot find point", 1, 1),
        ("Cannot find point", 7, None),
    ],
)
async def test_wrong_point_index(message: str, said: int, index: int | None) -> None:
    """The place that an error names is believed rather than its number."""
    failure = await _failure(_error(400, message, f"{_UTIL}PointNotFoundException", said))
    assert isinstance(failure, Refusal)
    assert failure.point_index == index


async def test_ascent_that_is_missing() -> None:
    """No climb is no member, and no error; heights that nobody asked for are left out."""
    best = (await _routes(json_reply(200, _path()))).best
    assert (best.ascent_m, best.descent_m, best.heights_m) == (0, 0, None)
    assert best.duration_s == _TIME_MS / 1_000


async def test_points_that_are_not_encoded() -> None:
    """A line of GeoJSON is read as one, and a line of six decimals where it says so."""
    line = between(MARKET, STATION)
    rows = [[place.lon, place.lat, 3.0] for place in line]
    plain = _path(points_encoded=False, points={"type": "LineString", "coordinates": rows})
    del plain["paths"][0]["snapped_waypoints"]
    assert (await _routes(json_reply(200, plain))).best.geometry == line
    six = polyline.encode_3d(line, (1.0, 2.0, 3.0), 6)
    finer = _path(points=six, points_encoded_multiplier=1e6, snapped_waypoints="")
    assert (await _routes(json_reply(200, finer))).best.geometry == line


@pytest.mark.parametrize(
    "wrong",
    [
        {"time": _TIME_MS * 1_000},
        {"time": _TIME_MS / 1_000},
        {"distance": _DISTANCE_M / 1_000},
        {"ascend": 80_000},
        {"points": polyline.encode(between(MARKET, STATION), 5)},
        {"points": polyline.encode_3d(between(MARKET, STATION), (1.0, 2.0, 3.0), 6)},
        {"points": polyline.encode_3d(between(STATION, MARKET), (1.0, 2.0, 3.0), 5)},
        {"points_encoded_multiplier": 1e7},
        {"instructions": []},
        {"points": ""},
    ],
)
async def test_units_precision_and_dimensions(wrong: dict[str, Any]) -> None:
    """Seconds for milliseconds, kilometres for metres, and lines of another form are caught."""
    assert type(await _failure(json_reply(200, _path(**wrong)))) is BadPayload


async def test_swapped_axes_are_caught() -> None:
    """A line with latitude and longitude mixed up is not believed."""
    swapped = [Coordinate(place.lat, place.lon) for place in between(MARKET, STATION)]
    line = polyline.encode_3d(swapped, (1.0, 2.0, 3.0), 5)
    failure = await _failure(json_reply(200, _path(points=line, snapped_waypoints="")))
    assert type(failure) is BadPayload


async def test_snapping_far_away() -> None:
    """A waypoint that was moved farther than the request allows is refused."""
    far = [MARKET, Coordinate(STATION.lon + 0.02, STATION.lat)]
    snapped = polyline.encode_3d(far, (1.0, 3.0), 5)
    failure = await _failure(json_reply(200, _path(snapped_waypoints=snapped)))
    assert isinstance(failure, NotSnapped)
    assert failure.point_index == 1


async def test_credits_in_fractions_and_below_nothing() -> None:
    """What was spent and what is left comes with answers and with errors."""
    spent = {"X_RateLimit_Credits": "1.5", "X_RateLimit_Remaining": "-3.25"}
    fine, broken = (
        json_reply(200, _path(), **spent),
        json_reply(500, {"message": "broken"}, **spent),
    )
    async with FaultServer(always(fine)) as server, _adapter(server) as provider:
        usage = (await provider.call(REQUEST, soon())).usage
    assert (usage.credits_spent, usage.credits_left) == (1.5, -3.25)
    assert (await _failure(broken)).usage == usage


@pytest.mark.parametrize("sentinel", [None, -1, 214_748_364.7, 9.2e15])
async def test_sentinels_in_a_matrix(sentinel: float | None) -> None:
    """Nulls and magic numbers are cells without a way."""
    body = {"distances": [[900.0, sentinel]], "times": [[200.0, sentinel]]}
    request = MatrixRequest((MARKET,), (STATION, STATION))
    async with FaultServer(always(json_reply(200, body))) as server, _adapter(server) as provider:
        answer = (await provider.call(request, soon())).answer
    assert isinstance(answer, Matrix)
    assert [cell.status for cell in answer.cells[0]] == [CellStatus.OK, CellStatus.UNREACHABLE]


async def test_the_order_flips() -> None:
    """A POST has longitude first, a GET latitude; the key is in no URL."""
    ring = [[24.9, 60.1], [25.0, 60.1], [25.0, 60.2], [24.9, 60.1]]
    shape = {"geometry": {"type": "Polygon", "coordinates": [ring]}}

    def script(seen: Seen) -> Reply:
        is_post = seen.method == "POST"
        return json_reply(200, _path() if is_post else {"polygons": [shape]})

    async with FaultServer(script) as server, _adapter(server) as provider:
        await provider.call(REQUEST, soon())
        answer = (await provider.call(IsochroneRequest(MARKET, (300.0,)), soon())).answer
    assert isinstance(answer, Isochrone)
    post, get = server.seen
    assert body_of(post)["points"][0] == [MARKET.lon, MARKET.lat]
    assert f"point={MARKET.lat:.7f}%2C{MARKET.lon:.7f}" in get.path
    assert all(seen.headers["x-api-key"] == _KEY for seen in server.seen)
    assert all(_KEY not in seen.path for seen in server.seen)


async def test_keys_are_changed_without_a_failure() -> None:
    """Where the newest key is not yet accepted, the one before it is tried, once."""

    def only_old(seen: Seen) -> Reply:
        is_live = seen.headers["x-api-key"] == _OLD_KEY
        return json_reply(200, _path()) if is_live else _error(401, "Wrong credentials.")

    async with FaultServer(only_old) as server:
        async with BikemapV1(server.url, live(_KEY, _OLD_KEY)) as provider:
            await provider.call(REQUEST, soon())
        assert len(server.seen) == 2
        async with BikemapV1(server.url, live(_KEY, "a", "b")) as provider:
            with pytest.raises(AuthFailed):
                await provider.call(REQUEST, soon())
        assert len(server.seen) == 4


async def test_a_key_in_the_query_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """GraphHopper takes its key in the query, and no library tells it to a log or an error."""
    for library in ("httpx2", "httpcore2"):
        caplog.set_level("DEBUG", logger=library)  # whatever an earlier test has set there
    async with (
        FaultServer(lambda seen: _error(500, f"broken: {seen.path}")) as server,
        GraphHopper(server.url, live(_KEY)) as provider,
    ):
        with pytest.raises(ServerError) as raised:
            await provider.call(REQUEST, soon())
    assert _KEY not in "".join(format_exception(raised.value))
    assert _KEY in server.seen[0].path
    assert caplog.records
    assert _KEY not in caplog.text
