"""`kill -9` of a worker at every step of a job: each item once, one submission, one transition."""

import asyncio
import base64
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest
from psycopg.conninfo import make_conninfo
from tests.support.bikemap_jobs import JOBS_PATH, Bikemap
from tests.support.fault_proxy import PORT, Cut, FaultProxy
from tests.support.fault_server import FaultServer, Reply, Seen
from tests.support.processes import gone
from tests.support.routing import CLIENT_ID, CLIENT_SECRET
from tests.support.routing_jobs import (
    SECRET,
    TENANT,
    Bench,
    WallClock,
    benched,
    check_routes,
    routes_spec,
)

from tandem.platform.processes import ChildProcess
from tandem.platform.webhooks import verify_webhook
from tandem.routing import limits
from tandem.routing.jobs.core import submission_key
from tandem.routing.providers.bikemap_v2 import COMPUTE_PATH
from tandem.routing.storage.jobs.queries import query

pytestmark = pytest.mark.anyio

TIMEOUT_S: Final = 120.0
COUNT: Final = limits.JOB_CHUNK_ITEMS + 3


@dataclass(frozen=True)
class Step:
    """Where the worker dies: at a statement of the store's, or when another hears a request.

    `heard`: the n-th request to `path` at Bikemap's or at the receiver's; `taken`: Bikemap does
    what was asked before the worker dies, and else nothing of it.
    """

    statement: str = "requests"
    cut: Cut | None = None
    path: str = ""
    heard: int = 1
    taken: bool = False

    def __str__(self) -> str:
        """Name it."""
        if self.cut is not None:
            return f"{self.statement}-{self.cut.name.lower()}"
        return f"{self.path.strip('/').replace('/', '-')}-{self.heard}-{self.taken}"


RESULTS: Final = "/results"
HOOK: Final = "/hook"
BOTH: Final = (Cut.BEFORE_COMMIT, Cut.AFTER_COMMIT)
HERE: Final = [
    *(Step(name, cut) for name in ("move", "keep_results", "counts", "end_chunk") for cut in BOTH),
    *(Step("settle_callback", cut) for cut in BOTH),
    Step(path=COMPUTE_PATH, heard=7),
    Step(path=HOOK),
]
THERE: Final = [
    *(Step(name, cut) for name in ("note_sending", "note_submitted", "move") for cut in BOTH),
    *(Step(name, cut) for name in ("keep_results", "counts", "end_submission") for cut in BOTH),
    Step(path=JOBS_PATH),
    Step(path=JOBS_PATH, taken=True),
    Step(path=RESULTS),
    Step(path=RESULTS, heard=3),
]
# A step takes many seconds: in the suite one that leaves half a job, and the one that is worst.
IN_THE_SUITE: Final = [(False, HERE[3]), (True, THERE[13])]
CASES: Final = [
    pytest.param(
        remote,
        step,
        id=f"{'there' if remote else 'here'}-{step}",
        marks=[] if (remote, step) in IN_THE_SUITE else pytest.mark.drill,
    )
    for remote, steps in ((False, HERE), (True, THERE))
    for step in steps
]


class RealClock(WallClock):
    """The wall clock itself."""

    def __call__(self) -> datetime:
        """Tell the time."""
        return datetime.now(UTC)


class Worker:
    """`tandem work` as a process, which is killed once and started again."""

    def __init__(self, database_uri: str, bikemap_url: str, directory: Path) -> None:
        self.killed = asyncio.Event()
        self.pids: list[int] = []
        self.child = ChildProcess(
            "worker",
            [sys.executable, "-m", "tandem.cli", "work"],
            log=directory / "worker.log",
            environment={
                "TANDEM_DATABASE_URL": database_uri,
                "TANDEM_DATA_DIRECTORY": str(directory),
                "TANDEM_WEBHOOK_KEY": base64.b64encode(bytes(32)).decode(),
                "TANDEM_WEBHOOK_REACH": "loopback",
                "TANDEM_BIKEMAP_BASE_URL": bikemap_url,
                "TANDEM_BIKEMAP_CLIENT_ID": CLIENT_ID,
                "TANDEM_BIKEMAP_CLIENT_SECRET": CLIENT_SECRET,
            },
        )

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Kill it at this very moment."""
        self.pids.append(self.child.pid)
        os.kill(self.child.pid, how)
        self.killed.set()

    async def restart(self) -> None:
        """Start it again once it is gone."""
        await self.killed.wait()
        await asyncio.to_thread(self.child.kill)
        assert await asyncio.to_thread(gone, self.pids)
        await asyncio.to_thread(self.child.start)


class Listener:
    """Kills the worker when a step's request is heard."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._heard = 0
        self.worker: Worker | None = None

    def hears(self, seen: Seen) -> bool:
        """Kill at the step's request; True where it was that one."""
        path = seen.path.partition("?")[0]
        if self._step.cut is not None or not path.endswith(self._step.path):
            return False
        self._heard += 1
        if self._heard != self._step.heard:
            return False
        assert self.worker is not None
        self.worker.kill()
        return True


