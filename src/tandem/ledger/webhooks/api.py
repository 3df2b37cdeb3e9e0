"""The interface of webhooks: what `ledger.webhooks` is, in process and over HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from tandem.ledger.core.kinds import RecordKind


class WebhookStatus(StrEnum):
    """A paused webhook sends nothing until it is resumed, and then goes on where it was."""

    ACTIVE = "active"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A subscription to a ledger's records. `secret` is given only where it was just set.

    `position` is what is settled: delivered, or dead. No `kinds` is all of them. `attempts` are
    those of the record after `position` that failed.
    """

    name: str
    url: str
    status: WebhookStatus
    position: int
    created_at: datetime
    kinds: tuple[RecordKind, ...] = ()
    attempts: int = 0
    dead_letters: int = 0
    next_attempt_at: datetime | None = None
    last_error: str | None = None
    secret: str | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record whose every attempt failed. `resending` is True until a resend has been tried."""

    position: int
    attempts: int
    error: str
    died_at: datetime
    resending: bool = False


class Webhooks(Protocol):
    """The webhooks of a ledger. Every call can be repeated without harm. They raise `Refused`."""

    async def put(
        self,
        name: str,
        *,
        url: str,
        kinds: Sequence[RecordKind | str] = (),
        after: int | None = None,
        secret: str | None = None,
    ) -> Webhook:
        """Make a webhook, or change the URL and kinds of the one of that name.

        A new one begins after the position `after` (None: with what comes from now on) and has the
        secret given or a fresh one, which only this answer shows. Both are ignored by a change.
        """
        ...

    async def subscriptions(self) -> tuple[Webhook, ...]:
        """List the webhooks by name."""
        ...

    async def delete(self, name: str) -> None:
        """End a webhook, its secrets and dead letters; there need not be one."""
        ...

    async def rotate_secret(self, name: str, *, secret: str | None = None) -> Webhook:
        """Sign with a new secret and, beside it, the last one; older ones end."""
        ...

    async def resume(self, name: str) -> Webhook:
        """Go on at once, paused or waiting for the next attempt."""
        ...

    async def dead_letters(
        self, name: str, *, after: int = 0, limit: int = 100
    ) -> tuple[DeadLetter, ...]:
        """List dead letters after a position."""
        ...

    async def resend(self, name: str, position: int) -> None:
        """Try a dead letter once more; it is gone when it is delivered."""
        ...
