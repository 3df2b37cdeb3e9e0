"""Jobs in PostgreSQL. Every call is one statement but `create`, and raises DatabaseUnavailable.

What was asked, what came of it and which states a job was in is only ever inserted; states move by
compare-and-set. So any number of workers may try the same, and a crash leaves nothing half done.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from tandem.platform.database import Pool, borrowed, open_pool
from tandem.platform.migrations import migrate
from tandem.routing import limits
from tandem.routing.jobs.core import (
    FINISHED,
    CallbackState,
    Counts,
    JobKind,
    JobState,
    SubmissionState,
    states_before,
)
from tandem.routing.storage.jobs.queries import query

SCHEMA: Final = "routing_jobs"
ROLE: Final = "tandem_routing_jobs"
_WHAT: Final = "the store of jobs"


class NewJob(NamedTuple):
    """A job to be made. `submit`: a provider computes it, and calls back at the URL given."""

    job_id: UUID
    tenant: str
    idempotency_key: str
    fingerprint: bytes
    kind: JobKind
    requests: Sequence[str]
    chunks: int
    submit: bool
    provider_callback_url: str | None
    callback_url: str | None
    callback_secret: bytes | None


class CallbackRow(NamedTuple):
    """How far the message to the caller is."""

    state: CallbackState
    attempts: int
    last_error: str | None


class JobRow(NamedTuple):
    """A job as stored."""

    job_id: UUID
    tenant: str
    fingerprint: bytes
    kind: JobKind
    state: JobState
    created_at: datetime
    finished_at: datetime | None
    counts: Counts
    callback: CallbackRow | None


@dataclass(frozen=True, slots=True)
class ResultRow:
    """What came of an item; `body` is the JSON that is shown."""

    index: int
    succeeded: bool
    body: str


class ChunkRow(NamedTuple):
    """A chunk that is due, and what is to be known of its job."""

    rounds: int
    kind: JobKind
    tenant: str


class SubmissionRow(NamedTuple):
    """A submission that is due. `wanted`: its job has not been cancelled."""

    state: SubmissionState
    provider_job_id: str | None
    callback_url: str | None
    sent_at: datetime | None
    attempts: int
    wanted: bool


class DueCallback(NamedTuple):
    """A message that is due."""

    url: str
    secret: bytes
    attempts: int
    state: JobState
    finished_at: datetime


class Load(NamedTuple):
    """What a tenant has waiting."""

    jobs: int
    items: int


@asynccontextmanager
async def open_job_store(conninfo: str) -> AsyncIterator["JobStore"]:
    """Bring the schema up to date and open the store. Raises DatabaseUnavailable."""
    await asyncio.to_thread(migrate, conninfo, "tandem.routing.storage.jobs:migrations", SCHEMA)
    async with await open_pool(
        conninfo,
        role=ROLE,
        min_size=1,
        max_size=limits.JOB_POOL_CONNECTIONS_MAX,
        name="tandem routing jobs",
    ) as pool:
        yield JobStore(pool)


class JobStore:
    """The tables of jobs. Times are aware; bodies and requests are JSON texts."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    # -- jobs ----------------------------------------------------------------------------------

    async def create(self, job: NewJob, now: datetime, room: Load) -> JobRow | Load:
        """Make a job or find the one of its key; where its tenant has no room, say its load."""
        async with borrowed(self._pool, _WHAT) as connection, connection.transaction():
            tenant = {"tenant": job.tenant}
            await connection.execute(query("lock_tenant"), tenant)
            known = await _one(connection, "find", {**job._asdict(), "job_id": None})
            if known is not None:
                return _job(known)
            load = Load(*(await _one(connection, "load", tenant) or (0, 0)))
            if load.jobs >= room.jobs or load.items + len(job.requests) > room.items:
                return load
            parameters = {**job._asdict(), "requests": list(job.requests), "now": now}
            await connection.execute(query("create"), parameters)
            made = await _one(connection, "find", {**job._asdict()})
        assert made is not None  # noqa: S101 - it was made in this transaction
        return _job(made)

    async def get(self, job_id: UUID) -> JobRow | None:
        """Read a job."""
        parameters = {"job_id": job_id, "tenant": None, "idempotency_key": None}
        rows = await self._execute("find", parameters)
        return _job(rows[0]) if rows else None

    async def move(self, job_id: UUID, state: JobState, now: datetime) -> bool:
        """Move a job to a state if it may come there from where it is; tell whether it did."""
        parameters = {
            "job_id": job_id,
            "state": state,
            "before": list(states_before(state)),
            "finishes": state in FINISHED,
            "now": now,
        }
        return bool(await self._execute("move", parameters))

    async def counts(self, job_id: UUID) -> Counts:
        """Count a job's results."""
        rows = await self._execute("counts", {"job_id": job_id})
        return Counts(*rows[0]) if rows else Counts(0)

    async def results(self, job_id: UUID, first: int, limit: int) -> list[ResultRow]:
        """Read results in item order from an index on, as many as fit a page."""
        parameters = {
            "job_id": job_id,
            "first": first,
            "limit": limit,
            "bytes_max": limits.JOB_PAGE_BYTES_MAX,
        }
        return [ResultRow(*row) for row in await self._execute("results", parameters)]

    async def keep_results(self, job_id: UUID, results: Sequence[ResultRow]) -> None:
        """Keep results of a running job; those that are there stay as they are."""
        parameters = {
            "job_id": job_id,
            "indexes": [one.index for one in results],
            "succeeded": [one.succeeded for one in results],
            "bodies": [one.body for one in results],
        }
        await self._execute("keep_results", parameters)

    async def open_items(self, job_id: UUID, first: int, end: int) -> list[tuple[int, str]]:
        """Read index and request of an active job's items without results, up to an index."""
        parameters = {"job_id": job_id, "first": first, "end": end}
        return [(row[0], row[1]) for row in await self._execute("open_items", parameters)]

    async def requests(self, job_id: UUID) -> list[str]:
        """Read all requests of a job in their order."""
        return [row[0] for row in await self._execute("requests", {"job_id": job_id})]

    # -- what is due ---------------------------------------------------------------------------

    async def due(self, now: datetime) -> list[tuple[str, UUID, int]]:
        """Say what is due: what it is, of which job, and the number of a chunk."""
        parameters = {
            "limit": limits.JOB_DUE_MAX,
            "tenant_limit": limits.JOB_DUE_PER_TENANT,
            "now": now,
            **_ages(now),
        }
        rows = await self._execute("due", parameters)
        return [(row[0], row[1], row[2]) for row in rows]

    async def census(self, now: datetime) -> tuple[dict[JobState, float], datetime | None]:
        """Count jobs by state, and say since when the oldest piece is due."""
        by_state = await self._execute("count_jobs", {})
        oldest = await self._execute("oldest_due", {"now": now})
        return {JobState(state): count for state, count in by_state}, oldest[0][0]

    async def chunk(self, job_id: UUID, number: int, now: datetime) -> ChunkRow | None:
        """Read a chunk, if it is due."""
        parameters = {"job_id": job_id, "number": number, "now": now}
        rows = await self._execute("chunk", parameters)
        if not rows:
            return None
        rounds, kind, tenant = rows[0]
        return ChunkRow(rounds, JobKind(kind), tenant)

    async def end_chunk(self, job_id: UUID, number: int) -> None:
        """Note that a chunk has all its results."""
        await self._execute("end_chunk", {"job_id": job_id, "number": number})

    async def defer_chunk(self, job_id: UUID, number: int, rounds: int, due_at: datetime) -> None:
        """Leave what is open of a chunk to a later round."""
        parameters = {"job_id": job_id, "number": number, "rounds": rounds, "due_at": due_at}
        await self._execute("defer_chunk", parameters)

    async def expire(self, job_id: UUID, now: datetime) -> None:
        """Forget a job's results if it finished long ago, and the job if very long ago."""
        parameters = {"job_id": job_id, "now": now, **_ages(now)}
        before = list(states_before(JobState.EXPIRED))
        await self._execute("expire", {**parameters, "before": before})
        received_before = now - timedelta(seconds=limits.WEBHOOK_IDS_KEPT_S)
        await self._execute("forget", {**parameters, "received_before": received_before})

    # -- submissions to a provider -------------------------------------------------------------

    async def submission(self, job_id: UUID, now: datetime) -> SubmissionRow | None:
        """Read a submission, if it is due."""
        rows = await self._execute("submission", {"job_id": job_id, "now": now})
        return SubmissionRow(SubmissionState(rows[0][0]), *rows[0][1:]) if rows else None

    async def note_sending(self, job_id: UUID, now: datetime) -> None:
        """Note that a submission is about to be sent."""
        await self._execute("note_sending", {"job_id": job_id, "now": now})

    async def note_submitted(self, job_id: UUID, provider_job_id: str, due_at: datetime) -> None:
        """Note under which name the provider took a submission, and when to look at it."""
        parameters = {"job_id": job_id, "provider_job_id": provider_job_id, "due_at": due_at}
        await self._execute("note_submitted", parameters)

    async def defer_submission(self, job_id: UUID, due_at: datetime, error: str | None) -> None:
        """Look at a submission later."""
        parameters = {"job_id": job_id, "due_at": due_at, "error": error}
        await self._execute("defer_submission", parameters)

    async def end_submission(
        self, job_id: UUID, state: SubmissionState, now: datetime, error: str | None = None
    ) -> None:
        """End a submission; if it is abandoned, our own gateway takes over what is open."""
        parameters = {
            "job_id": job_id,
            "state": state,
            "error": error,
            "now": now,
            "chunk_items": limits.JOB_CHUNK_ITEMS,
        }
        await self._execute("end_submission", parameters)

    async def hint(self, message_id: str, provider_job_id: str, now: datetime) -> None:
        """Look at a provider's job now, unless the message came before."""
        parameters = {"message_id": message_id, "provider_job_id": provider_job_id, "now": now}
        await self._execute("hint", parameters)

    # -- messages to the caller ----------------------------------------------------------------

    async def callback(self, job_id: UUID, now: datetime) -> DueCallback | None:
        """Read a message that is due."""
        rows = await self._execute("callback", {"job_id": job_id, "now": now})
        if not rows:
            return None
        url, secret, attempts, state, finished_at = rows[0]
        return DueCallback(url, bytes(secret), attempts, JobState(state), finished_at)

    async def settle_callback(
        self,
        job_id: UUID,
        attempts: int,
        state: CallbackState,
        due_at: datetime,
        error: str | None,
    ) -> None:
        """Note what became of a message's attempt; `attempts` are those before."""
        parameters = {
            "job_id": job_id,
            "attempts": attempts,
            "state": state,
            "due_at": due_at,
            "error": error,
        }
        await self._execute("settle_callback", parameters)

    async def _execute(self, name: str, parameters: Mapping[str, Any]) -> Sequence[TupleRow]:
        async with borrowed(self._pool, _WHAT) as connection:
            cursor = await connection.execute(query(name), parameters)
            return [] if cursor.description is None else await cursor.fetchall()


async def _one(
    connection: AsyncConnection[TupleRow], name: str, parameters: Mapping[str, Any]
) -> TupleRow | None:
    return await (await connection.execute(query(name), parameters)).fetchone()


def _ages(now: datetime) -> dict[str, datetime]:
    """Before when a job must have finished to be expired, or forgotten."""
    kept = timedelta(seconds=limits.JOB_RESULTS_KEPT_S)
    return {
        "expired_before": now - kept,
        "forgotten_before": now - kept - timedelta(seconds=limits.JOB_REMEMBERED_S),
    }


def _job(row: TupleRow) -> JobRow:
    job_id, tenant, fingerprint, kind, state, created_at, finished_at = row[:7]
    callback = None if row[10] is None else CallbackRow(CallbackState(row[10]), *row[11:13])
    return JobRow(
        job_id,
        tenant,
        bytes(fingerprint),
        JobKind(kind),
        JobState(state),
        created_at,
        finished_at,
        Counts(*row[7:10]),
        callback,
    )