@asynccontextmanager
async def proxied(uri: str, step: Step, directory: Path) -> AsyncIterator[tuple[FaultProxy, str]]:
    """A proxy before the database that knows the step's statement."""
    proxy = FaultProxy(uri, query(step.statement).partition("%")[0])
    async with proxy.listening(directory):
        yield proxy, make_conninfo(uri, host=str(directory), port=PORT)


async def see_through(bench: Bench, job_id: str) -> None:
    """Wait until a job has ended and its message was taken."""
    while True:
        job = await bench.jobs.get(TENANT, job_id)
        if job.callback is not None and job.callback.state == "delivered":
            return


@pytest.mark.parametrize(("remote", "step"), CASES)
async def test_a_worker_is_killed_at(
    database_uri: str, tmp_path: Path, remote: bool, step: Step
) -> None:
    """Another finishes the job: nothing is lost, doubled, submitted again or told otherwise."""
    listener = Listener(step)
    bikemap = Bikemap()
    behind = Bikemap(jobs=bikemap.jobs, sends=bikemap.sends)

    def before(seen: Seen) -> Reply | None:
        if not listener.hears(seen):
            return None
        if step.taken:
            behind.answer(seen)
        return Reply(503)

    def take(seen: Seen) -> Reply:
        listener.hears(seen)
        return Reply(204)

    bikemap.before = before
    async with (
        asyncio.timeout(TIMEOUT_S),
        proxied(database_uri, step, tmp_path) as (proxy, through),
        FaultServer(take) as receiver,
        benched(database_uri, bikemap, remote=remote, clock=RealClock()) as bench,
    ):
        worker = listener.worker = Worker(through, bench.bikemap_url, tmp_path)
        proxy.then = worker.kill
        job = await bench.make(routes_spec(COUNT, f"{receiver.url}{HOOK}"))
        if step.cut is not None:
            proxy.arm(step.cut, 1)
        try:
            await asyncio.to_thread(worker.child.start)
            await worker.restart()
            await see_through(bench, str(job.job_id))
        finally:
            await asyncio.to_thread(worker.child.stop)
        check_routes(await bench.all_results(job), COUNT)
        assert bench.rows("SELECT count(*) FROM routing_jobs.result") == [(COUNT,)]
        assert bench.transitions() == ["queued", "running", "succeeded"]
        assert len(worker.pids) == 1
    assert [*bikemap.jobs] == ([submission_key(job.job_id)] if remote else [])
    for seen in receiver.seen:
        verify_webhook([SECRET], seen.headers, seen.body, datetime.now(UTC))
    assert len({seen.headers["webhook-id"] for seen in receiver.seen}) == 1


_PROGRESS = f"""
    SELECT done, rounds, (
        SELECT count(*) FROM routing_jobs.result
        WHERE result.job_id = chunk.job_id AND index / {limits.JOB_CHUNK_ITEMS} = chunk.number
    )
    FROM routing_jobs.chunk
"""


async def test_a_worker_that_is_told_to_stop_ends_what_it_began(
    database_uri: str, tmp_path: Path
) -> None:
    """The chunk in its hands is finished before it goes; the rest is another worker's."""
    heard = 0

    def before(seen: Seen) -> Reply | None:
        nonlocal heard
        heard += seen.path == COMPUTE_PATH
        if heard == 3 and not worker.pids:
            worker.kill(signal.SIGTERM)
        return None

    async with (
        asyncio.timeout(TIMEOUT_S),
        benched(database_uri, Bikemap(before=before), clock=RealClock()) as bench,
    ):
        worker = Worker(database_uri, bench.bikemap_url, tmp_path)
        await bench.make(routes_spec(20 * limits.JOB_CHUNK_ITEMS))
        try:
            await asyncio.to_thread(worker.child.start)
            assert await asyncio.to_thread(worker.child.wait) == 0
        finally:
            await asyncio.to_thread(worker.child.stop)
        chunks = bench.rows(_PROGRESS)
    # A chunk that came to its end is done, or deferred for the items that nobody could answer yet.
    begun = [(done, rounds, results) for done, rounds, results in chunks if results]
    assert begun
    assert all(done or rounds for done, rounds, _ in begun)
    assert all(results == limits.JOB_CHUNK_ITEMS for done, _, results in begun if done)
    assert len(begun) < len(chunks)
