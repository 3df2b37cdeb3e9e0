"""The webhooks of a ledger over HTTP, asynchronous and synchronous."""

import secrets
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Protocol

import httpx2
from pydantic import TypeAdapter

from tandem.ledger.core import intake
from tandem.ledger.core.kinds import RecordKind
from tandem.ledger.core.limits import DEFAULT_PAGE_SIZE, FRESH_WEBHOOK_SECRET_BYTES
from tandem.ledger.synchronous import Waits, blocking
from tandem.ledger.webhooks.api import DeadLetter, Webhook
from tandem.ledger.webhooks.local import check_name
from tandem.ledger.wire import present
from tandem.platform.webhooks.signing import write_secret

_WEBHOOK: Final = TypeAdapter(Webhook)
_WEBHOOKS: Final = TypeAdapter(dict[str, tuple[Webhook, ...]])
_LETTERS: Final = TypeAdapter(dict[str, tuple[DeadLetter, ...]])


class Send(Protocol):
    """Sends a request, again where that can help; raises `Refused`."""

    async def __call__(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        *,
        query: dict[str, Any] | None = None,
    ) -> httpx2.Response:
        """Send and give the answer."""
        ...


class WebhooksClient:
    """Implements `webhooks.api.Webhooks`. Fresh secrets are made here, so that a call repeats."""

    def __init__(self, send: Send, path: str) -> None:
        self._send = send
        self._path = f"{path}/webhooks"

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
        members = {"url": url, "kinds": list(kinds), "after": after, "secret": secret or _fresh()}
        answer = await self._send("PUT", self._one(name), present(**members))
        return _WEBHOOK.validate_json(answer.content)

    async def subscriptions(self) -> tuple[Webhook, ...]:
        """List the webhooks by name."""
        answer = await self._send("GET", self._path, None)
        return _WEBHOOKS.validate_json(answer.content)["items"]

    async def delete(self, name: str) -> None:
        """End a webhook; there need not be one."""
        await self._send("DELETE", self._one(name), None)

    async def rotate_secret(self, name: str, *, secret: str | None = None) -> Webhook:
        """Sign with a new secret and, beside it, the last one."""
        body = {"secret": secret or _fresh()}
        answer = await self._send("PUT", f"{self._one(name)}/secret", body)
        return _WEBHOOK.validate_json(answer.content)

    async def resume(self, name: str) -> Webhook:
        """Go on at once, paused or waiting for the next attempt."""
        answer = await self._send("POST", f"{self._one(name)}/resumption", {})
        return _WEBHOOK.validate_json(answer.content)

    async def dead_letters(
        self, name: str, *, after: int = 0, limit: int = DEFAULT_PAGE_SIZE
    ) -> tuple[DeadLetter, ...]:
        """List dead letters after a position."""
        path = f"{self._one(name)}/dead-letters"
        answer = await self._send("GET", path, None, query={"after": after, "limit": limit})
        return _LETTERS.validate_json(answer.content)["items"]

    async def resend(self, name: str, position: int) -> None:
        """Try a dead letter once more."""
        letter = intake.position(position, "position")
        await self._send("POST", f"{self._one(name)}/dead-letters/{letter}/resending", {})

    def _one(self, name: str) -> str:
        return f"{self._path}/{check_name(name)}"


class SyncWebhooks:
    """`WebhooksClient` for synchronous code."""

    def __init__(self, webhooks: WebhooksClient, wait: Waits) -> None:
        self._webhooks = webhooks
        self._wait = wait

    def run[R](self, call: Callable[[WebhooksClient], Coroutine[Any, Any, R]]) -> R:
        """Run a coroutine of the asynchronous client and wait for it."""
        return self._wait(lambda: call(self._webhooks))

    put = blocking(WebhooksClient.put)
    subscriptions = blocking(WebhooksClient.subscriptions)
    delete = blocking(WebhooksClient.delete)
    rotate_secret = blocking(WebhooksClient.rotate_secret)
    resume = blocking(WebhooksClient.resume)
    dead_letters = blocking(WebhooksClient.dead_letters)
    resend = blocking(WebhooksClient.resend)


def _fresh() -> str:
    return write_secret(secrets.token_bytes(FRESH_WEBHOOK_SECRET_BYTES))
