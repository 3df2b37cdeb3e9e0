"""Canaries over HTTP, as operators have them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from prometheus_client import CollectorRegistry
from tests.support.canary import BASELINE, CANDIDATE, Bench, benched
from tests.support.engine import RunningSandbox
from tests.support.routing import MARKET

from tandem.platform.auth import Permission, Principal, create_require
from tandem.platform.http import Health, create_api
from tandem.platform.http.serving import HttpServer
from tandem.routing.http import create_change_router
from tandem.routing.storage.change.store import open_canary_store

pytestmark = pytest.mark.anyio

_PATH = "/v1/routing/canary"
_KEYS = {
    "operator": Principal("k1", "operator", frozenset({Permission.ADMIN})),
    "router": Principal("k2", "router", frozenset({Permission.ROUTE})),
}


async def _verify(token: str) -> Principal | None:
    return _KEYS.get(token)


@asynccontextmanager
async def _api(bench: Bench, key: str = "operator") -> AsyncIterator[httpx2.AsyncClient]:
    app = create_api("Routing", version="1", registry=CollectorRegistry(), health=Health())
    require = create_require(_verify)
    app.include_router(create_change_router(bench.operator, bench.changes.report, require))
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        HttpServer(app, host="127.0.0.1", port=0) as server,
        httpx2.AsyncClient(base_url=server.url, headers=headers, timeout=20) as http,
    ):
        yield http


async def test_a_canary_from_its_start_to_its_end(
    sandbox: RunningSandbox, database_uri: str
) -> None:
    """It is started, told of, frozen, and rolled back; what makes no sense is a conflict."""
    async with (
        open_canary_store(database_uri) as store,
        benched(sandbox, store) as bench,
        _api(bench) as http,
    ):
        assert (await http.get(_PATH)).json() == {"canary": None, "moves": []}
        pair = {"candidate": CANDIDATE, "baseline": BASELINE}
        started = await http.post(f"{_PATH}:start", json=pair)
        assert (started.status_code, started.json()["share"]) == (200, 0.0)
        again = await http.post(f"{_PATH}:start", json=pair)
        assert (again.status_code, again.json()["code"]) == (409, "canary_conflict")
        for status in ("frozen", "running", "rolled_back"):
            moved = await _move(http, status)
            assert (moved.status_code, moved.json()["status"]) == (200, status)
        assert (await _move(http, "promoted")).status_code == 409
        told = (await http.get(_PATH)).json()
        assert told["canary"] == told["moves"][0]
        assert told["canary"]["reason"] == "an operator: as a test wants it"
        assert [move["version"] for move in told["moves"]] == [4, 3, 2, 1]


async def test_differences_are_told(sandbox: RunningSandbox, database_uri: str) -> None:
    """What was compared is there, with the worst of it, and places only roughly."""
    async with (
        open_canary_store(database_uri) as store,
        benched(sandbox, store) as bench,
        _api(bench) as http,
    ):
        await bench.start_at(0)
        await bench.second()
        (line,) = (await http.get("/v1/routing/differences")).json()["differences"]
        assert (line["first"], line["other"], line["operation"]) == (BASELINE, CANDIDATE, "route")
        assert line["compared"] == len(line["worst"]) == 10
        place = line["worst"][0]["places"][0]
        assert place["lat"] == pytest.approx(MARKET.lat, abs=0.002)
        assert place["lat"] == round(place["lat"], 3)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (":start", {"candidate": CANDIDATE}),
        (":start", {"candidate": "", "baseline": BASELINE}),
        (":move", {"to": "elsewhere", "reason": "why not"}),
        (":move", {"to": "frozen", "reason": ""}),
        (":move", {"to": "frozen", "reason": "x" * 1_000}),
    ],
)
async def test_bad_input_is_refused(
    sandbox: RunningSandbox, database_uri: str, path: str, body: dict[str, Any]
) -> None:
    """With a problem that says what is wrong."""
    async with (
        open_canary_store(database_uri) as store,
        benched(sandbox, store) as bench,
        _api(bench) as http,
    ):
        answer = await http.post(_PATH + path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


async def test_only_operators_may(sandbox: RunningSandbox, database_uri: str) -> None:
    """A key that may ask for routes may not change who answers, nor read of it."""
    async with (
        open_canary_store(database_uri) as store,
        benched(sandbox, store) as bench,
        _api(bench, "router") as http,
    ):
        assert (await http.get(_PATH)).status_code == 403
        assert (await http.get("/v1/routing/differences")).status_code == 403
        assert (await _move(http, "frozen")).status_code == 403


async def test_without_credits_nothing_is_started(
    sandbox: RunningSandbox, database_uri: str
) -> None:
    """A canary that cannot be compared could never be proven."""
    async with (
        open_canary_store(database_uri) as store,
        benched(sandbox, store, credits_per_hour=0) as bench,
        _api(bench) as http,
    ):
        pair = {"candidate": CANDIDATE, "baseline": BASELINE}
        answer = await http.post(f"{_PATH}:start", json=pair)
        assert answer.status_code == 409
        assert "credits" in answer.json()["detail"]


async def _move(http: httpx2.AsyncClient, status: str) -> httpx2.Response:
    return await http.post(f"{_PATH}:move", json={"to": status, "reason": "as a test wants it"})
