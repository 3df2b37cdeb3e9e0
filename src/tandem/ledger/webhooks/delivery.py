"""Delivers a subscription's records in order, and settles each one before the next.

A record that was refused waits and is tried again; the ones after it wait with it. After the last
attempt it is a dead letter and the next one's turn comes. When so many in a row die that it is the
receiver and not the record, the webhook is paused. Nothing is settled before it was delivered, so
a crash repeats and never skips.
"""

import logging
from collections.abc import Callable
from typing import Final

from pydantic import TypeAdapter

from tandem.ledger import api
from tandem.ledger.core.canonical import decode
from tandem.ledger.core.limits import (
    DEAD_LETTERS_TO_PAUSE,
    WEBHOOK_ATTEMPTS,
    WEBHOOK_FIRST_PAUSE_S,
    WEBHOOK_LONGEST_PAUSE_S,
    WEBHOOK_PAGE_SIZE,
    WEBHOOK_RECORDS_PER_JOB,
)
from tandem.ledger.core.records import Record
from tandem.ledger.storage.port import LedgerStore
from tandem.ledger.storage.webhooks import Letter, Subscription, WebhookStore
from tandem.ledger.views import record_view
from tandem.platform.webhooks.sealing import SealBroken, SecretBox
from tandem.platform.webhooks.sending import Outcome, Sender
from tandem.platform.webhooks.signing import sign
from tandem.resilience.backoff import full_jitter_s

_log: Final = logging.getLogger(__name__)
_RECORD: Final = TypeAdapter(api.Record)
_MICROSECONDS: Final = 1_000_000


def message_id(subscription: Subscription, position: int) -> str:
    """Name a message: the same at every attempt, and after a crash."""
    return f"rec_{subscription.ledger_id}_{subscription.name}_{position}"


def message_body(ledger: str, record: Record) -> bytes:
    """Write a message: `{"type": "record.<kind>", "timestamp", "data": {"ledger", "record"}}`."""
    view = record_view(record)
    body = _RECORD.dump_json(view, exclude_none=True, exclude={"replayed"})
    start = f'{{"type":"record.{record.kind}","timestamp":"{view.recorded_at.isoformat()}",'
    return f'{start}"data":{{"ledger":"{ledger}","record":'.encode() + body + b"}}"


class Deliverer:
    """Delivers from a store through a sender. `chance` draws the jitter of retries."""

    def __init__(
        self,
        store: LedgerStore,
        box: SecretBox,
        sender: Sender,
        now_us: Callable[[], int],
        chance: Callable[[], float],
    ) -> None:
        self._store = store
        self._webhooks: WebhookStore = store.webhooks
        self._box = box
        self._sender = sender
        self._now_us = now_us
        self._chance = chance
        self._names: dict[int, str] = {}

    async def deliver(self, ledger_id: int, name: str) -> None:
        """Deliver what is due, as far as it goes and up to a bound. Raises StorageError."""
        subscription = await self._webhooks.get(ledger_id, name)
        if subscription is None or not subscription.active:
            return
        await self._resend(subscription)
        sent = 0
        while sent < WEBHOOK_RECORDS_PER_JOB:
            if subscription.next_attempt_at_us > self._now_us():
                return
            after = subscription.position
            bodies = await self._store.bodies(ledger_id, after, WEBHOOK_PAGE_SIZE)
            if not bodies:
                return
            moved = await self._deliver_page(subscription, [decode(body) for body in bodies])
            if moved is None:
                return
            subscription = moved
            sent += len(bodies)

    async def _deliver_page(
        self, subscription: Subscription, records: list[Record]
    ) -> Subscription | None:
        """Deliver records; None where something stopped it."""
        at = subscription
        for record in records:
            if at.kinds and record.kind not in at.kinds:
                continue
            moved, letter = await self._attempt(at, record)
            if not await self._webhooks.settle(at, moved, letter):
                return None  # deleted, resumed, or in the hands of another deliverer
            if moved.position < record.position or not moved.active:
                return None
            at = moved
        last = records[-1].position
        if at.position == last:
            return at
        # Nothing of the page's end was wanted.
        moved = at._replace(position=last)
        return moved if await self._webhooks.settle(at, moved) else None

    async def _attempt(
        self, subscription: Subscription, record: Record
    ) -> tuple[Subscription, Letter | None]:
        """Send a record once; give the subscription as it then is, and a letter if it died."""
        outcome = await self._send(subscription, record)
        if outcome.error is None:
            moved = subscription._replace(
                position=record.position,
                attempts=0,
                next_attempt_at_us=0,
                dead_in_a_row=0,
                last_error=None,
            )
            return moved, None
        attempts = subscription.attempts + 1
        failed = subscription._replace(attempts=attempts, last_error=outcome.error)
        if outcome.gone:
            return failed._replace(active=False), None
        if attempts < WEBHOOK_ATTEMPTS:
            pause_us = int(self._pause_s(attempts, outcome) * _MICROSECONDS)
            return failed._replace(next_attempt_at_us=self._now_us() + pause_us), None
        dead = subscription.dead_in_a_row + 1
        letter = Letter(record.position, attempts, outcome.error, self._now_us())
        _log.warning("webhook %s: record %d is dead", subscription.name, record.position)
        moved = failed._replace(
            position=record.position,
            attempts=0,
            next_attempt_at_us=0,
            dead_in_a_row=dead,
            active=dead < DEAD_LETTERS_TO_PAUSE,
        )
        return moved, letter

    def _pause_s(self, attempts: int, outcome: Outcome) -> float:
        jittered_s = full_jitter_s(
            attempts, self._chance, base_s=WEBHOOK_FIRST_PAUSE_S, cap_s=WEBHOOK_LONGEST_PAUSE_S
        )
        return max(jittered_s, outcome.retry_after_s or 0.0)

    async def _send(self, subscription: Subscription, record: Record) -> Outcome:
        owner = f"{subscription.ledger_id}/{subscription.name}"
        try:
            keys = [self._box.open(sealed, owner) for sealed in subscription.secrets]
        except SealBroken as error:
            return Outcome(str(error))
        body = message_body(await self._ledger_name(subscription.ledger_id), record)
        identity = message_id(subscription, record.position)
        headers = sign(keys, identity, self._now_us() // _MICROSECONDS, body)
        return await self._sender.send(subscription.url, headers, body)

    async def _resend(self, subscription: Subscription) -> None:
        """Try dead letters that were asked for once more."""
        owner = subscription.ledger_id, subscription.name
        for letter in await self._webhooks.resending(*owner, WEBHOOK_PAGE_SIZE):
            bodies = await self._store.bodies(subscription.ledger_id, letter.position - 1, 1)
            outcome = await self._send(subscription, decode(bodies[0]))
            if outcome.error is None:
                await self._webhooks.remove_letter(*owner, letter.position)
                continue
            tried = letter._replace(
                attempts=letter.attempts + 1,
                error=outcome.error,
                died_at_us=self._now_us(),
                resending=False,
            )
            await self._webhooks.change_letter(*owner, tried)

    async def _ledger_name(self, ledger_id: int) -> str:
        if ledger_id not in self._names:
            self._names = {head.ledger_id: head.name for head in await self._store.heads()}
        return self._names[ledger_id]
