"""`tandem ledger webhooks …`: look after subscriptions and their dead letters."""

# ruff: noqa: PLC0415 - each command imports what it needs when it runs, so that help is quick
import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tandem.cli_kit import DataDirectory, LedgerName
from tandem.platform.errors import PlatformError

if TYPE_CHECKING:
    from tandem.ledger.api import Webhook, Webhooks

webhooks_app = typer.Typer(
    help="Send records to subscribers: make, list and look after webhooks.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="The webhook's name.")]


@webhooks_app.command("list")
def list_webhooks(ledger: LedgerName = None, data_directory: DataDirectory = None) -> None:
    """List the webhooks: state, position, failed attempts, dead letters, URL."""

    async def show(webhooks: "Webhooks") -> None:
        for one in await webhooks.subscriptions():
            typer.echo(
                f"{one.name}  {one.status}  at {one.position}  failed {one.attempts}  "
                f"dead {one.dead_letters}  {one.url}{_error(one)}"
            )

    _with_webhooks(ledger, data_directory, show)


@webhooks_app.command("put")
def put_webhook(
    name: Name,
    url: Annotated[str, typer.Argument(help="Where to send.")],
    kind: Annotated[list[str] | None, typer.Option(help="A kind of record; all without.")] = None,
    after: Annotated[int | None, typer.Option(help="Begin after this position (now).")] = None,
    ledger: LedgerName = None,
    data_directory: DataDirectory = None,
) -> None:
    """Make a webhook and print its secret, which cannot be shown again; or change its URL."""

    async def put(webhooks: "Webhooks") -> None:
        made = await webhooks.put(name, url=url, kinds=kind or [], after=after)
        typer.echo(made.secret or f"{name} is changed")

    _with_webhooks(ledger, data_directory, put)


@webhooks_app.command("delete")
def delete_webhook(
    name: Name, ledger: LedgerName = None, data_directory: DataDirectory = None
) -> None:
    """End a webhook, its secrets and its dead letters."""
    _with_webhooks(ledger, data_directory, lambda webhooks: webhooks.delete(name))


@webhooks_app.command("rotate")
def rotate_secret(
    name: Name, ledger: LedgerName = None, data_directory: DataDirectory = None
) -> None:
    """Print a new secret; messages are signed with it and the last one."""

    async def rotate(webhooks: "Webhooks") -> None:
        typer.echo((await webhooks.rotate_secret(name)).secret)

    _with_webhooks(ledger, data_directory, rotate)


@webhooks_app.command("resume")
def resume_webhook(
    name: Name, ledger: LedgerName = None, data_directory: DataDirectory = None
) -> None:
    """Go on at once, paused or waiting for the next attempt."""

    async def resume(webhooks: "Webhooks") -> None:
        await webhooks.resume(name)

    _with_webhooks(ledger, data_directory, resume)


@webhooks_app.command("dead-letters")
def list_dead_letters(
    name: Name,
    after: Annotated[int, typer.Option(help="List those after this position.")] = 0,
    ledger: LedgerName = None,
    data_directory: DataDirectory = None,
) -> None:
    """List records that could not be delivered, a page at a time."""

    async def show(webhooks: "Webhooks") -> None:
        for one in await webhooks.dead_letters(name, after=after):
            state = "  to be sent again" if one.resending else ""
            typer.echo(
                f"{one.position}  {one.died_at:%Y-%m-%d %H:%M:%S}  "
                f"attempts {one.attempts}  {one.error}{state}"
            )

    _with_webhooks(ledger, data_directory, show)


@webhooks_app.command("resend")
def resend_dead_letter(
    name: Name,
    position: Annotated[int, typer.Argument(help="The dead letter's position.")],
    ledger: LedgerName = None,
    data_directory: DataDirectory = None,
) -> None:
    """Try a dead letter once more."""
    _with_webhooks(ledger, data_directory, lambda webhooks: webhooks.resend(name, position))


def _error(webhook: "Webhook") -> str:
    return "" if webhook.last_error is None else f"  ({webhook.last_error})"


def _with_webhooks(
    ledger: str | None, data_directory: Path | None, work: Callable[["Webhooks"], Awaitable[None]]
) -> None:
    from tandem.ledger.api import Refused
    from tandem.ledger.embedded import open_service
    from tandem.platform.config import load_settings
    from tandem.platform.telemetry import configure_logging
    from tandem.server import open_database, read_webhook_key

    settings = load_settings(data_directory=data_directory, ledger=ledger)
    configure_logging(settings.log_level, settings.log_format)

    async def run() -> None:
        key = read_webhook_key(settings)
        async with (
            open_database(settings) as conninfo,
            open_service(conninfo, webhook_key=key) as service,
        ):
            try:
                await work((await service.ledger(settings.ledger)).webhooks)
            except Refused as error:
                raise PlatformError(str(error)) from error

    asyncio.run(run())
