"""The worker: finds webhooks that are due and delivers them, a job each.

What is due stands in our own tables (a cursor behind the head, a retry whose time has come, a dead
letter to send again), so the dispatcher only reads and hints. Any number of workers may run.
"""

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final

from tandem.ledger.core.limits import (
    MAX_WEBHOOKS_DUE,
    WEBHOOK_CONCURRENCY,
    WEBHOOK_POLL_MS,
)
from tandem.ledger.storage.port import LedgerStore, StorageError
from tandem.ledger.storage.postgres import open_store
from tandem.ledger.webhooks.delivery import Deliverer
from tandem.ledger.webhooks.sealing import SecretBox
from tandem.ledger.webhooks.sending import open_sender
from tandem.platform.config import WebhookReach as Reach
from tandem.platform.database import DatabaseUnavailable, migrate
from tandem.platform.jobs import JobRunner, migrate_jobs, open_jobs

QUEUE: Final = "webhooks"

_log: Final = logging.getLogger(__name__)


@asynccontextmanager
async def working(
    conninfo: str, box: SecretBox, reach: Reach, now_us: Callable[[], int]
) -> AsyncIterator[None]:
    """Deliver webhooks while the context lasts; on the way out lets running deliveries end.

    Brings both schemas up to date. Raises MigrationError and DatabaseUnavailable.
    """
    await asyncio.to_thread(migrate, conninfo, "tandem.ledger.storage:migrations", "ledger")
    await asyncio.to_thread(migrate_jobs, conninfo)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(conninfo))
        sender = await stack.enter_async_context(open_sender(reach))
        deliverer = Deliverer(store, box, sender, now_us, random.random)

        async def deliver(job: str) -> None:
            ledger_id, name = json.loads(job)
            await deliverer.deliver(ledger_id, name)

        jobs = await stack.enter_async_context(open_jobs(conninfo, QUEUE, deliver))
        tasks = [
            asyncio.create_task(jobs.run(WEBHOOK_CONCURRENCY), name="webhook worker"),
            asyncio.create_task(_dispatch(store, jobs, now_us), name="webhook dispatcher"),
        ]
        try:
            yield
        finally:
            for task in reversed(tasks):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


async def _dispatch(store: LedgerStore, jobs: JobRunner, now_us: Callable[[], int]) -> None:
    while True:
        try:
            await jobs.free_stalled()
            for due in await store.webhooks.due(now_us(), MAX_WEBHOOKS_DUE):
                await jobs.defer(json.dumps([due.ledger_id, due.name]))
        except (StorageError, DatabaseUnavailable) as error:
            _log.warning("webhooks that are due cannot be read: %s", error)
        await asyncio.sleep(WEBHOOK_POLL_MS / 1000)
