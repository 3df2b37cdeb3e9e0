"""`/v1/routing-jobs`: how far a job is."""

from datetime import datetime

from tandem.routing.jobs.core import CallbackState, JobKind, JobState
from tandem.routing.wire.common import Told


class JobCounts(Told):
    """How many items there are, and what became of them."""

    items: int
    succeeded: int
    failed: int
    pending: int


class JobCallback(Told):
    """How far the message is: `waiting` for the end, `due`, `delivered`, or `dead`."""

    state: CallbackState
    attempts: int
    last_error: str | None = None


class Job(Told):
    """A job. Its results may be fetched while it runs, and until `results_expire_at`."""

    job_id: str
    kind: JobKind
    state: JobState
    created_at: datetime
    finished_at: datetime | None = None
    results_expire_at: datetime | None = None
    counts: JobCounts
    callback: JobCallback | None = None
