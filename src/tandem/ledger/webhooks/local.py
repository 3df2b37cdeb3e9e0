"""The webhooks of a ledger in this process; HTTP stands on it too."""

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from tandem.ledger.core.kinds import RecordKind
from tandem.ledger.core.limits import (
    DEFAULT_PAGE_SIZE,
    FRESH_WEBHOOK_SECRET_BYTES,
    MAX_WEBHOOKS_PER_LEDGER,
    WEBHOOK_SECRETS,
)
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused
from tandem.ledger.feed import start_position
from tandem.ledger.listing import page_size
from tandem.ledger.reachable import reachable
from tandem.ledger.storage.port import Head, LedgerStore
from tandem.ledger.storage.webhooks import Letter, Subscription
from tandem.ledger.times import from_us
from tandem.ledger.webhooks.api import DeadLetter, Webhook, WebhookStatus
from tandem.platform.webhooks import addresses
from tandem.platform.webhooks.sealing import SealBroken, SecretBox
from tandem.platform.webhooks.signing import SecretMalformed, read_secret, write_secret

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.ASCII)


def check_name(name: object) -> str:
    """Check a webhook's name; raises `Refused`."""
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    detail = "a webhook's name is 1 to 63 of a-z, 0-9, - and _, not beginning with the last two"
    raise Refused(Refusal(RefusalCode.MALFORMED, detail, "name"))


def check_url(url: object) -> str:
    """Check the shape of a webhook's URL; raises `Refused`."""
    try:
        return addresses.check_url(url)
    except addresses.UrlMalformed as error:
        raise Refused(Refusal(RefusalCode.MALFORMED, str(error), "url")) from error


def check_kinds(kinds: object) -> tuple[RecordKind, ...]:
    """Check kinds of records; raises `Refused`."""
    try:
        if isinstance(kinds, Sequence) and not isinstance(kinds, str):
            return tuple(sorted({RecordKind(kind) for kind in kinds}))
    except ValueError:
        pass
    raise Refused(Refusal(RefusalCode.MALFORMED, "not a list of kinds of records", "kinds"))


