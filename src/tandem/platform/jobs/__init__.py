"""Background jobs on procrastinate, in a schema of their own beside ours in the same PostgreSQL."""

from tandem.platform.jobs.due import working_off
from tandem.platform.jobs.jobs import JobRunner, migrate_jobs, open_jobs

__all__ = ["JobRunner", "migrate_jobs", "open_jobs", "working_off"]
