"""Background jobs on a real database and a real gateway, with a worker that is turned by hand."""

import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import psycopg
from psycopg.rows import TupleRow
from tests.support.routing import CLIENT_ID, CLIENT_SECRET, MARKET, STATION, gateway_on

from tandem.platform.config import WebhookReach
from tandem.platform.secrets import live
from tandem.platform.webhooks.sealing import SecretBox
from tandem.platform.webhooks.sending import open_sender
from tandem.platform.webhooks.signing import write_secret
from tandem.routing.domain.coordinate import Coordinate, great_circle_m
from tandem.routing.jobs.calling import Messenger
from tandem.routing.jobs.computing import Computer
from tandem.routing.jobs.core import JobKind
from tandem.routing.jobs.service import ProviderPolicy, RoutingJobs, Spec
from tandem.routing.jobs.submitting import Submitter
from tandem.routing.jobs.worker import JobWorker
from tandem.routing.providers.bikemap_jobs import BikemapJobs
from tandem.routing.storage.jobs.store import JobRow, JobStore, open_job_store
from tandem.routing.wire.routes import PlanRequest

SECRET = write_secret(b"r" * 32)
PROVIDER_SECRET = write_secret(b"p" * 32)
TENANT = "tenant"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class WallClock:
    """A wall clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.now

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


def ends(index: int) -> list[dict[str, float]]:
    """Return ends like no other item's: a metre further for each."""
    end = Coordinate(round(STATION.lon - index * 1e-5, 6), STATION.lat)
    return [{"lon": MARKET.lon, "lat": MARKET.lat}, {"lon": end.lon, "lat": end.lat}]


def distance_m(index: int) -> float:
    """Return how long the route of an item is."""
    start, end = (Coordinate(**place) for place in ends(index))
    return great_circle_m(start, end)


def routes_spec(count: int, callback_url: str | None = None) -> Spec:
    """A job of so many routes."""
    items = [PlanRequest.model_validate({"waypoints": ends(index)}) for index in range(count)]
    return Spec(JobKind.ROUTES, items, callback_url, None if callback_url is None else SECRET)


def check_routes(results: Sequence[dict[str, Any]], count: int) -> None:
    """Every item is there once, in order, and with its own route."""
    assert [one["index"] for one in results] == list(range(count))
    for one in results:
        assert one["status"] == "ok"
        assert abs(one["answer"]["route"]["distance_m"] - distance_m(one["index"])) < 0.01


@dataclass
class Bench:
    """Everything of the jobs; `work` does what is due until nothing is."""

    uri: str
    store: JobStore
    jobs: RoutingJobs
    worker: JobWorker
    clock: WallClock
    bikemap_url: str

    async def work(self) -> int:
        """Do what is due until nothing is; return how many pieces that was."""
        pieces = 0
        while due := await self.worker.due():
            for name in due:
                await self.worker.work(name)
            pieces += len(due)
        return pieces

    async def make(self, spec: Spec, key: str = "key") -> JobRow:
        """Make a job."""
        return (await self.jobs.create(TENANT, key, spec))[0]

    async def all_results(self, job: JobRow, limit: int = 100) -> list[dict[str, Any]]:
        """Fetch all results of a finished job, page by page."""
        found: list[dict[str, Any]] = []
        assert (await self.store.counts(job.job_id)).pending == 0
        cursor: str | None = None
        while True:
            page = await self.jobs.results(TENANT, str(job.job_id), cursor, limit)
            found += [json.loads(row.body) for row in page.rows]
            cursor = page.next_cursor
            if cursor is None:
                return found

    def rows(self, query: str) -> list[TupleRow]:
        """Ask the database."""
        with psycopg.connect(self.uri) as connection:
            return connection.execute(query).fetchall()

    def transitions(self) -> list[str]:
        """Every state that was entered, in order."""
        return [
            row[0] for row in self.rows("SELECT state FROM routing_jobs.transition ORDER BY at")
        ]


class _HasUrl(Protocol):
    @property
    def url(self) -> str: ...


class Serving(Protocol):
    """Bikemap, scripted or the sandbox."""

    def serving(self) -> AbstractAsyncContextManager[_HasUrl]:
        """Make its server."""
        ...


@asynccontextmanager
async def benched(
    uri: str,
    bikemap: Serving,
    *,
    remote: bool = False,
    callback_url: str | None = None,
    clock: WallClock | None = None,
) -> AsyncIterator[Bench]:
    """Open a bench; `remote` lets Bikemap compute the jobs of routes."""
    clock = clock or WallClock()
    box = SecretBox(bytes(32))
    chance = random.Random(1).random
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(bikemap.serving())
        gateway = await stack.enter_async_context(gateway_on(server.url, None))
        store = await stack.enter_async_context(open_job_store(uri))
        sender = await stack.enter_async_context(open_sender(WebhookReach.LOOPBACK, 4))
        provider = await stack.enter_async_context(
            BikemapJobs(server.url, CLIENT_ID, live(CLIENT_SECRET), lambda: 0.0)
        )
        policy = ProviderPolicy(
            lambda kind, _tenant: remote and kind is JobKind.ROUTES,
            callback_url,
            live(PROVIDER_SECRET, SECRET),
        )
        worker = JobWorker(
            store,
            Computer(store, gateway.ask, clock, chance),
            Submitter(store, provider, clock, chance),
            Messenger(store, box, sender, clock, chance),
            clock,
        )
        yield Bench(uri, store, RoutingJobs(store, box, clock, policy), worker, clock, server.url)
