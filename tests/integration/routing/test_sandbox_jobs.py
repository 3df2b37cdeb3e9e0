"""Our jobs on Bikemap's jobs, as the sandbox has them: two sides written apart from each other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from tests.support.routing import MARKET, STATION
from tests.support.routing_jobs import (
    PROVIDER_SECRET,
    SECRET,
    START,
    TENANT,
    Bench,
    benched,
)
from tests.support.sandbox import Sandbox, served_sandbox

from tandem.platform.http.serving import HttpServer
from tandem.routing import limits
from tandem.routing.jobs.core import FINISHED, JobKind, JobState
from tandem.routing.jobs.service import Spec
from tandem.routing.storage.jobs.store import JobRow
from tandem.routing.wire.routes import PlanRequest

pytestmark = pytest.mark.anyio

_LOOKS_MAX = 1_000


@dataclass
class _Served:
    valhalla_url: str

    def serving(self) -> AbstractAsyncContextManager[Sandbox]:
        """Make its server."""
        secrets = (PROVIDER_SECRET, SECRET)
        return served_sandbox(self.valhalla_url, webhook_secrets=secrets, utc_s=START.timestamp)


def _spec(count: int, *, abroad: int) -> Spec:
    """Routes in Helsinki, of which one leads abroad."""
    items = []
    for index in range(count):
        start = {"lon": MARKET.lon + index * 1e-5, "lat": MARKET.lat}
        end = {"lon": STATION.lon, "lat": STATION.lat}
        if index == abroad:
            end = {"lon": 2.35, "lat": 48.85}
        items.append(PlanRequest.model_validate({"waypoints": [start, end]}))
    return Spec(JobKind.ROUTES, items)


async def _finished(bench: Bench, job: JobRow) -> JobState:
    """Look until the job has ended."""
    for _ in range(_LOOKS_MAX):
        bench.clock.move(limits.JOB_POLL_S_MAX)
        await bench.work()
        state = (await bench.jobs.get(TENANT, str(job.job_id))).state
        if state in FINISHED:
            return state
    raise AssertionError("it never ended")


async def test_the_sandbox_computes_our_job(database_uri: str, valhalla_url: str) -> None:
    """More than a page of items, one of them refused: each result once, submitted once."""
    count, abroad = 130, 7
    async with benched(database_uri, _Served(valhalla_url), remote=True) as bench:
        job = await bench.make(_spec(count, abroad=abroad))
        assert await _finished(bench, job) is JobState.PARTIALLY_FAILED
        results = await bench.all_results(job)
    assert [one["index"] for one in results] == list(range(count))
    assert [one["index"] for one in results if one["status"] != "ok"] == [abroad]
    assert results[abroad]["error"]["code"] == "out_of_coverage"


@asynccontextmanager
async def _hook(told: asyncio.Queue[tuple[dict[str, str], bytes]]) -> AsyncIterator[str]:
    async def take(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        await Response(status_code=204)(scope, receive, send)
        told.put_nowait((dict(request.headers), body))

    async with HttpServer(take, host="127.0.0.1", port=0) as server:
        yield server.url


async def test_its_message_makes_us_look(database_uri: str, valhalla_url: str) -> None:
    """Signed with both secrets, believed, and enough: no poll was due yet."""
    told: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()
    async with (
        _hook(told) as url,
        benched(database_uri, _Served(valhalla_url), remote=True, callback_url=url) as bench,
    ):
        job = await bench.make(_spec(3, abroad=-1))
        await bench.work()
        await bench.jobs.receive(*await told.get())
        await bench.work()
        assert (await bench.jobs.get(TENANT, str(job.job_id))).state is JobState.SUCCEEDED
        assert bench.transitions() == ["queued", "running", "succeeded"]
