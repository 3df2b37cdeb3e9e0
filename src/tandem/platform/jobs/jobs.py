"""A procrastinate application on our database: its schema, its queue, and a worker that recovers.

Jobs here are hints that something is due; what is due is always read from our own tables. So a
lost job is found again, a doubled one does nothing, and a job is deleted when it ends, well or not.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import procrastinate
from procrastinate import exceptions
from procrastinate.jobs import DeleteJobCondition, Status

from tandem.platform.database import with_session_settings
from tandem.platform.errors import DatabaseUnavailable
from tandem.platform.limits import (
    CONNECT_TIMEOUT_S,
    JOB_CONNECTIONS_MAX,
    JOB_HEARTBEAT_S,
    JOB_POLL_S,
    JOB_RESTART_PAUSE_S,
    JOB_STALLED_S,
    JOB_STOP_TIMEOUT_S,
)
from tandem.platform.migrations import migrate

SCHEMA: Final = "procrastinate"
ROLE: Final = "tandem_jobs"

_log: Final = logging.getLogger(__name__)


def migrate_jobs(conninfo: str) -> None:
    """Bring the schema of the jobs up to date. Blocking. Raises MigrationError."""
    migrate(conninfo, "tandem.platform.jobs:migrations", SCHEMA)


class JobRunner:
    """Jobs of one task, each named by a text; at most one of a name runs, and one waits."""

    def __init__(
        self, app: procrastinate.App, queue: str, work: Callable[[str], Awaitable[None]]
    ) -> None:
        self._app = app
        self._queue = queue
        self._work = work
        self._deferred_at_s: dict[str, float] = {}

        @app.task(name=queue, queue=queue)
        async def run(name: str) -> None:
            self._deferred_at_s.pop(name, None)
            try:
                await self._work(name)
            finally:
                self._deferred_at_s.pop(name, None)

        self._task = run

    async def defer(self, name: str) -> None:
        """See to it that the job of this name runs from now on, by whichever worker."""
        deferred_at_s = self._deferred_at_s.get(name)
        if deferred_at_s is not None and time.monotonic() - deferred_at_s < JOB_STALLED_S:
            return
        self._deferred_at_s[name] = time.monotonic()
        try:
            await self._task.configure(lock=name, queueing_lock=name).defer_async(name=name)
        except exceptions.AlreadyEnqueued:
            return
        except exceptions.ConnectorException as error:
            del self._deferred_at_s[name]
            raise DatabaseUnavailable(f"a job cannot be deferred: {error}") from error

    async def free_stalled(self) -> None:
        """End the jobs of workers that were killed; they would hold their locks for ever."""
        jobs = self._app.job_manager
        try:
            for job in await jobs.get_stalled_jobs(
                queue=self._queue, seconds_since_heartbeat=JOB_STALLED_S
            ):
                _log.warning("job %s of a worker that is gone is freed", job.task_kwargs)
                assert job.id is not None  # noqa: S101 - it came from the database
                await jobs.finish_job_by_id_async(job.id, Status.FAILED, delete_job=True)
        except exceptions.ConnectorException as error:
            raise DatabaseUnavailable(f"jobs cannot be read: {error}") from error

    async def run(self, concurrency: int) -> None:
        """Run jobs until cancelled, whatever becomes of the database; lets running ones end."""
        while True:
            try:
                await self._app.run_worker_async(
                    queues=[self._queue],
                    concurrency=concurrency,
                    fetch_job_polling_interval=JOB_POLL_S,
                    update_heartbeat_interval=JOB_HEARTBEAT_S,
                    stalled_worker_timeout=JOB_STALLED_S,
                    shutdown_graceful_timeout=JOB_STOP_TIMEOUT_S,
                    delete_jobs=DeleteJobCondition.ALWAYS,
                    install_signal_handlers=False,
                )
            except Exception:  # noqa: BLE001 - a worker that is not there delivers nothing
                _log.exception("the worker of %s starts over", self._queue)
            await asyncio.sleep(JOB_RESTART_PAUSE_S)


@asynccontextmanager
async def open_jobs(
    conninfo: str, queue: str, work: Callable[[str], Awaitable[None]]
) -> AsyncIterator[JobRunner]:
    """Open the jobs of a queue on a migrated database. Raises DatabaseUnavailable."""
    connector = procrastinate.PsycopgConnector(
        conninfo=with_session_settings(conninfo, {"search_path": SCHEMA, "role": ROLE}),
        kwargs={"application_name": f"tandem {queue}", "connect_timeout": CONNECT_TIMEOUT_S},
        min_size=1,
        max_size=JOB_CONNECTIONS_MAX,
    )
    app = procrastinate.App(connector=connector)
    runner = JobRunner(app, queue, work)
    try:
        await app.open_async()
    except exceptions.ConnectorException as error:
        raise DatabaseUnavailable(f"no connection for jobs: {error}") from error
    try:
        yield runner
    finally:
        await app.close_async()
