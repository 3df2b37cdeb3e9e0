"""The contract between the Bikemap adapter and the sandbox: both sides against one document."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.contract import Contract
from tests.support.fault_server import json_reply
from tests.support.routing import (
    CLIENT_ID,
    CLIENT_SECRET,
    MARKET,
    REQUEST,
    STATION,
    VirtualClock,
    always,
    best_route,
    bikemap,
    body_of,
    compute_answer,
    soon,
)
from tests.support.sandbox import Answered, Sandbox, served_sandbox

from tandem.platform.secrets import live
from tandem.resilience.deadline import Deadline
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.preference import Avoid, BicycleProfile, Preferences, SurfacePreference
from tandem.routing.domain.request import (
    ElevationRequest,
    Include,
    IsochroneRequest,
    MatrixRequest,
    Request,
    RouteRequest,
    SnapRequest,
)
from tandem.routing.domain.waypoint import Waypoint, WaypointKind
from tandem.routing.providers import bikemap_v2_problems, bikemap_v2_surveys
from tandem.routing.providers.bikemap_v2 import (
    API_VERSION,
    COMPUTE_PATH,
    TOKEN_PATH,
    BikemapV2,
    compute_body,
)
from tandem.sandbox.problems import Code

pytestmark = pytest.mark.anyio

_CONTRACT = Contract("bikemap-v2")
_CODES = set(_CONTRACT.schema("Problem")["properties"]["code"]["enum"])
_WISHFUL = RouteRequest(
    (Waypoint(MARKET, heading_deg=359.7), Waypoint(STATION, WaypointKind.VIA), Waypoint(MARKET)),
    preferences=Preferences(SurfacePreference.UNPAVED, e_bike=True, avoid=frozenset(Avoid)),
    alternatives=2,
    departure_at=datetime(2026, 11, 23, 8, tzinfo=UTC),
    include=frozenset(Include),
)
# The adapter asks for nothing that could be answered so; of jobs it goes by the status.
_NEVER_CAUSED = {
    *("request.not_found", "request.method", "route.not_found", "idempotency.mismatch"),
    *("job.not_found", "job.running", "job.gone"),
}


@pytest.fixture
async def sandbox(valhalla_url: str) -> AsyncIterator[Sandbox]:
    """Serve a sandbox."""
    async with served_sandbox(valhalla_url) as served:
        yield served


def test_every_code_is_understood() -> None:
    """Each code of the contract is an error to the adapter, and it waits for no others."""
    understood = bikemap_v2_problems.REFUSALS.keys() | bikemap_v2_problems.FAILURES.keys()
    assert understood == _CODES - _NEVER_CAUSED


def test_codes_stand_under_their_status() -> None:
    """Each code is documented under one status, and the sandbox knows just these codes."""
    documented = {
        (code, status)
        for path in _CONTRACT.document["paths"].values()
        for operation in path.values()
        for status, response in operation["responses"].items()
        for code in response.get("x-codes", [])
    }
    assert sorted(code for code, _ in documented) == sorted(_CODES)
    assert {code.value for code in Code} == _CODES


@pytest.mark.parametrize("profile", BicycleProfile)
async def test_our_requests_fit(profile: BicycleProfile) -> None:
    """What the adapter sends is what the contract accepts, and the test's answer what it gives."""
    _CONTRACT.check(_CONTRACT.schema("ComputeAnswer"), compute_answer())
    request = RouteRequest.through(MARKET, Coordinate(25, 60), STATION, profile=profile)
    async with (
        bikemap(always(json_reply(500, {}))) as server,
        BikemapV2(server.url, CLIENT_ID, live(CLIENT_SECRET), VirtualClock()) as provider,
    ):
        with pytest.raises(Exception, match="500"):
            await best_route(provider, request, soon())
    assert [seen.path for seen in server.seen] == [TOKEN_PATH, COMPUTE_PATH]
    (header,) = _CONTRACT.operation(COMPUTE_PATH)["parameters"]
    assert server.seen[1].headers[header["name"].lower()] == header["schema"]["const"]
    _CONTRACT.check(_CONTRACT.schema("ComputeRequest"), body_of(server.seen[1]))


