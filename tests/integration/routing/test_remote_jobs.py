"""Jobs that Bikemap computes: submitted once, told or found to be done, taken back if need be."""

import asyncio
import json
from datetime import timedelta

import pytest
from tests.support.bikemap_jobs import Bikemap, message
from tests.support.fault_server import Reply, Seen, html_reply
from tests.support.routing import problem
from tests.support.routing_jobs import (
    PROVIDER_SECRET,
    SECRET,
    START,
    TENANT,
    Bench,
    benched,
    check_routes,
    routes_spec,
)

from tandem.platform.webhooks import WebhookInvalid
from tandem.platform.webhooks.signing import write_secret
from tandem.routing import limits
from tandem.routing.jobs.core import JobState, submission_key
from tandem.routing.storage.jobs.store import JobRow

pytestmark = pytest.mark.anyio

COUNT = 17
STRANGER = write_secret(b"s" * 32)
NOW_S = int(START.timestamp())


async def state_of(bench: Bench, job: JobRow) -> JobState:
    """Where a job is."""
    return (await bench.jobs.get(TENANT, str(job.job_id))).state


async def test_bikemap_computes_a_job(database_uri: str) -> None:
    """Submitted once under our job's key, its pages imported, nothing computed here."""
    bikemap = Bikemap(finish_at_once=True)
    async with benched(database_uri, bikemap, remote=True, callback_url="http://us/hook") as bench:
        job = await bench.make(routes_spec(COUNT))
        await bench.work()
        bench.clock.move(limits.JOB_POLL_S_MIN)
        await bench.work()
        check_routes(await bench.all_results(job), COUNT)
        assert bench.transitions() == ["queued", "running", "succeeded"]
    assert bikemap.sends == [submission_key(job.job_id)]
    (sent,) = bikemap.jobs.values()
    body = json.loads(sent.body)
    assert (body["kind"], body["callback_url"]) == ("batch-route", "http://us/hook")
    assert len(body["items"]) == COUNT


async def test_a_lost_message_is_made_good_within_a_minute(database_uri: str) -> None:
    """The poll hint is heeded between half a second and a minute."""
    bikemap = Bikemap(finish_at_once=False, hint_s="3600")
    async with benched(database_uri, bikemap, remote=True) as bench:
        job = await bench.make(routes_spec(COUNT))
        await bench.work()
        bikemap.finish(submission_key(job.job_id))
        bench.clock.move(limits.JOB_POLL_S_MAX - 0.001)
        assert await bench.work() == 0
        bench.clock.move(0.001)
        await bench.work()
        assert await state_of(bench, job) is JobState.SUCCEEDED
        assert bikemap.looks == 1


async def test_a_message_is_a_hint_and_no_more(database_uri: str) -> None:
    """Five times, out of order, before the end, with the older secret: one transition."""
    bikemap = Bikemap(finish_at_once=False, hint_s="60")
    async with benched(database_uri, bikemap, remote=True) as bench:
        job = await bench.make(routes_spec(COUNT))
        await bench.work()
        key = submission_key(job.job_id)
        await bench.jobs.receive(*message(key, [PROVIDER_SECRET], NOW_S, "early"))
        await bench.work()
        assert (bikemap.looks, await state_of(bench, job)) == (1, JobState.RUNNING)
        bikemap.finish(key)
        both = message(key, [STRANGER, SECRET], NOW_S + 1, "late")
        for _ in range(5):
            await bench.jobs.receive(*both)
            await bench.work()
        await bench.jobs.receive(*message(key, [SECRET], NOW_S - 9, "reordered"))
        await bench.work()
        assert bikemap.looks == 2
        assert bench.transitions() == ["queued", "running", "succeeded"]
        check_routes(await bench.all_results(job), COUNT)


@pytest.mark.parametrize("late_s", [-301, 301])
async def test_a_replayed_message_is_not_believed(database_uri: str, late_s: int) -> None:
    """More than five minutes off, signed by a stranger, or no message at all: nobody looks."""
    bikemap = Bikemap(finish_at_once=False, hint_s="60")
    async with benched(database_uri, bikemap, remote=True) as bench:
        job = await bench.make(routes_spec(1))
        await bench.work()
        key = submission_key(job.job_id)
        headers, body = message(key, [PROVIDER_SECRET], NOW_S)
        for odd in (
            message(key, [PROVIDER_SECRET], NOW_S + late_s),
            message(key, [STRANGER], NOW_S),
            (headers, body + b" "),
            ({}, body),
        ):
            with pytest.raises(WebhookInvalid):
                await bench.jobs.receive(*odd)
        assert await bench.work() == 0
    assert bikemap.looks == 0


async def test_an_item_that_bikemap_failed_is_computed_here(database_uri: str) -> None:
    """Its refusal is a result; its failure is not, and our gateway takes over that item."""
    bikemap = Bikemap()
    async with benched(database_uri, bikemap, remote=True) as bench:
        job = await bench.make(routes_spec(COUNT))
        await bench.work()
        bikemap.jobs[submission_key(job.job_id)].refused = {
            3: "route.no_path", 5: "internal", 11: "compute.timeout",
        }  # fmt: skip
        bench.clock.move(1)
        await bench.work()
        results = await bench.all_results(job)
        assert await state_of(bench, job) is JobState.PARTIALLY_FAILED
    assert [one["index"] for one in results] == list(range(COUNT))
    assert [one["index"] for one in results if one["status"] == "error"] == [3]
    assert len(bikemap.sends) == 1


