"""The worker: finds what is due of all jobs and does it, piece by piece.

What is due stands in our own tables (a chunk, a submission, a message, an expiry), so procrastinate
only carries hints. Any number of workers may run, and any of them may be killed at any step.
"""

import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Final
from uuid import UUID

from tandem.platform.config import WebhookReach
from tandem.platform.jobs import working_off
from tandem.platform.webhooks.sealing import SecretBox
from tandem.platform.webhooks.sending import open_sender
from tandem.resilience.backoff import Chance
from tandem.routing import limits
from tandem.routing.jobs.calling import Messenger
from tandem.routing.jobs.computing import Ask, Computer
from tandem.routing.jobs.submitting import Submitter
from tandem.routing.providers.bikemap_jobs import BikemapJobs
from tandem.routing.storage.jobs.store import JobStore, open_job_store

QUEUE: Final = "routing jobs"


class JobWorker:
    """Does what is due, by its name; nothing where it is due no more."""

    def __init__(
        self,
        store: JobStore,
        computer: Computer,
        submitter: Submitter,
        messenger: Messenger,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._computer = computer
        self._submitter = submitter
        self._messenger = messenger
        self._now = now

    async def due(self) -> list[str]:
        """Name what is due."""
        found = await self._store.due(self._now())
        return [json.dumps([what, str(job_id), number]) for what, job_id, number in found]

    async def work(self, name: str) -> None:
        """Do what a name names."""
        what, text, number = json.loads(name)
        job_id = UUID(text)
        match what:
            case "chunk":
                await self._computer.work(job_id, number)
            case "submission":
                await self._submitter.work(job_id)
            case "callback":
                await self._messenger.work(job_id)
            case "expiry":
                await self._store.expire(job_id, self._now())


@asynccontextmanager
async def working(
    conninfo: str,
    ask: Ask,
    provider: BikemapJobs | None,
    box: SecretBox,
    reach: WebhookReach,
    now: Callable[[], datetime],
    chance: Chance = random.random,
) -> AsyncIterator[None]:
    """Work off jobs while the context lasts; on the way out let running pieces end.

    Brings both schemas up to date. Raises MigrationError and DatabaseUnavailable.
    """
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_job_store(conninfo))
        sender = await stack.enter_async_context(open_sender(reach, limits.JOB_CONCURRENCY))
        worker = JobWorker(
            store,
            Computer(store, ask, now, chance),
            Submitter(store, provider, now, chance),
            Messenger(store, box, sender, now, chance),
            now,
        )
        await stack.enter_async_context(
            working_off(
                conninfo,
                QUEUE,
                worker.due,
                worker.work,
                concurrency=limits.JOB_CONCURRENCY,
                poll_s=limits.JOB_DISPATCH_S,
            )
        )
        yield
