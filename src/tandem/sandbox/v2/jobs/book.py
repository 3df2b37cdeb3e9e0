"""Jobs and what came of their items, in memory: a sandbox that ends forgets them.

queued -> running -> succeeded, partially_failed, failed --24 h--> expired --24 h--> forgotten
queued, running --cancelled--> cancelled
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from tandem.sandbox import limits
from tandem.sandbox.keys import Account
from tandem.sandbox.problems import ApiProblem, Code
from tandem.sandbox.v2.jobs.requests import Submitted


class JobStatus(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIALLY_FAILED = "partially_failed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


OPEN: Final = frozenset({JobStatus.QUEUED, JobStatus.RUNNING})
_WITH_RESULTS: Final = frozenset(
    {JobStatus.SUCCEEDED, JobStatus.PARTIALLY_FAILED, JobStatus.FAILED}
)


@dataclass(slots=True)
class Job:
    """A job; `results` has what became of the items so far, in their order."""

    id: str
    account: Account
    key: str | None
    digest: str
    submitted: Submitted
    created_s: float
    status: JobStatus = JobStatus.QUEUED
    ended_s: float = 0.0
    failures: int = 0
    submissions: int = 1
    results: list[dict[str, Any]] = field(default_factory=list)

    def members(self) -> dict[str, Any]:
        """Return the JSON members."""
        return {
            "id": self.id,
            "kind": self.submitted.kind,
            "status": self.status,
            "items": len(self.submitted.items),
            "done": len(self.results),
        }


class JobBook:
    """All clients' jobs; `clock` tells monotonic seconds, `new_id` makes an unguessable text."""

    def __init__(self, clock: Callable[[], float], new_id: Callable[[], str]) -> None:
        self._clock = clock
        self._new_id = new_id
        self._jobs: dict[str, Job] = {}

    def known(self, account: Account, key: str | None, body: bytes) -> Job | None:
        """Return the job that was made under a key, counting that it came again.

        Raises ApiProblem where the key was used for another body.
        """
        self._age()
        if key is None:
            return None
        for job in self._of(account):
            is_old = self._clock() - job.created_s >= limits.IDEMPOTENCY_S
            if job.key == key and not is_old:
                if job.digest != _digest(body):
                    raise ApiProblem(Code.IDEMPOTENCY_MISMATCH)
                job.submissions += 1
                return job
        return None

    def add(self, account: Account, key: str | None, body: bytes, submitted: Submitted) -> Job:
        """Make a job. Raises ApiProblem where the client has too many."""
        if sum(job.status in OPEN for job in self._of(account)) >= limits.JOBS_OPEN_MAX:
            retry = {"Retry-After": str(limits.OVERLOADED_RETRY_S)}
            raise ApiProblem(Code.OVERLOADED, "too many jobs are open", headers=retry)
        job = Job(self._new_id(), account, key, _digest(body), submitted, self._clock())
        self._jobs[job.id] = job
        while len(self._jobs) > limits.JOBS_KEPT_MAX:
            ended = (one.id for one in self._jobs.values() if one.status not in OPEN)
            del self._jobs[next(ended, next(iter(self._jobs)))]
        return job

    def find(self, account: Account, job_id: str) -> Job:
        """Return a client's job. Raises ApiProblem where there is none."""
        self._age()
        job = self._jobs.get(job_id)
        if job is None or job.account is not account:
            raise ApiProblem(Code.JOB_NOT_FOUND)
        return job

    def page(self, job: Job, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """Return results from a cursor on, and the cursor of what follows.

        Raises:
            ApiProblem: There are none yet, or no more; or the cursor is none.
        """
        if job.status in OPEN:
            raise ApiProblem(Code.JOB_RUNNING)
        if job.status not in _WITH_RESULTS:
            raise ApiProblem(Code.JOB_GONE)
        first = _first(cursor, len(job.results))
        after = first + limits.JOB_PAGE_ITEMS
        return job.results[first:after], str(after) if after < len(job.results) else None

    def end(self, job: Job, status: JobStatus) -> None:
        """Bring a job to its end, unless it has had one."""
        if job.status in OPEN:
            job.status, job.ended_s = status, self._clock()

    def all(self) -> list[Job]:
        """Return all jobs, the first first."""
        return list(self._jobs.values())

    def _of(self, account: Account) -> Iterator[Job]:
        return (job for job in self._jobs.values() if job.account is account)

    def _age(self) -> None:
        """Let go of results, and of jobs, whose time is over."""
        now_s = self._clock()
        for job in list(self._jobs.values()):
            kept_s = 0.0 if job.status in OPEN else now_s - job.ended_s
            if kept_s >= 2 * limits.RESULTS_KEPT_S:
                del self._jobs[job.id]
            elif kept_s >= limits.RESULTS_KEPT_S:
                job.status, job.results = JobStatus.EXPIRED, []


def _first(cursor: str | None, count: int) -> int:
    if cursor is None:
        return 0
    is_number = cursor.isascii() and cursor.isdigit() and len(cursor) <= limits.CURSOR_CHARS_MAX
    if not is_number or int(cursor) > count:
        raise ApiProblem(Code.REQUEST_MALFORMED, "the cursor is none of this job")
    return int(cursor)


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
