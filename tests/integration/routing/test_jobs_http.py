"""Jobs over real HTTP: every answer and refusal, messages in and out, and their description."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from prometheus_client import CollectorRegistry
from tests.support.bikemap_jobs import Bikemap, message
from tests.support.fault_server import FaultServer, Reply
from tests.support.routing import MARKET, STATION
from tests.support.routing_jobs import (
    PROVIDER_SECRET,
    SECRET,
    START,
    Bench,
    benched,
    check_routes,
    distance_m,
    ends,
)

from tandem.platform.auth import Permission, Principal, create_require
from tandem.platform.http import Health, create_api
from tandem.platform.http.serving import HttpServer
from tandem.platform.webhooks import verify_webhook
from tandem.routing import limits
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.errors import AuthFailed, InvalidRequest, RoutingError
from tandem.routing.domain.request import MatrixRequest, RouteRequest
from tandem.routing.http import create_jobs_router
from tandem.routing.jobs import service
from tandem.routing.jobs.calling import message_id
from tandem.routing.jobs.core import JobState, submission_key
from tandem.routing.jobs_client import RoutingJobsClient
from tandem.routing.storage.jobs.store import Load

pytestmark = pytest.mark.anyio

PATH = "/v1/routing-jobs"
HOOK = "/v1/routing-webhooks/bikemap"
KEYS = {
    name: Principal(name, name, frozenset({permission}))
    for name, permission in (
        ("one", Permission.ROUTE), ("two", Permission.ROUTE), ("reader", Permission.READ)
    )
}  # fmt: skip


async def _verify(token: str) -> Principal | None:
    return KEYS.get(token)


@asynccontextmanager
async def served(
    uri: str, bikemap: Bikemap | None = None, *, remote: bool = False
) -> AsyncIterator[tuple[Bench, httpx2.AsyncClient]]:
    """Serve the API of a bench."""
    app = create_api("Jobs", version="1", registry=CollectorRegistry(), health=Health())
    async with benched(uri, bikemap or Bikemap(), remote=remote) as bench:
        app.include_router(create_jobs_router(bench.jobs, create_require(_verify)))
        async with (
            HttpServer(app, host="127.0.0.1", port=0) as server,
            httpx2.AsyncClient(base_url=server.url, timeout=20) as client,
        ):
            yield bench, client


def headers(who: str = "one", key: str | None = "key") -> dict[str, str]:
    """Who asks, and under which key."""
    named = {"Authorization": f"Bearer {who}"}
    return named if key is None else {**named, "Idempotency-Key": key}


def body(count: int = 2, **members: Any) -> dict[str, Any]:
    """A job of so many routes."""
    items = [{"waypoints": ends(index)} for index in range(count)]
    return {"kind": "routes", "items": items, **members}


async def test_a_job_from_its_beginning_to_its_end(database_uri: str) -> None:
    """202 and where to look; counts while it runs; results in pages; the same again is the same."""
    async with served(database_uri) as (bench, http):
        made = await http.post(PATH, json=body(3), headers=headers())
        assert (made.status_code, made.json()["state"]) == (202, "queued")
        where = made.headers["Location"]
        assert where == f"{PATH}/{made.json()['job_id']}"
        again = await http.post(PATH, json=body(3), headers=headers())
        assert (again.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")
        assert again.json() == made.json()
        looked = await http.get(where, headers=headers())
        assert looked.headers["Retry-After"] == str(limits.JOB_STATUS_RETRY_S)
        await bench.work()
        done = (await http.get(where, headers=headers())).json()
        assert done["counts"] == {"items": 3, "succeeded": 3, "failed": 0, "pending": 0}
        assert (done["state"], "results_expire_at" in done) == ("succeeded", True)
        first = await http.get(f"{where}/results", params={"limit": 2}, headers=headers())
        cursor = first.json()["next_cursor"]
        rest = await http.get(f"{where}/results", params={"cursor": cursor}, headers=headers())
        assert rest.json()["next_cursor"] is None
        check_routes(first.json()["items"] + rest.json()["items"], 3)
        ended = await http.delete(where, headers=headers())
        assert (ended.status_code, ended.json()["state"]) == (200, "succeeded")


async def test_what_is_refused(database_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each refusal is a problem of its own code."""
    monkeypatch.setattr(service, "_ROOM", Load(jobs=1, items=10))

    async def code(method: str, path: str, **options: Any) -> tuple[int, str]:
        answer = await http.request(method, path, **{"headers": headers(), **options})
        assert answer.headers["content-type"] == "application/problem+json"
        return answer.status_code, answer.json()["code"]

    async with served(database_uri) as (bench, http):
        made = await http.post(PATH, json=body(), headers=headers())
        where = made.headers["Location"]
        assert await code("POST", PATH, json=body(3)) == (409, "idempotency_mismatch")
        full = headers(key="other")
        assert await code("POST", PATH, json=body(), headers=full) == (429, "too_many_jobs")
        for odd in (
            {}, body(0), body(kind="isochrones"), body(more=1), body(callback_url="http://x/"),
            {"kind": "routes", "items": [{"waypoints": ends(0)[:1]}]},
        ):  # fmt: skip
            assert await code("POST", PATH, json=odd) == (400, "malformed")
        odd_url = body(callback_url="ftp://x/", callback_secret=SECRET)
        assert await code("POST", PATH, json=odd_url) == (400, "malformed")
        odd_secret = body(callback_url="http://x/", callback_secret="whsec_")  # noqa: S106 - it is none
        assert await code("POST", PATH, json=odd_secret) == (400, "malformed")
        assert await code("POST", PATH, json=body(), headers=headers(key=None)) == (
            400, "malformed",
        )  # fmt: skip
        for method, path in (("GET", where), ("GET", f"{where}/results"), ("DELETE", where)):
            assert await code(method, path, headers=headers("two")) == (404, "job_not_found")
            assert await code(method, path, headers=headers("reader")) == (403, "forbidden")
            assert await code(method, path, headers={}) == (401, "unauthenticated")
        assert await code("GET", f"{where}/results?cursor=x") == (400, "malformed")
        assert await code("GET", f"{where}/results?limit=501") == (400, "malformed")
        await bench.work()
        bench.clock.move(limits.JOB_RESULTS_KEPT_S)
        await bench.work()
        assert await code("GET", f"{where}/results") == (410, "results_expired")