class LocalWebhooks:
    """Implements `webhooks.api.Webhooks` over the store. Without a box no secret can be kept."""

    def __init__(
        self, store: LedgerStore, head: Head, box: SecretBox | None, now_us: Callable[[], int]
    ) -> None:
        self._store = store.webhooks
        self._ledgers = store
        self._ledger_id = head.ledger_id
        self._ledger = head.name
        self._box = box
        self._now_us = now_us

    @reachable
    async def put(
        self,
        name: str,
        *,
        url: str,
        kinds: Sequence[RecordKind | str] = (),
        after: int | None = None,
        secret: str | None = None,
    ) -> Webhook:
        """Make a webhook, or change the URL and kinds of the one of that name."""
        key = self._fresh_key(secret)
        fresh = Subscription(
            ledger_id=self._ledger_id,
            name=check_name(name),
            url=check_url(url),
            kinds=check_kinds(kinds),
            secrets=(self._seal(key, name),),
            active=True,
            position=await self._start(after),
            attempts=0,
            next_attempt_at_us=0,
            dead_in_a_row=0,
            last_error=None,
            created_at_us=self._now_us(),
        )
        put = await self._store.put(fresh, MAX_WEBHOOKS_PER_LEDGER)
        if put is None:
            detail = f"a ledger has at most {MAX_WEBHOOKS_PER_LEDGER} webhooks"
            raise Refused(Refusal(RefusalCode.TOO_LARGE, detail, "name"))
        made = put.secrets == fresh.secrets
        return replace(await self._shown(name), secret=write_secret(key) if made else None)

    async def _start(self, after: int | None) -> int:
        head = await self._ledgers.head(self._ledger)
        assert head is not None
        if after is None:
            return head.position
        if start_position(after) <= head.position:
            return after
        raise Refused(Refusal(RefusalCode.MALFORMED, f"the log ends at {head.position}", "after"))

    @reachable
    async def subscriptions(self) -> tuple[Webhook, ...]:
        """List the webhooks by name."""
        return tuple(_view(one, dead) for one, dead in await self._store.all(self._ledger_id))

    @reachable
    async def delete(self, name: str) -> None:
        """End a webhook; there need not be one."""
        await self._store.delete(self._ledger_id, check_name(name))

    @reachable
    async def rotate_secret(self, name: str, *, secret: str | None = None) -> Webhook:
        """Sign with a new secret and, beside it, the last one. A secret in use changes nothing."""
        there = await self._there(name)
        key = self._fresh_key(secret)
        box, owner = self._opened_box(), self._owner(name)
        try:
            newest = box.open(there.secrets[0], owner)
        except SealBroken:
            newest = None
        if newest != key:
            kept = there.secrets[: WEBHOOK_SECRETS - 1] if newest is not None else ()
            sealed = (box.seal(key, owner), *kept)
            await self._store.change_secrets(self._ledger_id, name, sealed)
        return replace(await self._shown(name), secret=write_secret(key))

    @reachable
    async def resume(self, name: str) -> Webhook:
        """Go on at once, paused or waiting for the next attempt."""
        there = await self._there(name)
        going = there._replace(active=True, attempts=0, next_attempt_at_us=0, dead_in_a_row=0)
        await self._store.settle(there, going)  # where that fails, it is moving by itself
        return await self._shown(name)

    @reachable
    async def dead_letters(
        self, name: str, *, after: int = 0, limit: int = DEFAULT_PAGE_SIZE
    ) -> tuple[DeadLetter, ...]:
        """List dead letters after a position."""
        position, size = start_position(after), page_size(limit)
        await self._there(name)
        letters = await self._store.letters(self._ledger_id, name, position, size)
        return tuple(map(_letter_view, letters))

    @reachable
    async def resend(self, name: str, position: int) -> None:
        """Try a dead letter once more."""
        await self._there(name)
        letter = await self._store.letter(self._ledger_id, name, position)
        if letter is None:
            detail = f"{position} is no dead letter of {name}"
            raise Refused(Refusal(RefusalCode.WEBHOOK_NOT_FOUND, detail, "position"))
        resending = letter._replace(resending=True)
        await self._store.change_letter(self._ledger_id, name, resending)

    async def _there(self, name: str) -> Subscription:
        found = await self._store.get(self._ledger_id, check_name(name))
        if found is None:
            raise Refused(Refusal(RefusalCode.WEBHOOK_NOT_FOUND, f"no webhook {name}", "name"))
        return found

    async def _shown(self, name: str) -> Webhook:
        for one, dead_letters in await self._store.all(self._ledger_id):
            if one.name == name:
                return _view(one, dead_letters)
        raise Refused(Refusal(RefusalCode.WEBHOOK_NOT_FOUND, f"no webhook {name}", "name"))

    def _owner(self, name: str) -> str:
        return f"{self._ledger_id}/{name}"

    def _opened_box(self) -> SecretBox:
        if self._box is None:
            detail = "this process has no key to seal secrets with"
            raise Refused(Refusal(RefusalCode.UNAVAILABLE, detail))
        return self._box

    def _seal(self, key: bytes, name: str) -> bytes:
        return self._opened_box().seal(key, self._owner(name))

    def _fresh_key(self, secret: str | None) -> bytes:
        if secret is None:
            return secrets.token_bytes(FRESH_WEBHOOK_SECRET_BYTES)
        try:
            return read_secret(secret)
        except SecretMalformed as error:
            raise Refused(Refusal(RefusalCode.MALFORMED, str(error), "secret")) from error


def _view(subscription: Subscription, dead_letters: int) -> Webhook:
    waits = subscription.next_attempt_at_us
    return Webhook(
        name=subscription.name,
        url=subscription.url,
        status=WebhookStatus.ACTIVE if subscription.active else WebhookStatus.PAUSED,
        position=subscription.position,
        created_at=from_us(subscription.created_at_us),
        kinds=tuple(map(RecordKind, subscription.kinds)),
        attempts=subscription.attempts,
        dead_letters=dead_letters,
        next_attempt_at=from_us(waits) if waits else None,
        last_error=subscription.last_error,
    )


def _letter_view(letter: Letter) -> DeadLetter:
    died_at = from_us(letter.died_at_us)
    return DeadLetter(letter.position, letter.attempts, letter.error, died_at, letter.resending)
