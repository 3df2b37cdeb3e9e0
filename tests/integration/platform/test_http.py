"""The HTTP kit over a real socket: problems, limits, ids, health, metrics, draining."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Path, Request
from prometheus_client import CollectorRegistry
from pydantic import BaseModel, ConfigDict
from tests.support.processes import served, within

from tandem.platform.errors import ProcessError
from tandem.platform.http import Health, HttpProblem, create_api
from tandem.platform.http.serving import HttpServer

pytestmark = pytest.mark.anyio

_BODY_BYTES_MAX = 1_000


class _Entry(BaseModel):
    amount_minor: int


class _Command(BaseModel):
    model_config = ConfigDict(extra="forbid")
    entries: list[_Entry]


def _make_api(health: Health, dependencies: Sequence[Any] = ()) -> FastAPI:
    app = create_api(
        "Probe",
        version="1",
        registry=CollectorRegistry(),
        health=health,
        metrics_dependencies=dependencies,
        body_bytes_max=_BODY_BYTES_MAX,
        new_request_id=lambda: "made-here",
    )
    router = APIRouter(prefix="/v1/things")

    @router.post("/{name}")
    async def post(name: Annotated[str, Path(max_length=5)], command: _Command) -> dict[str, int]:
        return {name: len(command.entries)}

    @router.get("/refused")
    async def refused() -> None:
        raise HttpProblem(422, "unbalanced", "Not balanced", index=3, field="entries", nothing=None)

    @router.get("/broken")
    async def broken() -> None:
        raise RuntimeError("the password is hunter2")

    @router.put("/raw")
    async def raw(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    nested = APIRouter(prefix="/parts")

    @nested.get("/{part}")
    async def part(part: str) -> None:
        raise HttpProblem(422, part, part)

    outer = APIRouter(prefix="/v1/things/{name}")
    outer.include_router(nested)
    app.include_router(router)
    app.include_router(outer)
    return app


@pytest.fixture
def health() -> Health:
    """Checks of the application under test."""
    return Health()


@pytest.fixture
async def client(health: Health) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the served application."""
    async with served(_make_api(health)) as client:
        yield client


def _problem(response: httpx2.Response) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == response.status_code
    assert body["type"] == f"urn:tandem:problem:{body['code']}"
    return body


async def test_a_problem_carries_its_extra_members(client: httpx2.AsyncClient) -> None:
    """Members that are None are left out, the others stand beside the standard ones."""
    body = _problem(await client.get("/v1/things/refused"))
    assert (body["code"], body["index"], body["field"]) == ("unbalanced", 3, "entries")
    assert "nothing" not in body


@pytest.mark.parametrize(
    ("content", "field", "index"),
    [
        (b'{"entries": [{"amount_minor": 1}, {"amount_minor": "x"}]}', "entries.1.amount_minor", 1),
        (b'{"entries": [], "more": 1}', "more", None),
        (b'{"entries": ', "", None),
        (b"", "", None),
        (b"\xff\xfe", "", None),
        (b"[1]", "", None),
    ],
)
async def test_malformed_bodies_name_the_field(
    client: httpx2.AsyncClient, content: bytes, field: str, index: int | None
) -> None:
    """What does not validate is 400 malformed and says where."""
    response = await client.post(
        "/v1/things/a", content=content, headers={"content-type": "application/json"}
    )
    body = _problem(response)
    assert (response.status_code, body["code"]) == (400, "malformed")
    assert body.get("field", "") == field
    assert body.get("index") == index


async def test_a_malformed_value_is_not_repeated(client: httpx2.AsyncClient) -> None:
    """The caller's own value never comes back in the problem."""
    response = await client.post("/v1/things/a", json={"entries": [{"amount_minor": "hunter2"}]})
    assert "hunter2" not in response.text


async def test_framework_errors_are_problems(client: httpx2.AsyncClient) -> None:
    """Unknown paths, wrong methods and bad path parameters answer as problems too."""
    missing = await client.get("/nowhere")
    assert (missing.status_code, _problem(missing)["code"]) == (404, "not_found")
    wrong = await client.delete("/v1/things/refused")
    assert (wrong.status_code, _problem(wrong)["code"]) == (405, "method_not_allowed")
    long = await client.post("/v1/things/too-long-a-name", json={"entries": []})
    assert (long.status_code, _problem(long)["field"]) == (400, "name")


async def test_an_unhandled_error_says_nothing(client: httpx2.AsyncClient) -> None:
    """The answer is a bare 500 with the request's id, and the connection goes on."""
    response = await client.get("/v1/things/broken")
    assert (response.status_code, _problem(response)["code"]) == (500, "internal")
    assert "hunter2" not in response.text
    assert response.headers["x-request-id"] == "made-here"


async def test_announced_bodies_past_the_limit_are_refused(client: httpx2.AsyncClient) -> None:
    """Content-Length alone is enough for 413; the limit itself still passes."""
    response = await client.put("/v1/things/raw", content=b"x" * (_BODY_BYTES_MAX + 1))
    assert (response.status_code, _problem(response)["code"]) == (413, "too_large")
    response = await client.put("/v1/things/raw", content=b"x" * _BODY_BYTES_MAX)
    assert response.json() == {"bytes": _BODY_BYTES_MAX}


