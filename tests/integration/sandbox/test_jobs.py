"""Jobs of version 2 over real HTTP, on the real engine, with a clock that tests turn."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from tests.support.contract import Contract

from tandem.platform.http.serving import HttpServer
from tandem.platform.webhooks.signing import WebhookInvalid, verify_webhook, write_secret
from tandem.sandbox import limits
from tandem.sandbox.app import SandboxConfig, open_sandbox
from tandem.sandbox.keys import Client
from tandem.sandbox.metering import Plan

pytestmark = pytest.mark.anyio

_SECRETS = ("a-secret-of-the-client", "a-secret-of-the-other")
_ADMIN = "token-of-the-administrator"
_NEW_KEY, _OLD_KEY = write_secret(b"n" * 32), write_secret(b"o" * 32)
_START, _END = {"lon": 24.9469, "lat": 60.1784}, {"lon": 24.9413, "lat": 60.1712}
_ROUTE = {"waypoints": [_START, _END], "profile": "touring"}
_ABROAD = {"waypoints": [{"lon": 2.35, "lat": 48.85}, _END], "profile": "touring"}
_MATRIX = {"sources": [_START], "targets": [_END, _START], "profile": "road"}
_PLAN = Plan("test", burst=1_000, burst_window_s=1, credits=100_000)
_CONTRACT = Contract("bikemap-v2")


class _Clock:
    now_s = 5_000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class _Receiver:
    """Takes messages, and refuses the first few."""

    refuses: int = 0
    messages: asyncio.Queue[tuple[dict[str, str], bytes]] = field(default_factory=asyncio.Queue)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        self.refuses -= 1
        status = 500 if self.refuses >= 0 else 204
        await Response(status_code=status)(scope, receive, send)
        self.messages.put_nowait((dict(request.headers), body))

    async def next(self, *secrets: str) -> str:
        """Wait for a message, check it, and say which job it is about."""
        headers, body = await self.messages.get()
        verify_webhook(list(secrets), headers, body, datetime.now(UTC))
        told = json.loads(body)
        assert told.keys() == {"type", "timestamp", "data"}
        return f"{told['type']} {told['data']['job_id']}"


class _Api:
    """What a client and the administrator do."""

    def __init__(self, http: httpx2.AsyncClient, waits_s: list[float]) -> None:
        self._http = http
        self.waits_s = waits_s
        self.version = {"Bikemap-Version": limits.API_VERSION}

    async def log_in(self, client: str = "courier", secret: str = _SECRETS[0], **form: str) -> None:
        grant = {"grant_type": "client_credentials", **form}
        answer = await self._http.post("/v2/oauth2/token", data=grant, auth=(client, secret))
        token = answer.raise_for_status().json()["access_token"]
        self._http.headers["Authorization"] = f"Bearer {token}"

    async def ask(self, method: str, path: str, **options: Any) -> httpx2.Response:
        headers = {**self.version, **options.pop("headers", {})}
        answer = await self._http.request(method, path, headers=headers, **options)
        _check(method, path, answer)
        return answer

    async def submit(
        self, *items: dict[str, Any], key: str | None = None, **more: Any
    ) -> httpx2.Response:
        body = {"kind": "batch-route", "items": items, **more}
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self.ask("POST", "/v2/jobs", json=body, headers=headers)

    async def ended(self, job_id: str) -> dict[str, Any]:
        """Look at a job until it has ended."""
        while True:
            job: dict[str, Any] = (await self.ask("GET", f"/v2/jobs/{job_id}")).json()
            if job["status"] not in {"queued", "running"}:
                return job

    async def admin(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {_ADMIN}"}
        answer = await self._http.request(method, f"/admin/{path}", json=body, headers=headers)
        return answer.raise_for_status().json() if answer.content else None


def _check(method: str, path: str, answer: httpx2.Response) -> None:
    """Hold an answer against the contract."""
    template = path.partition("?")[0]
    if template.startswith("/v2/jobs/"):
        template = "/v2/jobs/{id}/results" if template.endswith("/results") else "/v2/jobs/{id}"
    elif template.startswith("/v2/routes/"):
        template = "/v2/routes/{id}"
    responses = _CONTRACT.document["paths"][template][method.lower()]["responses"]
    response = responses[str(answer.status_code)]
    for name in response.get("headers", {}):
        assert name in answer.headers, name
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    if answer.content:
        schema = response["content"][media_type].get("schema", {})
        if media_type.endswith("json"):
            _CONTRACT.check(schema, answer.json())


@asynccontextmanager
async def _serving(
    valhalla_url: str, clock: Callable[[], float] | None = None, plan: Plan = _PLAN
) -> AsyncIterator[_Api]:
    waits_s: list[float] = []

    async def sleep(seconds: float) -> None:
        waits_s.append(seconds)
        await asyncio.sleep(0)

    clients = (
        Client("courier", _SECRETS[:1], plan, (_NEW_KEY, _OLD_KEY)),
        Client("other", _SECRETS[1:], plan),
    )
    config = SandboxConfig(valhalla_url, clients, _ADMIN)
    async with (
        open_sandbox(config, clock=clock or _Clock(), sleep=sleep) as app,
        HttpServer(app, host="127.0.0.1", port=0) as server,
        httpx2.AsyncClient(base_url=server.url, timeout=20) as http,
    ):
        api = _Api(http, waits_s)
        await api.log_in()
        yield api


@asynccontextmanager
async def _receiving(receiver: _Receiver) -> AsyncIterator[str]:
    async with HttpServer(receiver, host="127.0.0.1", port=0) as server:
        yield f"{server.url}/hook"


async def test_a_job_of_routes_with_one_that_is_refused(valhalla_url: str) -> None:
    """Items are answered as if asked for alone, in their order; only answers cost something."""
    async with _serving(valhalla_url) as api:
        accepted = await api.submit(_ROUTE, _ABROAD, _ROUTE)
        assert accepted.status_code == 202
        job_id = accepted.json()["id"]
        assert accepted.headers["location"] == f"/v2/jobs/{job_id}"
        assert accepted.headers["bikemap-credits"] == "3"
        assert (await api.ended(job_id))["status"] == "partially_failed"
        page = (await api.ask("GET", f"/v2/jobs/{job_id}/results")).json()
        assert [item["status"] for item in page["items"]] == ["ok", "error", "ok"]
        assert page["items"][1]["error"]["code"] == "route.out_of_coverage"
        alone = (await api.ask("POST", "/v2/routes:compute", json=_ROUTE)).json()
        assert page["items"][0]["route"] == alone["routes"][0]
        quota = (await api.ask("GET", "/v2/quota")).json()
        assert quota["credits"]["limit"] - quota["credits"]["remaining"] == 3


async def test_results_come_in_pages(valhalla_url: str) -> None:
    """Each item once, and no cursor after the last."""
    count = limits.JOB_PAGE_ITEMS + 3
    async with _serving(valhalla_url) as api:
        job_id = (await api.submit(*[_ABROAD] * count)).json()["id"]
        assert (await api.ended(job_id))["status"] == "failed"
        found, query = [], ""
        while True:
            page = (await api.ask("GET", f"/v2/jobs/{job_id}/results{query}")).json()
            found += [item["index"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            query = f"?cursor={page['next_cursor']}"
        assert found == list(range(count))
        for wrong in ("x", "-1", "99999", "٣"):
            answer = await api.ask("GET", f"/v2/jobs/{job_id}/results", params={"cursor": wrong})
            assert answer.status_code == 400


async def test_a_job_of_matrices(valhalla_url: str) -> None:
    """The other kind."""
    async with _serving(valhalla_url) as api:
        body = {"kind": "matrix", "items": [_MATRIX]}
        job_id = (await api.ask("POST", "/v2/jobs", json=body)).json()["id"]
        assert (await api.ended(job_id))["status"] == "succeeded"
        page = (await api.ask("GET", f"/v2/jobs/{job_id}/results")).json()
        cells = page["items"][0]["matrix"]["cells"]
        assert [cell["status"] for cell in cells[0]] == ["ok", "ok"]


async def test_a_key_makes_one_job_for_a_day(valhalla_url: str) -> None:
    """The same again is the same job, another body is a conflict; each client has its own keys."""
    clock = _Clock()
    async with _serving(valhalla_url, clock) as api:
        first = (await api.submit(_ROUTE, key="k")).json()["id"]
        again = await api.submit(_ROUTE, key="k")
        assert (again.status_code, again.json()["id"]) == (202, first)
        assert again.headers["bikemap-credits"] == "0"
        other = await api.submit(_ROUTE, _ROUTE, key="k")
        assert (other.status_code, other.json()["code"]) == (409, "idempotency.mismatch")
        (told,) = (await api.admin("GET", "jobs"))["jobs"]
        assert (told["key"], told["submissions"]) == ("k", 2)
        await api.ended(first)
        clock.now_s += limits.IDEMPOTENCY_S
        await api.log_in()
        assert (await api.submit(_ROUTE, _ROUTE, key="k")).status_code == 202
        await api.log_in("other", _SECRETS[1])
        assert (await api.submit(_ROUTE, key="k")).json()["id"] != first
        assert (await api.submit(_ROUTE, key="")).status_code == 400


async def test_results_are_kept_for_a_day(valhalla_url: str) -> None:
    """Then they are gone, and a day later so is the job; it was nobody else's ever."""
    clock = _Clock()
    async with _serving(valhalla_url, clock) as api:
        job_id = (await api.submit(_ABROAD)).json()["id"]
        await api.ended(job_id)
        await api.log_in("other", _SECRETS[1])
        assert (await api.ask("GET", f"/v2/jobs/{job_id}")).status_code == 404
        clock.now_s += limits.RESULTS_KEPT_S
        await api.log_in()
        assert (await api.ask("GET", f"/v2/jobs/{job_id}")).json()["status"] == "expired"
        gone = await api.ask("GET", f"/v2/jobs/{job_id}/results")
        assert (gone.status_code, gone.json()["code"]) == (410, "job.gone")
        clock.now_s += limits.RESULTS_KEPT_S
        await api.log_in()
        lost = await api.ask("GET", f"/v2/jobs/{job_id}")
        assert (lost.status_code, lost.json()["code"]) == (404, "job.not_found")


