"""Works off what is due: reads it from our own tables again and again, and hints at it as jobs.

Any number of processes may do so: a job that is doubled does nothing, one that is lost is hinted
at again, and a worker that was killed is noticed after a few seconds.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Final

from tandem.platform.errors import DatabaseUnavailable
from tandem.platform.jobs.jobs import JobRunner, migrate_jobs, open_jobs

type Due = Callable[[], Awaitable[Iterable[str]]]

_log: Final = logging.getLogger(__name__)


@asynccontextmanager
async def working_off(
    conninfo: str,
    queue: str,
    due: Due,
    work: Callable[[str], Awaitable[None]],
    *,
    concurrency: int,
    poll_s: float,
) -> AsyncIterator[None]:
    """Work while the context lasts, so many jobs at a time; on the way out let them end.

    `due` names what is due now, and may raise DatabaseUnavailable; `work` does it. Raises
    MigrationError and DatabaseUnavailable.
    """
    await asyncio.to_thread(migrate_jobs, conninfo)
    async with open_jobs(conninfo, queue, work) as jobs:
        tasks = [
            asyncio.create_task(jobs.run(concurrency), name=f"{queue} worker"),
            asyncio.create_task(_dispatch(jobs, queue, due, poll_s), name=f"{queue} dispatcher"),
        ]
        try:
            yield
        finally:
            for task in reversed(tasks):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


async def _dispatch(jobs: JobRunner, queue: str, due: Due, poll_s: float) -> None:
    while True:
        try:
            await jobs.free_stalled()
            for name in await due():
                await jobs.defer(name)
        except DatabaseUnavailable as error:
            _log.warning("what is due for %s cannot be read: %s", queue, error)
        await asyncio.sleep(poll_s)
