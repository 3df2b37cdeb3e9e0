"""Background jobs in one process: made once, computed, fetched in pages, cancelled, forgotten."""

import asyncio
import json
from math import isnan
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry
from tests.support.bikemap_jobs import Bikemap, compute
from tests.support.fault_server import Reply, Seen, html_reply
from tests.support.routing import problem, sample
from tests.support.routing_jobs import TENANT, benched, check_routes, ends, routes_spec

from tandem.resilience.deadline import Deadline
from tandem.routing import limits
from tandem.routing.domain.request import MatrixRequest, RouteRequest
from tandem.routing.domain.result import Result
from tandem.routing.jobs import service
from tandem.routing.jobs.core import JobKind, JobState
from tandem.routing.jobs.errors import (
    CursorMalformed,
    JobNotFound,
    KeyTaken,
    ResultsExpired,
    TooManyJobs,
)
from tandem.routing.jobs.metrics import JobMetrics
from tandem.routing.jobs.service import Spec
from tandem.routing.storage.jobs.store import Load
from tandem.routing.wire.matrices import MatrixQuestion

pytestmark = pytest.mark.anyio

COUNT = limits.JOB_CHUNK_ITEMS * 2 + 3


async def test_a_job_of_routes_is_computed(database_uri: str) -> None:
    """Each item gets its own route, in item order, in pages of any size."""
    async with benched(database_uri, Bikemap()) as bench:
        job = await bench.make(routes_spec(COUNT))
        assert (job.state, job.counts.pending) == (JobState.QUEUED, COUNT)
        await bench.work()
        for limit in (1, 10, limits.JOB_PAGE_ITEMS):
            check_routes(await bench.all_results(job, limit), COUNT)
        done = await bench.jobs.get(TENANT, str(job.job_id))
        assert (done.state, done.counts.succeeded) == (JobState.SUCCEEDED, COUNT)
        assert bench.transitions() == ["queued", "running", "succeeded"]


async def test_a_job_is_made_once_for_each_key(database_uri: str) -> None:
    """The same again is the same job; another under that key is refused; tenants are apart."""
    async with benched(database_uri, Bikemap()) as bench:
        job, replayed = await bench.jobs.create(TENANT, "key", routes_spec(2))
        again, replayed_again = await bench.jobs.create(TENANT, "key", routes_spec(2))
        assert (replayed, replayed_again, again.job_id) == (False, True, job.job_id)
        with pytest.raises(KeyTaken):
            await bench.jobs.create(TENANT, "key", routes_spec(3))
        other, _ = await bench.jobs.create("other", "key", routes_spec(3))
        assert other.job_id != job.job_id
        for stranger, job_id in (("other", str(job.job_id)), (TENANT, "no-id")):
            with pytest.raises(JobNotFound):
                await bench.jobs.get(stranger, job_id)
            with pytest.raises(JobNotFound):
                await bench.jobs.cancel(stranger, job_id)
            with pytest.raises(JobNotFound):
                await bench.jobs.results(stranger, job_id)


async def test_a_refusal_is_a_result(database_uri: str) -> None:
    """An item without a route says why, in the taxonomy's words; the job failed in part."""

    def refuse_the_first(seen: Seen) -> Reply:
        asked = json.loads(seen.body)["waypoints"][-1]["lon"]
        return problem(422, "route.no_path") if asked == ends(0)[-1]["lon"] else compute(seen)

    async with benched(database_uri, Bikemap(compute=refuse_the_first)) as bench:
        job = await bench.make(routes_spec(2))
        await bench.work()
        refused, found = await bench.all_results(job)
        state = (await bench.jobs.get(TENANT, str(job.job_id))).state
    assert (refused["status"], refused["error"]["code"]) == ("error", "no_route")
    assert found["status"] == "ok"
    assert state is JobState.PARTIALLY_FAILED


