"""Tells callers that their jobs have finished: one thin message, signed, until it is taken."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from tandem.platform.webhooks.sealing import SealBroken, SecretBox
from tandem.platform.webhooks.sending import Outcome, Sender
from tandem.platform.webhooks.signing import sign
from tandem.resilience.backoff import Chance
from tandem.routing import limits
from tandem.routing.jobs.core import CallbackState, callback_pause_s
from tandem.routing.storage.jobs.store import DueCallback, JobStore


def message_id(job_id: UUID) -> str:
    """Name a job's message: the same at every attempt, and after a crash."""
    return f"routing_job_{job_id.hex}"


def message_body(job_id: UUID, due: DueCallback) -> bytes:
    """Write `{"type": "routing_job.<state>", "timestamp", "data": {"job_id"}}`, and no more."""
    message = {
        "type": f"routing_job.{due.state}",
        "timestamp": due.finished_at.isoformat(),
        "data": {"job_id": str(job_id)},
    }
    return json.dumps(message, separators=(",", ":")).encode()


class Messenger:
    """Sends messages that are due."""

    def __init__(
        self,
        store: JobStore,
        box: SecretBox,
        sender: Sender,
        now: Callable[[], datetime],
        chance: Chance,
    ) -> None:
        self._store = store
        self._box = box
        self._sender = sender
        self._now = now
        self._chance = chance

    async def work(self, job_id: UUID) -> None:
        """Try once to send a job's message. Sent and not noted, it is sent again."""
        due = await self._store.callback(job_id, self._now())
        if due is None:
            return
        outcome = await self._send(job_id, due)
        state, due_at = CallbackState.DELIVERED, self._now()
        if outcome.error is not None:
            attempts = due.attempts + 1
            is_dead = outcome.gone or attempts >= limits.JOB_CALLBACK_ATTEMPTS
            state = CallbackState.DEAD if is_dead else CallbackState.DUE
            pause_s = callback_pause_s(attempts, outcome.retry_after_s, self._chance)
            due_at += timedelta(seconds=pause_s)
        error = None if outcome.error is None else outcome.error[: limits.JOB_ERROR_CHARS_MAX]
        await self._store.settle_callback(job_id, due.attempts, state, due_at, error)

    async def _send(self, job_id: UUID, due: DueCallback) -> Outcome:
        try:
            key = self._box.open(due.secret, str(job_id))
        except SealBroken as error:
            return Outcome(str(error))
        body = message_body(job_id, due)
        sent_at_s = int(self._now().timestamp())
        return await self._sender.send(
            due.url, sign([key], message_id(job_id), sent_at_s, body), body
        )
