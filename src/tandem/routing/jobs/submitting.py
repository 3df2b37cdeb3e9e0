"""Hands jobs over to a provider that has jobs of its own, looks after them, and takes them back.

A submission is noted before it is sent, under a key that is made of our job's id: sent again after
a crash it is the same job there. Messages only make us look sooner; what counts is what we find.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tandem.resilience.backoff import Chance, full_jitter_s
from tandem.resilience.deadline import Deadline
from tandem.routing import limits
from tandem.routing.domain.errors import PlanForbidden, Refusal, RoutingError, Unsupported
from tandem.routing.domain.result import Freshness, Result
from tandem.routing.jobs.computing import end_if_complete
from tandem.routing.jobs.core import (
    JobKind,
    JobState,
    SubmissionState,
    poll_pause_s,
    submission_key,
)
from tandem.routing.jobs.items import failed, read_item, read_route, succeeded
from tandem.routing.providers.bikemap_jobs import (
    BikemapJobs,
    RemoteItem,
    RemoteState,
    Seen,
    read_remote,
)
from tandem.routing.storage.jobs.store import JobStore, ResultRow, SubmissionRow

_log: Final = logging.getLogger(__name__)


class Submitter:
    """Takes care of submissions. Without a provider (`None`) it takes all of them back."""

    def __init__(
        self,
        store: JobStore,
        provider: BikemapJobs | None,
        now: Callable[[], datetime],
        chance: Chance,
    ) -> None:
        self._store = store
        self._provider = provider
        self._now = now
        self._chance = chance

    async def work(self, job_id: UUID) -> None:
        """Bring a submission one step further."""
        row = await self._store.submission(job_id, self._now())
        if row is None:
            return
        if self._provider is None:
            await self._take_back(job_id, "there is no provider for jobs")
            return
        is_late = self._waited_s(row) > limits.JOB_REMOTE_PATIENCE_S
        if is_late and row.provider_job_id is None:
            # The provider may have forgotten the key: sent again it could be another job.
            await self._take_back(job_id, "nobody knows whether it was submitted")
            return
        try:
            if is_late or not row.wanted:
                await self._withdraw(self._provider, job_id, row)
            elif row.state is SubmissionState.INTENDED:
                seen = await self._send(self._provider, job_id, row)
                due_at = self._later(poll_pause_s(seen.hint_s))
                await self._store.note_submitted(job_id, seen.remote_id, due_at)
                await self._store.move(job_id, JobState.RUNNING, self._now())
            else:
                await self._look(self._provider, job_id, row)
        except RoutingError as error:
            await self._put_off(job_id, row, error)

    async def _send(self, provider: BikemapJobs, job_id: UUID, row: SubmissionRow) -> Seen:
        """Send a submission, noted before; the same bytes under the same key every time."""
        requests = [read_route(stored) for stored in await self._store.requests(job_id)]
        await self._store.note_sending(job_id, self._now())
        return await provider.submit(
            requests, submission_key(job_id), row.callback_url, _deadline()
        )

    async def _look(self, provider: BikemapJobs, job_id: UUID, row: SubmissionRow) -> None:
        """Look at the provider's job, and take its results if it is done."""
        # A crash may have come between the two notes of a submission.
        await self._store.move(job_id, JobState.RUNNING, self._now())
        seen = await provider.look(_remote_id(row), _deadline())
        if seen.state is RemoteState.RUNNING:
            due_at = self._later(poll_pause_s(seen.hint_s))
            await self._store.defer_submission(job_id, due_at, None)
        elif seen.state is RemoteState.LOST:
            await self._take_back(job_id, "the provider has lost the job")
        else:
            await self._import(provider, job_id, row)

    async def _import(self, provider: BikemapJobs, job_id: UUID, row: SubmissionRow) -> None:
        """Keep all results; after a crash from the first page on, which keeps nothing twice."""
        asked = dict(await self._store.open_items(job_id, 0, limits.JOB_ITEMS_MAX))
        cursor: str | None = None
        pages = 0
        while pages <= limits.JOB_ITEMS_MAX:  # a cursor that leads round and round ends, too
            page = await provider.results(_remote_id(row), cursor, _deadline())
            if page is None:
                break
            results = [
                _result(item, asked[item.index], provider)
                for item in page.items
                if item.index in asked
            ]
            settled = [result for result in results if result is not None]
            if settled:
                await self._store.keep_results(job_id, settled)
            cursor, pages = page.next_cursor, pages + 1
            if cursor is None:
                break
        if await end_if_complete(self._store, job_id, self._now()):
            await self._store.end_submission(job_id, SubmissionState.IMPORTED, self._now())
        else:
            await self._take_back(job_id, "the provider left items open")

    async def _withdraw(self, provider: BikemapJobs, job_id: UUID, row: SubmissionRow) -> None:
        """End the provider's job: ours was cancelled, or it takes too long."""
        remote_id = row.provider_job_id
        if remote_id is None and row.sent_at is not None:
            # It may be there, under a name that we never heard: the same key tells it.
            remote_id = (await self._send(provider, job_id, row)).remote_id
        if remote_id is not None:
            await provider.cancel(remote_id, _deadline())
        await self._take_back(job_id, "the job was cancelled, or took too long")

    async def _put_off(self, job_id: UUID, row: SubmissionRow, error: RoutingError) -> None:
        """Try again later, if that can help and the time for it is not over."""
        is_unsent = row.state is SubmissionState.INTENDED
        patience_s = limits.JOB_SUBMIT_PATIENCE_S if is_unsent else limits.JOB_REMOTE_PATIENCE_S
        is_late = self._waited_s(row) > patience_s
        is_lasting = isinstance(error, Refusal | PlanForbidden | Unsupported)
        if is_late or (is_unsent and is_lasting):
            await self._take_back(job_id, str(error))
            return
        asked_s = getattr(error, "retry_after_s", None) or 0.0
        jittered_s = full_jitter_s(
            row.attempts + 1,
            self._chance,
            base_s=limits.JOB_SUBMIT_PAUSE_S,
            cap_s=limits.JOB_POLL_S_MAX,
        )
        pause_s = min(max(jittered_s, asked_s), limits.JOB_POLL_S_MAX)
        await self._store.defer_submission(job_id, self._later(pause_s), _short(str(error)))

    async def _take_back(self, job_id: UUID, why: str) -> None:
        """Let our own gateway compute what is open."""
        _log.warning("routing job %s is taken back: %s", job_id, why)
        state = SubmissionState.ABANDONED
        await self._store.end_submission(job_id, state, self._now(), _short(why))

    def _waited_s(self, row: SubmissionRow) -> float:
        """Return how long ago it was first sent, 0 if it was not."""
        return 0.0 if row.sent_at is None else (self._now() - row.sent_at).total_seconds()

    def _later(self, pause_s: float) -> datetime:
        return self._now() + timedelta(seconds=pause_s)


def _result(item: RemoteItem, stored: str, provider: BikemapJobs) -> ResultRow | None:
    """Write down what came of an item; None where our own gateway may do better."""
    try:
        routes = read_remote(item, read_route(stored))
    except Refusal as refusal:
        return failed(item.index, refusal)
    except RoutingError:
        return None
    result = Result(
        answer=routes,
        provider=provider.name,
        freshness=Freshness.LIVE,
        degraded=False,
        attribution=routes.best.attribution,
        age_s=0.0,
    )
    return succeeded(item.index, read_item(JobKind.ROUTES, stored), result)


def _remote_id(row: SubmissionRow) -> str:
    assert row.provider_job_id is not None  # noqa: S101 - it is submitted
    return row.provider_job_id


def _deadline() -> Deadline:
    return Deadline.after_ms(limits.JOB_EXCHANGE_DEADLINE_MS)


def _short(text: str) -> str:
    return text[: limits.JOB_ERROR_CHARS_MAX]