async def test_ten_thousand_items_and_not_one_more(database_uri: str) -> None:
    """The bound is the contract's."""
    async with served(database_uri) as (bench, http):
        most = {"kind": "routes", "items": [{"waypoints": ends(0)}] * limits.JOB_ITEMS_MAX}
        made = await http.post(PATH, json=most, headers=headers())
        assert made.json()["counts"]["items"] == limits.JOB_ITEMS_MAX == 10_000
        most["items"].append({"waypoints": ends(0)})  # type: ignore[attr-defined]  # a list
        over = await http.post(PATH, json=most, headers=headers(key="more"))
        assert over.json()["code"] == "malformed"
        await bench.jobs.cancel("one", made.json()["job_id"])


async def test_the_caller_is_told_at_the_end(database_uri: str) -> None:
    """One thin message, signed, the same id at each attempt; refused it is sent again."""
    replies = [Reply(500), Reply(204)]
    async with served(database_uri) as (bench, http), FaultServer(lambda _s: replies.pop(0)) as us:
        members: dict[str, Any] = {"callback_url": f"{us.url}/hook", "callback_secret": SECRET}
        made = (await http.post(PATH, json=body(**members), headers=headers())).json()
        assert made["callback"] == {"state": "waiting", "attempts": 0}
        await bench.work()
        where = f"{PATH}/{made['job_id']}"
        tried = (await http.get(where, headers=headers())).json()["callback"]
        assert (tried["state"], tried["attempts"]) == ("due", 1)
        assert tried["last_error"] == "the receiver answered 500"
        bench.clock.move(limits.JOB_CALLBACK_PAUSE_S)
        await bench.work()
        told = (await http.get(where, headers=headers())).json()["callback"]
        assert told == {"state": "delivered", "attempts": 2}
        (first, second), job = us.seen, (await bench.jobs.get("one", made["job_id"])).job_id
        for seen in (first, second):
            assert verify_webhook([SECRET], seen.headers, seen.body, bench.clock.now)
            assert seen.headers["webhook-id"] == message_id(job)
        thin = json.loads(second.body)
        assert (thin["type"], thin["data"]) == ("routing_job.succeeded", {"job_id": str(job)})


async def test_a_receiver_that_never_takes_it_is_given_up(database_uri: str) -> None:
    """After the last attempt, or at once where it is gone."""
    async with served(database_uri) as (bench, http), FaultServer(lambda _s: Reply(500)) as us:
        members: dict[str, Any] = {"callback_url": us.url, "callback_secret": SECRET}
        made = (await http.post(PATH, json=body(**members), headers=headers())).json()
        while (callback := (await bench.jobs.get("one", made["job_id"])).callback) is not None:
            if callback.state == "dead":
                break
            await bench.work()
            bench.clock.move(limits.JOB_CALLBACK_PAUSE_S_MAX / 100)
        assert callback is not None
        assert callback.attempts == len(us.seen) == limits.JOB_CALLBACK_ATTEMPTS


