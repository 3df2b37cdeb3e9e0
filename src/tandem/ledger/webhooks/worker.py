"""The worker: finds webhooks that are due and delivers them, a job each.

What is due stands in our own tables (a cursor behind the head, a retry whose time has come, a dead
letter to send again), so the dispatcher only reads and hints. Any number of workers may run.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from tandem.ledger.core.limits import (
    MAX_WEBHOOKS_DUE,
    WEBHOOK_CONCURRENCY,
    WEBHOOK_POLL_MS,
)
from tandem.ledger.storage.port import StorageError
from tandem.ledger.storage.postgres import open_store
from tandem.ledger.webhooks.delivery import Deliverer
from tandem.platform.config import WebhookReach as Reach
from tandem.platform.database import DatabaseUnavailable, migrate
from tandem.platform.jobs import working_off
from tandem.platform.webhooks.sealing import SecretBox
from tandem.platform.webhooks.sending import open_sender

QUEUE: Final = "webhooks"


@asynccontextmanager
async def working(
    conninfo: str, box: SecretBox, reach: Reach, now_us: Callable[[], int]
) -> AsyncIterator[None]:
    """Deliver webhooks while the context lasts; on the way out lets running deliveries end.

    Brings both schemas up to date. Raises MigrationError and DatabaseUnavailable.
    """
    await asyncio.to_thread(migrate, conninfo, "tandem.ledger.storage:migrations", "ledger")
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(conninfo))
        sender = await stack.enter_async_context(open_sender(reach, 2 * WEBHOOK_CONCURRENCY))
        deliverer = Deliverer(store, box, sender, now_us, random.random)

        async def due() -> Sequence[str]:
            try:
                found = await store.webhooks.due(now_us(), MAX_WEBHOOKS_DUE)
            except StorageError as error:
                raise DatabaseUnavailable(str(error)) from error
            return [json.dumps([one.ledger_id, one.name]) for one in found]

        async def deliver(job: str) -> None:
            ledger_id, name = json.loads(job)
            await deliverer.deliver(ledger_id, name)

        await stack.enter_async_context(
            working_off(
                conninfo,
                QUEUE,
                due,
                deliver,
                concurrency=WEBHOOK_CONCURRENCY,
                poll_s=WEBHOOK_POLL_MS / 1000,
            )
        )
        yield