async def test_a_job_is_cancelled(valhalla_url: str) -> None:
    """It is not worked on, its credits come back, and it can be cancelled again."""
    async with _serving(valhalla_url) as api:
        await api.admin("PUT", "jobs", {"paused": True})
        job_id = (await api.submit(_ROUTE, _ROUTE)).json()["id"]
        early = await api.ask("GET", f"/v2/jobs/{job_id}/results")
        assert (early.status_code, early.json()["code"]) == (409, "job.running")
        for _ in range(2):
            assert (await api.ask("DELETE", f"/v2/jobs/{job_id}")).status_code == 204
        await api.admin("PUT", "jobs", {"paused": False})
        next_id = (await api.submit(_ABROAD)).json()["id"]
        await api.ended(next_id)
        assert (await api.ask("GET", f"/v2/jobs/{job_id}")).json()["status"] == "cancelled"
        assert (await api.ask("GET", f"/v2/jobs/{job_id}/results")).status_code == 410
        quota = (await api.ask("GET", "/v2/quota")).json()["credits"]
        assert quota["remaining"] == quota["limit"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"kind": "batch-route", "items": []}, 400, "request.malformed"),
        ({"kind": "batch-isochrone", "items": [_ROUTE]}, 400, "request.malformed"),
        ({"kind": "batch-route", "items": [_MATRIX]}, 400, "request.malformed"),
        ({"items": [_ROUTE]}, 400, "request.malformed"),
        ([], 400, "request.malformed"),
        (
            {"kind": "batch-route", "items": [_ROUTE], "callback_url": "nowhere"},
            400,
            "request.malformed",
        ),
        (
            {"kind": "batch-route", "items": [_ROUTE] * (limits.JOB_ITEMS_MAX + 1)},
            413,
            "request.too_large",
        ),
        ({"kind": "matrix", "items": [_MATRIX] * 2_000}, 429, "quota.exhausted"),
    ],
)
async def test_what_is_no_job(valhalla_url: str, body: Any, status: int, code: str) -> None:
    """It is refused with the reason, and costs nothing."""
    plan = Plan("test", burst=100, burst_window_s=1, credits=1_000)
    async with _serving(valhalla_url, plan=plan) as api:
        answer = await api.ask("POST", "/v2/jobs", json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["bikemap-credits"] == "0"


async def test_who_may_have_jobs(valhalla_url: str) -> None:
    """A plan without them, and a token that is not good for them."""
    small = Plan("small", burst=100, burst_window_s=1, credits=1_000, has_jobs=False)
    async with _serving(valhalla_url, plan=small) as api:
        answer = await api.submit(_ROUTE)
        assert (answer.status_code, answer.json()["code"]) == (403, "plan.feature")
    async with _serving(valhalla_url) as api:
        await api.log_in(scope="compute")
        answer = await api.submit(_ROUTE)
        assert (answer.status_code, answer.json()["code"]) == (403, "auth.scope")
        assert (await api.ask("POST", "/v2/routes:compute", json=_ROUTE)).status_code == 200
        with pytest.raises(httpx2.HTTPStatusError, match="400"):
            await api.log_in(scope="everything")


async def test_so_many_jobs_are_open(valhalla_url: str) -> None:
    """Beyond that the service is overloaded, and nothing is charged."""
    async with _serving(valhalla_url) as api:
        await api.admin("PUT", "jobs", {"paused": True})
        for _ in range(limits.JOBS_OPEN_MAX):
            assert (await api.submit(_ROUTE)).status_code == 202
        answer = await api.submit(_ROUTE)
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert answer.headers["bikemap-credits"] == "0"


async def test_a_message_is_signed_with_both_secrets_and_repeated(valhalla_url: str) -> None:
    """It is tried until it is taken; either secret proves it."""
    receiver = _Receiver(refuses=2)
    async with _serving(valhalla_url) as api, _receiving(receiver) as url:
        job_id = (await api.submit(_ABROAD, callback_url=url)).json()["id"]
        for secret in (_NEW_KEY, _OLD_KEY, _NEW_KEY):
            assert await receiver.next(secret) == f"job.failed {job_id}"
        assert api.waits_s == list(limits.MESSAGE_WAITS_S[1:3])
        await api.log_in("other", _SECRETS[1])
        assert (await api.submit(_ROUTE, callback_url=url)).status_code == 400


async def test_messages_are_spoiled_on_demand(valhalla_url: str) -> None:
    """Twice, too old, wrongly signed, out of order, or never."""
    receiver = _Receiver()
    async with _serving(valhalla_url) as api, _receiving(receiver) as url:

        async def job() -> str:
            job_id: str = (await api.submit(_ABROAD, callback_url=url)).json()["id"]
            await api.ended(job_id)
            return f"job.failed {job_id}"

        await api.admin("PUT", "messages", {"duplicate": True})
        told = await job()
        assert [await receiver.next(_NEW_KEY) for _ in range(2)] == [told, told]
        for spoilt in ({"stale_s": 3_600}, {"wrong_signature": True}):
            await api.admin("PUT", "messages", spoilt)
            await job()
            with pytest.raises(WebhookInvalid):
                await receiver.next(_NEW_KEY)
        await api.admin("PUT", "messages", {"reorder": True})
        first, second = await job(), await job()
        assert {await receiver.next(_NEW_KEY) for _ in range(2)} == {first, second}
        held = await job()
        await api.admin("PUT", "messages", {"drop": True})
        assert await receiver.next(_NEW_KEY) == held
        await job()
        await api.admin("PUT", "messages", {})
        told = await job()
        assert await receiver.next(_NEW_KEY) == told


@pytest.mark.parametrize("geometry", ["polyline6", "geojson"])
@pytest.mark.parametrize("dims", [2, 3])
async def test_routes_are_had_again(valhalla_url: str, geometry: str, dims: int) -> None:
    """By id, in three forms, and not sent again to who has them."""
    asked = {**_ROUTE, "geometry": {"format": geometry, "dims": dims}}
    async with _serving(valhalla_url) as api:
        route = (await api.ask("POST", "/v2/routes:compute", json=asked)).json()["routes"][0]
        path = f"/v2/routes/{route['id']}"
        whole = await api.ask("GET", path)
        assert whole.json() == route
        tag = {"If-None-Match": f'"other", {whole.headers["etag"]}'}
        assert (await api.ask("GET", path, headers=tag)).status_code == 304
        feature = (await api.ask("GET", f"{path}.geojson")).json()
        assert {len(row) for row in feature["geometry"]["coordinates"]} == {dims}
        assert feature["geometry"]["coordinates"][0][:2] == pytest.approx(
            [_START["lon"], _START["lat"]], abs=0.01
        )
        gpx = await api.ask("GET", f"{path}.gpx")
        assert gpx.text.count("<trkpt") == len(feature["geometry"]["coordinates"])
        assert gpx.text.count("<ele>") == (gpx.text.count("<trkpt") if dims == 3 else 0)
        same = await api.ask("GET", path, headers={"Accept": "application/gpx+xml"})
        assert same.content == gpx.content
        await api.log_in("other", _SECRETS[1])
        lost = await api.ask("GET", path)
        assert (lost.status_code, lost.json()["code"]) == (404, "route.not_found")


async def test_routes_are_listed_the_newest_first(valhalla_url: str) -> None:
    """In pages whose cursors lead on; bad ones are refused."""
    async with _serving(valhalla_url) as api:
        ids = []
        for number in range(5):
            start = {"lon": _START["lon"] + number * 1e-4, "lat": _START["lat"]}
            asked = {**_ROUTE, "waypoints": [start, _END]}
            answer = await api.ask("POST", "/v2/routes:compute", json=asked)
            ids.append(answer.json()["routes"][0]["id"])
        found, query = [], "?limit=2"
        while True:
            page = (await api.ask("GET", f"/v2/routes{query}")).json()
            found += [route["id"] for route in page["items"]]
            if page["next_cursor"] is None:
                break
            query = f"?limit=2&cursor={page['next_cursor']}"
        assert found == ids[::-1]
        for query in ("?limit=0", "?limit=101", "?cursor=x", "?limit=٣"):
            assert (await api.ask("GET", f"/v2/routes{query}")).status_code == 400