async def test_bytes_that_arrive_are_counted(client: httpx2.AsyncClient) -> None:
    """A body sent in chunks, of no announced length, is refused once past the limit."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * 100

    for path in ("/v1/things/raw", "/v1/things/a"):
        method = "PUT" if path.endswith("raw") else "POST"
        response = await client.request(
            method, path, content=chunks(), headers={"content-type": "application/json"}
        )
        assert (response.status_code, _problem(response)["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("given", "kept"),
    [("abc-1.2_3", True), ("a" * 65, False), ("a b", False), ("", False)],
)
async def test_only_well_formed_request_ids_are_kept(
    client: httpx2.AsyncClient, given: str, kept: bool
) -> None:
    """A caller's id comes back; one that could forge a log line does not."""
    response = await client.get("/health/live", headers={"X-Request-Id": given})
    assert response.headers["x-request-id"] == (given if kept else "made-here")


async def test_readiness_names_the_failing_check(
    client: httpx2.AsyncClient, health: Health
) -> None:
    """Ready is 200 only where every check passes; the reason stays out of the answer."""

    async def passes() -> None:
        return

    async def fails() -> None:
        raise RuntimeError("the password is hunter2")

    health.checks["good"] = passes
    response = await client.get("/health/ready")
    assert response.json() == {"status": "ready", "checks": {"good": "ok"}}
    health.checks["bad"] = fails
    response = await client.get("/health/ready")
    assert response.status_code == 503
    assert _problem(response)["checks"] == {"good": "ok", "bad": "failed"}
    assert "hunter2" not in response.text
    del health.checks["bad"]
    health.accepting = False
    assert (await client.get("/health/ready")).status_code == 503
    assert (await client.get("/health/live")).status_code == 200


async def test_metrics_count_by_route_template(client: httpx2.AsyncClient) -> None:
    """Requests are counted by declared route and status; unknown paths share one label."""
    for name in ("a", "b"):
        await client.post(f"/v1/things/{name}", json={"entries": []})
    for path in ("/x", "/y", "/v1/things/a/parts/1", "/v1/things/b/parts/2"):
        await client.get(path)
    await client.get("/v1/things/broken")
    text = (await client.get("/metrics")).text
    requests = "tandem_http_requests_total"
    assert f'{requests}{{method="POST",route="/v1/things/{{name}}",status="200"}} 2.0' in text
    assert f'{requests}{{method="GET",route="unmatched",status="404"}} 2.0' in text
    parts = "/v1/things/{name}/parts/{part}"
    assert f'{requests}{{method="GET",route="{parts}",status="422"}} 2.0' in text
    assert f'{requests}{{method="GET",route="/v1/things/broken",status="500"}} 1.0' in text
    assert 'tandem_http_request_duration_seconds_bucket{le="0.001",method="POST"' in text


async def test_openapi_describes_problems(client: httpx2.AsyncClient) -> None:
    """The description is OpenAPI 3.1 and documents errors as they are really sent."""
    schema = (await client.get("/openapi.json")).json()
    assert schema["openapi"].startswith("3.1")
    responses = schema["paths"]["/v1/things/{name}"]["post"]["responses"]
    assert "422" not in responses
    assert list(responses["default"]["content"]) == ["application/problem+json"]
    assert "HTTPValidationError" not in schema["components"]["schemas"]
    assert (await client.get("/docs")).status_code == 200


async def test_shutdown_lets_running_requests_end(health: Health) -> None:
    """A request that is being worked on is answered; a new one finds nobody listening."""
    app = _make_api(health)
    entered, release = asyncio.Event(), asyncio.Event()

    @app.get("/slow")
    async def slow() -> str:
        entered.set()
        await release.wait()
        return "done"

    server = HttpServer(app, host="127.0.0.1", port=0)
    await server.__aenter__()
    async with httpx2.AsyncClient(base_url=server.url) as client:
        running = asyncio.create_task(client.get("/slow"))
        await within(asyncio.create_task(entered.wait()))
        leaving = asyncio.create_task(server.__aexit__())
        while True:
            try:
                async with httpx2.AsyncClient(base_url=server.url) as other:
                    await other.get("/health/live")
            except httpx2.TransportError:
                break
        release.set()
        assert (await within(running)).json() == "done"
        await within(leaving)


async def test_a_request_that_never_ends_is_cut_off(health: Health) -> None:
    """Draining is bounded."""
    app = _make_api(health)
    entered = asyncio.Event()

    @app.get("/stuck")
    async def stuck() -> None:
        entered.set()
        await asyncio.Event().wait()

    server = HttpServer(app, host="127.0.0.1", port=0, drain_timeout_s=0.05)
    await server.__aenter__()
    async with httpx2.AsyncClient(base_url=server.url) as client:
        running = asyncio.create_task(client.get("/stuck"))
        await within(asyncio.create_task(entered.wait()))
        await within(asyncio.create_task(server.__aexit__()))
        assert (await within(running)).status_code == 500


async def test_a_taken_port_is_refused(health: Health) -> None:
    """Two servers never share a port by mistake."""
    app = _make_api(health)
    async with HttpServer(app, host="127.0.0.1", port=0) as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(ProcessError, match="in use"):
            await HttpServer(app, host="127.0.0.1", port=port).__aenter__()