@pytest.mark.parametrize("end", ["cancelled", "expired", "gone", "refused"])
async def test_a_job_that_bikemap_drops_is_taken_back(database_uri: str, end: str) -> None:
    """Dropped there, or refused at once: every item is computed here."""
    bikemap = Bikemap(finish_at_once=False)
    if end == "refused":
        bikemap.before = lambda seen: (
            problem(403, "plan.feature") if seen.path == "/v2/jobs" else None
        )
    async with benched(database_uri, bikemap, remote=True) as bench:
        job = await bench.make(routes_spec(COUNT))
        await bench.work()
        if end == "gone":
            bikemap.jobs.clear()
        elif end != "refused":
            bikemap.finish(submission_key(job.job_id), end)
        bench.clock.move(1)
        await bench.work()
        check_routes(await bench.all_results(job), COUNT)
        assert await state_of(bench, job) is JobState.SUCCEEDED


async def test_a_submission_is_sent_until_there_is_an_answer(database_uri: str) -> None:
    """While Bikemap is out it is sent again, the same under the same key; late it is taken back."""
    down = True

    def before(seen: Seen) -> Reply | None:
        return html_reply(502) if down and seen.path == "/v2/jobs" else None

    bikemap = Bikemap(before=before)
    async with benched(database_uri, bikemap, remote=True) as bench:
        job = await bench.make(routes_spec(2))
        for _ in range(3):
            await bench.work()
            bench.clock.move(limits.JOB_POLL_S_MAX)
        down = False
        await bench.work()
        bench.clock.move(1)
        await bench.work()
        check_routes(await bench.all_results(job), 2)
        down = True
        late = await bench.make(routes_spec(2), key="late")
        while bench.clock.now - late.created_at < timedelta(
            seconds=2 * limits.JOB_SUBMIT_PATIENCE_S
        ):
            await bench.work()
            bench.clock.move(limits.JOB_POLL_S_MAX)
        check_routes(await bench.all_results(late), 2)
    assert bikemap.sends == [submission_key(job.job_id)]


@pytest.mark.parametrize("heard", [True, False])
async def test_cancelling_ends_bikemaps_job_too(database_uri: str, heard: bool) -> None:
    """Also where its answer to the submission was lost: the same key tells its name."""
    lost = not heard

    def before(seen: Seen) -> Reply | None:
        if lost and seen.path == "/v2/jobs":
            Bikemap.answer(bikemap_behind, seen)
            return html_reply(502)
        return None

    bikemap = Bikemap(finish_at_once=False, before=before)
    bikemap_behind = Bikemap(finish_at_once=False, jobs=bikemap.jobs, sends=bikemap.sends)
    async with benched(database_uri, bikemap, remote=True) as bench:
        job = await bench.make(routes_spec(2))
        await bench.work()
        await bench.jobs.cancel(TENANT, str(job.job_id))
        lost = False
        bench.clock.move(limits.JOB_POLL_S_MAX)
        await bench.work()
        assert await bench.work() == 0
        assert await state_of(bench, job) is JobState.CANCELLED
        assert (await bench.jobs.results(TENANT, str(job.job_id))).rows == []
    assert [one.status for one in bikemap.jobs.values()] == ["cancelled"]
    assert set(bikemap.sends) == {submission_key(job.job_id)}


async def test_submissions_that_are_sent_at_once_are_one_job(database_uri: str) -> None:
    """Sent, looked at and imported by three workers at the same time."""
    bikemap = Bikemap()
    async with benched(database_uri, bikemap, remote=True) as bench:
        job = await bench.make(routes_spec(COUNT))
        for _ in range(2):
            names = await bench.worker.due()
            await asyncio.gather(*(bench.worker.work(name) for name in names * 3))
            bench.clock.move(limits.JOB_POLL_S_MIN)
        await bench.work()
        check_routes(await bench.all_results(job), COUNT)
        assert bench.transitions() == ["queued", "running", "succeeded"]
    assert [*bikemap.jobs] == [submission_key(job.job_id)]


async def test_a_job_that_does_not_end_is_taken_back(database_uri: str) -> None:
    """After six hours, also where Bikemap cannot be reached to be told so."""
    bikemap = Bikemap(finish_at_once=False, hint_s="60")
    async with benched(database_uri, bikemap, remote=True) as bench:
        told, untold = await bench.make(routes_spec(2), "1"), await bench.make(routes_spec(2), "2")
        await bench.work()
        bench.clock.move(limits.JOB_REMOTE_PATIENCE_S + 1)
        lost = f"/v2/jobs/job_{submission_key(untold.job_id)}"
        bikemap.before = lambda seen: html_reply(502) if seen.path == lost else None
        await bench.work()
        for job in (told, untold):
            check_routes(await bench.all_results(job), 2)
    assert bikemap.jobs[submission_key(told.job_id)].status == "cancelled"
    assert len(bikemap.sends) == 2


async def test_what_was_perhaps_sent_long_ago_is_not_sent_again(database_uri: str) -> None:
    """Bikemap forgets keys in a day; a worker that comes back after two makes no second job."""
    bikemap = Bikemap(before=lambda seen: html_reply(502) if seen.path == "/v2/jobs" else None)
    async with benched(database_uri, bikemap, remote=True) as bench:
        job = await bench.make(routes_spec(2))
        await bench.work()
        bench.clock.move(2 * 86_400)
        bikemap.before = lambda _seen: None
        await bench.work()
        check_routes(await bench.all_results(job), 2)
    assert bikemap.sends == []
