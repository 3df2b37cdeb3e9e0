"""Messages that a job has ended, as Standard Webhooks: at least once, in no order."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from tandem.platform.webhooks.sending import Sender
from tandem.platform.webhooks.signing import read_secret, sign
from tandem.sandbox import limits
from tandem.sandbox.v2.jobs.book import Job

_WRONG_KEY = bytes(32)


class MessageFaults(BaseModel):
    """What goes wrong with messages.

    `drop`: none is sent. `duplicate`: each is sent twice. `wrong_signature`: with a key that nobody
    has. `stale_s`: as if it had been signed so many seconds ago. `reorder`: each waits for the
    next one, and goes after it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    drop: bool = False
    duplicate: bool = False
    wrong_signature: bool = False
    stale_s: int = 0
    reorder: bool = False


class Messenger:
    """Sends messages; `utc_s` tells unix time."""

    def __init__(
        self,
        sender: Sender,
        utc_s: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.faults = MessageFaults()
        self._sender = sender
        self._utc_s = utc_s
        self._sleep = sleep
        self._held: Job | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def spoil(self, faults: MessageFaults) -> None:
        """Make other things go wrong from now on; what was held back for the next one is sent."""
        self.faults = faults
        if not faults.reorder:
            self._release()

    def tell(self, job: Job) -> None:
        """Send the message of a job that has ended, if anybody wants it."""
        if job.submitted.callback_url is None or self.faults.drop:
            return
        if self.faults.reorder and self._held is None:
            self._held = job
            return
        self._start(job)
        self._release()

    def _release(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._start(held)

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send while the context lasts."""
        try:
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, job: Job) -> None:
        for _ in range(2 if self.faults.duplicate else 1):
            if len(self._tasks) < limits.MESSAGES_MAX:
                task = asyncio.create_task(self._deliver(job), name="sandbox message")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _deliver(self, job: Job) -> None:
        """Try until it is taken, or for about a day."""
        for wait_s in limits.MESSAGE_WAITS_S:
            if wait_s:
                await self._sleep(wait_s)
            now_s = int(self._utc_s()) - self.faults.stale_s
            body = _body(job, now_s)
            headers = sign(self._keys(job), f"msg_{job.id}", now_s, body)
            url = str(job.submitted.callback_url)
            outcome = await self._sender.send(url, headers, body)
            if outcome.error is None or outcome.gone:
                return

    def _keys(self, job: Job) -> list[bytes]:
        if self.faults.wrong_signature:
            return [_WRONG_KEY]
        return [read_secret(secret) for secret in job.account.client.webhook_secrets]


def _body(job: Job, sent_at_s: int) -> bytes:
    """Say which job has ended and no more: the receiver is to look at it."""
    sent_at = datetime.fromtimestamp(sent_at_s, UTC).isoformat()
    message = {"type": f"job.{job.status}", "timestamp": sent_at, "data": {"job_id": job.id}}
    return json.dumps(message).encode()