async def test_a_fault_of_one_item_costs_the_others_nothing(
    database_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried in every round and then failed; the others' routes are asked for once."""
    async with benched(database_uri, Bikemap()) as bench:
        computer = bench.worker._computer
        ask = computer._ask

        async def faulty(request: RouteRequest | MatrixRequest, deadline: Deadline) -> Result[Any]:
            if request.places[-1].lon == ends(0)[-1]["lon"]:
                raise RuntimeError("a fault of ours")
            return await ask(request, deadline)

        monkeypatch.setattr(computer, "_ask", faulty)
        job = await bench.make(routes_spec(2))
        for _ in range(limits.JOB_ROUNDS_MAX):
            await bench.work()
            bench.clock.move(limits.JOB_ROUND_PAUSE_S_MAX)
        faulted, found = await bench.all_results(job)
        asked = bench.rows("SELECT rounds FROM routing_jobs.chunk")
    assert (faulted["status"], faulted["error"]["code"]) == ("error", "none_answered")
    assert found["status"] == "ok"
    assert asked == [(limits.JOB_ROUNDS_MAX - 1,)]


@pytest.mark.parametrize("remote", [False, True])
async def test_an_item_that_cannot_be_read_is_refused(database_uri: str, remote: bool) -> None:
    """What another version wrote is no reason to try for ever, whoever computes the job."""
    async with benched(database_uri, Bikemap(), remote=remote) as bench:
        job = await bench.make(routes_spec(2))
        with psycopg.connect(bench.uri) as connection:
            connection.execute("UPDATE routing_jobs.item SET request = '{}' WHERE index = 0")
        await bench.work()
        refused, found = await bench.all_results(job)
    assert (refused["status"], refused["error"]["code"]) == ("error", "invalid_request")
    assert found["status"] == "ok"


async def test_a_message_says_the_same_however_late(database_uri: str) -> None:
    """One id, one content: that results have expired meanwhile is not how the job ended."""
    async with benched(database_uri, Bikemap()) as bench:
        job = await bench.make(routes_spec(1, "http://127.0.0.1:1/nobody"))
        await bench.work()
        bench.clock.move(limits.JOB_RESULTS_KEPT_S)
        await bench.store.expire(job.job_id, bench.clock())
        assert (await bench.jobs.get(TENANT, str(job.job_id))).state is JobState.EXPIRED
        due = await bench.store.callback(job.job_id, bench.clock())
    assert due is not None
    assert (due.attempts, due.state) == (1, JobState.SUCCEEDED)


async def test_an_outage_is_waited_out(database_uri: str) -> None:
    """While nobody answers, estimates are no results; what is there is not asked for again."""
    is_out = True

    def answer(seen: Seen) -> Reply:
        return html_reply(503) if is_out else compute(seen)

    async with benched(database_uri, Bikemap(compute=answer)) as bench:
        job = await bench.make(routes_spec(2))
        await bench.work()
        assert (await bench.jobs.get(TENANT, str(job.job_id))).counts.pending == 2
        is_out = False
        bench.clock.move(limits.JOB_ROUND_PAUSE_S)
        while not (await bench.jobs.get(TENANT, str(job.job_id))).finished_at:
            # The breaker goes by the real time; a job has more of it than a test.
            await bench.work()
            bench.clock.move(limits.JOB_ROUND_PAUSE_S_MAX)
        results = await bench.all_results(job)
    assert [one["index"] for one in results] == [0, 1]


async def test_at_last_an_estimate_will_do(database_uri: str) -> None:
    """After the last round a job ends with what there is, labelled."""
    async with benched(database_uri, Bikemap(compute=lambda _seen: html_reply(503))) as bench:
        job = await bench.make(routes_spec(1))
        for _ in range(limits.JOB_ROUNDS_MAX):
            await bench.work()
            bench.clock.move(limits.JOB_ROUND_PAUSE_S_MAX)
        (result,) = await bench.all_results(job)
    assert (result["answer"]["provider"], result["answer"]["degraded"]) == ("estimate", True)


async def test_a_job_of_matrices(database_uri: str) -> None:
    """A matrix that nobody can compute is estimated, or says that nobody answered."""
    item = MatrixQuestion.model_validate({"sources": ends(0), "targets": ends(1)})
    async with benched(database_uri, Bikemap()) as bench:
        job = await bench.make(Spec(JobKind.MATRICES, [item]))
        for _ in range(limits.JOB_ROUNDS_MAX):
            await bench.work()
            bench.clock.move(limits.JOB_ROUND_PAUSE_S_MAX)
        (result,) = await bench.all_results(job)
    assert result["index"] == 0
    if result["status"] == "ok":
        assert len(result["answer"]["cells"]) == 2


async def test_what_is_there_can_be_fetched_while_the_job_runs(database_uri: str) -> None:
    """Results up to the first gap, and a cursor to come back with."""
    async with benched(database_uri, Bikemap()) as bench:
        job = await bench.make(routes_spec(COUNT))
        chunks = [name for name in await bench.worker.due() if "chunk" in name]
        await bench.worker.work(chunks[1])
        page = await bench.jobs.results(TENANT, str(job.job_id))
        assert (page.rows, page.next_cursor) == ([], "0")
        await bench.worker.work(chunks[0])
        page = await bench.jobs.results(TENANT, str(job.job_id))
        assert page.next_cursor == str(2 * limits.JOB_CHUNK_ITEMS) == str(len(page.rows))
        page = await bench.jobs.results(TENANT, str(job.job_id), page.next_cursor)
        assert (page.rows, page.next_cursor) == ([], str(2 * limits.JOB_CHUNK_ITEMS))
        for cursor in ("", "-1", "x", "9" * 20):
            with pytest.raises(CursorMalformed):
                await bench.jobs.results(TENANT, str(job.job_id), cursor)


async def test_a_cancelled_job_stops(database_uri: str) -> None:
    """What is there stays, nothing is added, and a job that has finished is not cancelled."""
    async with benched(database_uri, Bikemap()) as bench:
        job = await bench.make(routes_spec(COUNT))
        first, *rest = await bench.worker.due()
        await bench.worker.work(first)
        cancelled = await bench.jobs.cancel(TENANT, str(job.job_id))
        assert cancelled.state is JobState.CANCELLED
        for name in rest:
            await bench.worker.work(name)
        assert await bench.work() == 0
        page = await bench.jobs.results(TENANT, str(job.job_id))
        assert len(page.rows) == limits.JOB_CHUNK_ITEMS
        page = await bench.jobs.results(TENANT, str(job.job_id), page.next_cursor)
        assert (page.rows, page.next_cursor) == ([], None)
        done = await bench.make(routes_spec(1), key="other")
        await bench.work()
        assert (await bench.jobs.cancel(TENANT, str(done.job_id))).state is JobState.SUCCEEDED


async def test_results_expire_and_jobs_are_forgotten(database_uri: str) -> None:
    """For a day there are results, for a week the job says that there were, then it is gone."""
    async with benched(database_uri, Bikemap()) as bench:
        job = await bench.make(routes_spec(3))
        await bench.work()
        bench.clock.move(limits.JOB_RESULTS_KEPT_S - 1)
        assert await bench.work() == 0
        bench.clock.move(1)
        assert await bench.work() == 1
        with pytest.raises(ResultsExpired):
            await bench.jobs.results(TENANT, str(job.job_id))
        expired = await bench.jobs.get(TENANT, str(job.job_id))
        assert (expired.state, expired.counts.succeeded) == (JobState.EXPIRED, 3)
        assert bench.rows("SELECT 1 FROM routing_jobs.item, routing_jobs.result") == []
        bench.clock.move(limits.JOB_REMEMBERED_S)
        await bench.work()
        with pytest.raises(JobNotFound):
            await bench.jobs.get(TENANT, str(job.job_id))


async def test_a_tenant_has_so_much_waiting_and_no_more(
    database_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the bound a job is refused, a replay is not; what has finished makes room."""
    monkeypatch.setattr(service, "_ROOM", Load(jobs=2, items=4))
    async with benched(database_uri, Bikemap()) as bench:
        await bench.make(routes_spec(3), key="1")
        with pytest.raises(TooManyJobs):
            await bench.make(routes_spec(2), key="2")
        await bench.make(routes_spec(1), key="3")
        with pytest.raises(TooManyJobs):
            await bench.make(routes_spec(1), key="4")
        await bench.make(routes_spec(3), key="1")
        await bench.jobs.create("other", "1", routes_spec(4))
        await bench.work()
        await bench.make(routes_spec(4), key="2")


async def test_tenants_take_turns(database_uri: str) -> None:
    """A small job is not behind all of a big one."""
    async with benched(database_uri, Bikemap()) as bench:
        await bench.make(routes_spec(10 * limits.JOB_CHUNK_ITEMS))
        small, _ = await bench.jobs.create("other", "key", routes_spec(1))
        due = await bench.worker.due()
        assert str(small.job_id) in "".join(due[:2])


async def test_nobody_rewrites_what_was_written(database_uri: str) -> None:
    """A second result changes nothing, and the role of the store may not change one at all."""
    async with benched(database_uri, Bikemap()) as bench:
        job = await bench.make(routes_spec(1))
        await bench.work()
        before = bench.rows("SELECT * FROM routing_jobs.result")
        await bench.store.keep_results(job.job_id, [])
        may = bench.rows(
            "SELECT table_name FROM information_schema.column_privileges"
            " WHERE grantee = 'tandem_routing_jobs' AND privilege_type = 'UPDATE'"
            " AND table_name IN ('item', 'result', 'transition')"
        )
        assert bench.rows("SELECT * FROM routing_jobs.result") == before
    assert may == []


async def test_workers_that_do_the_same_do_it_once(database_uri: str) -> None:
    """Each piece by three at once, as after a false alarm: one result each, one transition."""
    async with benched(database_uri, Bikemap()) as bench:
        job = await bench.make(routes_spec(COUNT))
        names = await bench.worker.due()
        await asyncio.gather(*(bench.worker.work(name) for name in names * 3))
        await bench.work()
        check_routes(await bench.all_results(job), COUNT)
        assert bench.rows("SELECT count(*) FROM routing_jobs.result") == [(COUNT,)]
        assert bench.transitions() == ["queued", "running", "succeeded"]


async def test_jobs_are_counted(database_uri: str) -> None:
    """By state, with the age of what waits; not a number while the database is away."""
    registry = CollectorRegistry()
    metrics = JobMetrics(registry)

    def jobs(state: JobState) -> float:
        return sample(registry, "tandem_routing_jobs", {"state": state.value})

    def oldest_due_s() -> float:
        return sample(registry, "tandem_routing_jobs_oldest_due_seconds", {})

    async with benched(database_uri, Bikemap()) as bench:
        await bench.make(routes_spec(1))
        bench.clock.move(30)
        await metrics.refresh(bench.store, bench.clock())
        assert (jobs(JobState.QUEUED), oldest_due_s()) == (1, 30)
        await bench.work()
        await metrics.refresh(bench.store, bench.clock())
        assert (jobs(JobState.QUEUED), jobs(JobState.SUCCEEDED), oldest_due_s()) == (0, 1, 0)
    await metrics.refresh(bench.store, bench.clock())
    assert isnan(jobs(JobState.SUCCEEDED))
    assert isnan(oldest_due_s())