@pytest.mark.parametrize(
    ("schema", "request_", "credits_"),
    [
        ("ComputeRequest", _WISHFUL, 3),
        ("MatrixRequest", MatrixRequest((MARKET, STATION, MARKET), (STATION,)), 2),
        ("IsochroneRequest", IsochroneRequest(MARKET, (60.0, 601.0)), 51),
        ("SnapRequest", SnapRequest((MARKET,) * 11), 2),
        ("ElevationRequest", ElevationRequest((MARKET,) * 101), 2),
    ],
)
def test_every_question_fits(schema: str, request_: Request, credits_: float) -> None:
    """Whatever is asked is said as the contract has it, and costs what the contract says."""
    if isinstance(request_, RouteRequest):
        body = compute_body(request_)
    else:
        body = bikemap_v2_surveys.body(request_)
    _CONTRACT.check(_CONTRACT.schema(schema), body)
    assert bikemap_v2_surveys.credits_of(request_) == credits_


def _fits(path: str, answered: Answered) -> None:
    schema = _CONTRACT.answer_schema(path, answered.status, answered.media_type)
    _CONTRACT.check(schema, answered.json)
    response = _CONTRACT.operation(path)["responses"][str(answered.status)]
    if "x-codes" in response:
        assert answered.json["code"] in response["x-codes"]
    for header in response.get("headers", {}):
        if header != "Retry-After":
            assert header in answered.headers


async def test_sandbox_tokens_fit(sandbox: Sandbox) -> None:
    """Tokens and refusals of them look as the contract says."""
    for secret in (CLIENT_SECRET, "wrong-secret-of-the-tests"):
        _fits(TOKEN_PATH, await sandbox.ask_token(CLIENT_ID, secret))
    _fits(TOKEN_PATH, await sandbox.ask_token(CLIENT_ID, CLIENT_SECRET, grant_type="password"))


_ENDS = [{"lon": MARKET.lon, "lat": MARKET.lat}, {"lon": STATION.lon, "lat": STATION.lat}]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 200),
        ({"geometry": {"format": "geojson", "dims": 3}}, 200),
        ({"geometry": {"dims": 3}, "include": ["steps", "surface", "way_type"]}, 200),
        ({"alternatives": 3, "profile": "road"}, 200),
        ({"profile": "unicycle"}, 400),
        ({"waypoints": _ENDS[:1]}, 400),
        ({"waypoints": [*_ENDS, *_ENDS * 30]}, 413),
        ({"waypoints": [_ENDS[0], {"lon": 2.35, "lat": 48.85}]}, 422),
        ({"waypoints": [_ENDS[0], {"lon": 24.9358, "lat": 60.1643, "radius_m": 0.1}]}, 422),
    ],
)
async def test_sandbox_answers_fit(sandbox: Sandbox, changes: dict[str, Any], status: int) -> None:
    """Routes in every form and refusals of every kind look as the contract says."""
    body = {"waypoints": _ENDS, "profile": "touring"} | changes
    answered = await sandbox.ask_routes(json.dumps(body).encode(), API_VERSION)
    assert answered.status == status
    _fits(COMPUTE_PATH, answered)


@pytest.mark.parametrize(
    ("token", "version", "status"), [("wrong", API_VERSION, 401), (None, "2020-01-01", 400)]
)
async def test_sandbox_doors_fit(
    sandbox: Sandbox, token: str | None, version: str, status: int
) -> None:
    """Wrong tokens and versions are refused as the contract says."""
    body = json.dumps({"waypoints": _ENDS, "profile": "mtb"}).encode()
    answered = await sandbox.ask_routes(body, version, token=token)
    assert answered.status == status
    _fits(COMPUTE_PATH, answered)


async def test_adapter_reads_the_sandbox(sandbox: Sandbox) -> None:
    """The adapter gets a believable route out of the sandbox."""
    async with BikemapV2(sandbox.url, CLIENT_ID, live(CLIENT_SECRET), VirtualClock()) as provider:
        route = await best_route(provider, REQUEST, Deadline.after_ms(10_000))
    assert route.distance_m > 500
    assert any("OpenStreetMap" in line for line in route.attribution)