async def test_bikemaps_message_comes_in(database_uri: str) -> None:
    """204 to a good one, 401 to one that is not believed, 413 to one that is too large."""
    bikemap = Bikemap(finish_at_once=False, hint_s="60")
    async with served(database_uri, bikemap, remote=True) as (bench, http):
        made = (await http.post(PATH, json=body(), headers=headers())).json()
        await bench.work()
        key = submission_key((await bench.jobs.get("one", made["job_id"])).job_id)
        bikemap.finish(key)
        signed, text = message(key, [PROVIDER_SECRET], int(START.timestamp()))
        bad = await http.post(HOOK, content=text + b" ", headers=signed)
        assert (bad.status_code, bad.json()["code"]) == (401, "unauthenticated")
        big = await http.post(HOOK, content=b"x" * (limits.WEBHOOK_BODY_BYTES_MAX + 1))
        assert big.status_code == 413
        assert await bench.work() == 0
        assert (await http.post(HOOK, content=text, headers=signed)).status_code == 204
        await bench.work()
        done = (await http.get(f"{PATH}/{made['job_id']}", headers=headers())).json()
    assert (done["state"], bikemap.looks) == ("succeeded", 1)


async def test_the_routes_are_described(database_uri: str) -> None:
    """Each with its summary, guard, problems, and the models of its answers."""
    async with served(database_uri) as (_bench, http):
        document = (await http.get("/openapi.json")).json()
    paths = {
        path: operations
        for path, operations in document["paths"].items()
        if path.startswith("/v1/routing")
    }
    assert {path: set(operations) for path, operations in paths.items()} == {
        PATH: {"post"},
        f"{PATH}/{{job_id}}": {"get", "delete"},
        f"{PATH}/{{job_id}}/results": {"get"},
        HOOK: {"post"},
    }
    for path, operations in paths.items():
        for operation in operations.values():
            assert operation["summary"]
            assert operation["description"]
            assert path == HOOK or operation["security"] == [{"ApiKey": []}]
            problems = {s: r for s, r in operation["responses"].items() if s.startswith("4")}
            assert problems
            for response in problems.values():
                assert list(response["content"]) == ["application/problem+json"]
    created = paths[PATH]["post"]
    assert "202" in created["responses"]
    (key,) = [one for one in created["parameters"] if one["name"] == "idempotency-key"]
    assert key["required"]


async def test_the_client_does_all_of_it(database_uri: str) -> None:
    """A job made twice under one key, waited for, its results read as answers, and cancelled."""
    async with served(database_uri) as (bench, http):
        waits_s: list[float] = []

        async def work_instead(seconds: float) -> None:
            waits_s.append(seconds)
            await bench.work()

        requests = [
            RouteRequest.through(*(Coordinate(**place) for place in ends(index)))
            for index in range(3)
        ]
        url = str(http.base_url)
        async with RoutingJobsClient(url, "one", sleep=work_instead) as jobs:
            job = await jobs.create(requests, key="tuesday")
            assert await jobs.create(requests, key="tuesday") == job
            assert (await jobs.finished(job.job_id)).counts.succeeded == 3
            assert waits_s == [limits.JOB_STATUS_RETRY_S]
            items = [item async for item in jobs.results(job.job_id)]
            assert [item.index for item in items] == [0, 1, 2]
            for index, item in enumerate(items):
                assert item.result is not None
                length_m = item.result.answer.best.distance_m
                assert length_m == pytest.approx(distance_m(index), abs=0.01)
            matrix = await jobs.create([MatrixRequest((MARKET,), (STATION,))], key="wednesday")
            assert (await jobs.cancel(matrix.job_id)).state is JobState.CANCELLED


async def test_the_client_says_what_is_wrong(database_uri: str) -> None:
    """As errors of the one taxonomy, and before anything is sent where it can."""
    route = RouteRequest.through(MARKET, STATION)
    matrix = MatrixRequest((MARKET,), (STATION,))
    async with served(database_uri) as (_, http):
        url = str(http.base_url)
        async with RoutingJobsClient(url, "one") as jobs:
            mixed: Any = [route, matrix]
            for items in ([], mixed, [route] * (limits.JOB_ITEMS_MAX + 1)):
                with pytest.raises(InvalidRequest, match="items"):
                    await jobs.create(items, key="k")
            await jobs.create([route], key="k")
            with pytest.raises(RoutingError, match="another job"):
                await jobs.create([route, route], key="k")
            with pytest.raises(RoutingError, match="job"):
                await jobs.get("none")
        async with RoutingJobsClient(url, "nobody") as jobs:
            with pytest.raises(AuthFailed):
                await jobs.create([route], key="k")
