"""Routes of webhooks. All of them can be repeated without harm, so none takes a key."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.responses import Response

from tandem.ledger.core.limits import DEFAULT_PAGE_SIZE
from tandem.ledger.http.bodies import Body
from tandem.ledger.local import LocalLedger
from tandem.ledger.webhooks.api import DeadLetter, Webhook
from tandem.platform.auth import Require

_WEBHOOK = TypeAdapter(Webhook)
Name = Annotated[str, Path(description="The webhook's name, chosen by you.")]


class WebhookBody(Body):
    """Where to send which records; `after` and `secret` count for a new webhook only."""

    url: str
    kinds: tuple[str, ...] = Field(default=(), strict=False)
    after: int | None = None
    secret: str | None = None


class SecretBody(Body):
    """A new secret; without one a fresh one is made, and another at each repetition."""

    secret: str | None = None


class WebhookList(BaseModel):
    """The webhooks of a ledger by name."""

    items: tuple[Webhook, ...]


class DeadLetterList(BaseModel):
    """Dead letters in order."""

    items: tuple[DeadLetter, ...]


class LettersAfter(BaseModel):
    """Which dead letters to list."""

    model_config = ConfigDict(extra="forbid")

    after: int = 0
    limit: int = DEFAULT_PAGE_SIZE


def add_webhooks(router: APIRouter, require: Require, ledger: Any) -> None:
    """Add the routes; who may change webhooks can send records anywhere, so it takes `admin`."""
    one = APIRouter(prefix="/webhooks", tags=["webhooks"])
    _add_subscriptions(one, require, ledger)
    _add_letters(one, require, ledger)
    router.include_router(one)


def _add_subscriptions(router: APIRouter, require: Require, ledger: Any) -> None:
    guarded = [Depends(require("admin"))]
    Ledger = Annotated[LocalLedger, Depends(ledger)]  # noqa: N806 - a type

    @router.get("", dependencies=[Depends(require("read"))], response_model=WebhookList)
    async def list_webhooks(ledger: Ledger) -> Response:
        """List the webhooks by name."""
        return _written(WebhookList(items=await ledger.webhooks.subscriptions()))

    @router.put("/{name}", dependencies=guarded, response_model=Webhook)
    async def put_webhook(ledger: Ledger, name: Name, body: WebhookBody) -> Response:
        """Make a webhook, or change the URL and kinds of the one of that name."""
        return _shown(await ledger.webhooks.put(name, **dict(body)))

    @router.delete("/{name}", dependencies=guarded, status_code=200)
    async def delete_webhook(ledger: Ledger, name: Name) -> dict[str, str]:
        """End a webhook, its secrets and its dead letters."""
        await ledger.webhooks.delete(name)
        return {"name": name}

    @router.put("/{name}/secret", dependencies=guarded, response_model=Webhook)
    async def rotate_secret(ledger: Ledger, name: Name, body: SecretBody) -> Response:
        """Sign with a new secret and, beside it, the last one; older ones end."""
        return _shown(await ledger.webhooks.rotate_secret(name, secret=body.secret))

    @router.post("/{name}/resumption", dependencies=guarded, response_model=Webhook)
    async def resume_webhook(ledger: Ledger, name: Name) -> Response:
        """Go on at once, paused or waiting for the next attempt."""
        return _shown(await ledger.webhooks.resume(name))


def _add_letters(router: APIRouter, require: Require, ledger: Any) -> None:
    Ledger = Annotated[LocalLedger, Depends(ledger)]  # noqa: N806 - a type

    @router.get(
        "/{name}/dead-letters",
        dependencies=[Depends(require("read"))],
        response_model=DeadLetterList,
    )
    async def list_dead_letters(
        ledger: Ledger, name: Name, chosen: Annotated[LettersAfter, Query()]
    ) -> Response:
        """List dead letters after a position."""
        found = await ledger.webhooks.dead_letters(name, after=chosen.after, limit=chosen.limit)
        return _written(DeadLetterList(items=found))

    @router.post(
        "/{name}/dead-letters/{position}/resending", dependencies=[Depends(require("admin"))]
    )
    async def resend_dead_letter(ledger: Ledger, name: Name, position: int) -> dict[str, int]:
        """Try a dead letter once more; it is gone when it is delivered."""
        await ledger.webhooks.resend(name, position)
        return {"position": position}


def _shown(webhook: Webhook) -> Response:
    body = _WEBHOOK.dump_json(webhook, exclude_none=True)
    return Response(body, 200, media_type="application/json")


def _written(value: BaseModel) -> Response:
    return Response(value.model_dump_json(exclude_none=True), 200, media_type="application/json")
