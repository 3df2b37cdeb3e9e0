"""Tokens, versions, rates and credits over real HTTP, with a clock that tests turn."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import httpx2
import pytest

from tandem.platform.http.serving import HttpServer
from tandem.sandbox import limits
from tandem.sandbox.app import SandboxConfig, open_sandbox
from tandem.sandbox.keys import Client
from tandem.sandbox.metering import Plan

pytestmark = pytest.mark.anyio

_OLD, _NEW = "an-old-secret-of-the-client", "a-new-secret-of-the-client"
_ADMIN = "token-of-the-administrator"
_GRANT = {"grant_type": "client_credentials"}
_VERSION = {"Bikemap-Version": limits.API_VERSION}
_BODY = {
    "waypoints": [{"lon": 24.938, "lat": 60.168}, {"lon": 24.95, "lat": 60.175}],
    "profile": "touring",
}


class _Clock:
    now_s = 5_000.0

    def __call__(self) -> float:
        return self.now_s


@asynccontextmanager
async def _serving(
    valhalla_url: str, clock: _Clock, plan: Plan | None = None
) -> AsyncIterator[httpx2.AsyncClient]:
    numbers = count(1)
    plan = plan or Plan("test", burst=100, burst_window_s=1, credits=1_000)
    config = SandboxConfig(valhalla_url, (Client("courier", (_OLD, _NEW), plan),), _ADMIN)
    opened = open_sandbox(config, clock=clock, new_token=lambda: f"token-{next(numbers)}")
    async with (
        opened as app,
        HttpServer(app, host="127.0.0.1", port=0) as server,
        httpx2.AsyncClient(base_url=server.url, timeout=10) as client,
    ):
        yield client


async def _authorize(client: httpx2.AsyncClient, secret: str = _OLD) -> None:
    answer = await client.post("/v2/oauth2/token", data=_GRANT, auth=("courier", secret))
    client.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"
    client.headers.update(_VERSION)


async def _compute(client: httpx2.AsyncClient) -> httpx2.Response:
    return await client.post("/v2/routes:compute", json=_BODY)


@pytest.mark.parametrize("secret", [_OLD, _NEW])
@pytest.mark.parametrize("in_header", [True, False])
async def test_both_secrets_give_tokens(valhalla_url: str, secret: str, in_header: bool) -> None:
    """Either live secret, in the header or in the form, gives a bearer token for an hour."""
    async with _serving(valhalla_url, _Clock()) as client:
        fields = _GRANT if in_header else _GRANT | {"client_id": "courier", "client_secret": secret}
        auth = httpx2.BasicAuth("courier", secret) if in_header else httpx2.USE_CLIENT_DEFAULT
        answer = await client.post("/v2/oauth2/token", data=fields, auth=auth)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        body = answer.json()
        assert (body["token_type"], body["expires_in"]) == ("Bearer", 3_600)
        headers = {"Authorization": f"Bearer {body['access_token']}", **_VERSION}
        assert (await client.get("/v2/quota", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("request_options", "status", "error"),
    [
        ({"data": _GRANT, "auth": ("courier", "wrong")}, 401, "invalid_client"),
        ({"data": _GRANT}, 401, "invalid_client"),
        ({"data": _GRANT, "headers": {"Authorization": "Basic %%%"}}, 401, "invalid_client"),
        ({"data": {"grant_type": "password"}}, 400, "unsupported_grant_type"),
        ({"data": {}}, 400, "invalid_request"),
        ({"json": _GRANT}, 400, "invalid_request"),
        ({"data": {"grant_type": ["client_credentials"] * 2}}, 400, "invalid_request"),
        ({"data": _GRANT | {"client_secret": _OLD}, "auth": ("courier", _OLD)}, 400, None),
    ],
)
async def test_token_refusals(
    valhalla_url: str, request_options: dict[str, Any], status: int, error: str | None
) -> None:
    """Token errors have the form of RFC 6749, not of a problem."""
    async with _serving(valhalla_url, _Clock()) as client:
        answer = await client.post("/v2/oauth2/token", **request_options)
        assert answer.status_code == status
        assert answer.json()["error"] == (error or "invalid_request")
        assert ("www-authenticate" in answer.headers) == (status == 401)


async def test_missing_wrong_and_expired_tokens(valhalla_url: str) -> None:
    """No token, an unknown one and an expired one are 401 with a challenge; a new one works."""
    clock = _Clock()
    async with _serving(valhalla_url, clock) as client:
        for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}):
            answer = await client.get("/v2/quota", headers={**headers, **_VERSION})
            assert (answer.status_code, answer.json()["code"]) == (401, "auth.invalid")
            assert answer.headers["www-authenticate"].startswith("Bearer")
        await _authorize(client)
        clock.now_s += 3_599
        assert (await client.get("/v2/quota")).status_code == 200
        clock.now_s += 1
        expired = await client.get("/v2/quota")
        assert (expired.status_code, expired.json()["code"]) == (401, "auth.expired")
        await _authorize(client)
        assert (await client.get("/v2/quota")).status_code == 200


@pytest.mark.parametrize("version", [None, "2025-01-01", ""])
async def test_version_is_required(valhalla_url: str, version: str | None) -> None:
    """Without the dated header, or with another date, nothing is answered."""
    async with _serving(valhalla_url, _Clock()) as client:
        await _authorize(client)
        del client.headers["Bikemap-Version"]
        headers = {} if version is None else {"Bikemap-Version": version}
        answer = await client.get("/v2/quota", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "request.malformed")
        assert answer.json()["errors"][0]["pointer"] == "header:Bikemap-Version"


async def test_rate_is_limited(valhalla_url: str) -> None:
    """A burst beyond the plan is refused with the time to wait, after which it goes on."""
    clock = _Clock()
    plan = Plan("test", burst=3, burst_window_s=3, credits=1_000)
    async with _serving(valhalla_url, clock, plan) as client:
        await _authorize(client)
        answers = [await _compute(client) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        refused = answers[-1]
        assert refused.json()["code"] == "rate.exceeded"
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["ratelimit"] == '"burst";r=0;t=1'
        assert refused.headers["ratelimit-policy"].startswith('"burst";q=3;w=3')
        assert refused.headers["bikemap-credits"] == "0"
        clock.now_s += int(refused.headers["retry-after"])
        assert (await _compute(client)).status_code == 200


async def test_credits_run_out_and_come_back(valhalla_url: str) -> None:
    """The last credit is spent and no more; the refusal tells when the day is over."""
    clock = _Clock()
    plan = Plan("test", burst=100, burst_window_s=1, credits=2)
    async with _serving(valhalla_url, clock, plan) as client:
        await _authorize(client)
        assert (await _compute(client)).headers["ratelimit"] == '"credits";r=1;t=86400'
        clock.now_s += 400
        assert (await _compute(client)).headers["ratelimit"] == '"credits";r=0;t=86000'
        refused = await _compute(client)
        assert (refused.status_code, refused.json()["code"]) == (429, "quota.exhausted")
        assert refused.headers["retry-after"] == "86000"
        quota = (await client.get("/v2/quota")).json()
        assert quota["credits"] == {"limit": 2, "remaining": 0, "reset_s": 86_000}
        clock.now_s += 86_000
        await _authorize(client)
        assert (await _compute(client)).status_code == 200


async def test_refused_routes_cost_nothing(valhalla_url: str) -> None:
    """Only answers are paid for."""
    async with _serving(valhalla_url, _Clock()) as client:
        await _authorize(client)
        outside = _BODY | {"waypoints": [{"lon": 1, "lat": 1}, {"lon": 2, "lat": 2}]}
        answer = await client.post("/v2/routes:compute", json=outside)
        assert (answer.status_code, answer.headers["bikemap-credits"]) == (422, "0")
        assert (await client.get("/v2/quota")).json()["credits"]["remaining"] == 1_000


async def test_engine_that_is_gone_is_maintenance() -> None:
    """Without its engine the service says 503 and when to come back, and is not ready."""
    async with _serving("http://127.0.0.1:9", _Clock()) as client:
        await _authorize(client)
        answer = await _compute(client)
        assert (answer.status_code, answer.json()["code"]) == (503, "maintenance")
        assert answer.headers["retry-after"] == "5"
        assert answer.headers["bikemap-credits"] == "0"
        assert (await client.get("/health/ready")).status_code == 503
        assert (await client.get("/health/live")).status_code == 200


async def test_bodies_are_bounded_and_strict(valhalla_url: str) -> None:
    """Too much, no JSON, another type and numbers that JSON does not have are refused."""
    async with _serving(valhalla_url, _Clock()) as client:
        await _authorize(client)
        as_json = {"Content-Type": "application/json"}
        for content, headers, status in (
            (b" " * (limits.BODY_BYTES_MAX + 1), as_json, 413),
            (b"{", as_json, 400),
            (b"\xff", as_json, 400),
            (b'{"waypoints": NaN}', as_json, 400),
            (b"[" * 100_000, as_json, 400),
            (b"[]", as_json, 400),
            (b"{}", {"Content-Type": "text/plain"}, 400),
        ):
            answer = await client.post("/v2/routes:compute", content=content, headers=headers)
            assert answer.status_code == status, answer.text
            assert answer.headers["content-type"] == "application/problem+json"


async def test_unknown_paths_and_methods_are_problems(valhalla_url: str) -> None:
    """What does not exist is a problem too."""
    async with _serving(valhalla_url, _Clock()) as client:
        missing = await client.get("/v2/teleport")
        assert (missing.status_code, missing.json()["code"]) == (404, "request.not_found")
        wrong = await client.get("/v2/routes:compute")
        assert (wrong.status_code, wrong.json()["code"]) == (405, "request.method")


async def test_capabilities_are_told(valhalla_url: str) -> None:
    """Limits, profiles, costs and coverage can be read up front."""
    async with _serving(valhalla_url, _Clock()) as client:
        await _authorize(client)
        told = (await client.get("/v2/capabilities")).json()
        assert told["profiles"] == ["touring", "road", "mtb"]
        assert told["limits"]["waypoints"] == limits.WAYPOINTS_MAX
        assert told["coverage"]["type"] == "Polygon"
        (ring,) = told["coverage"]["coordinates"]
        assert ring[0] == ring[-1]
