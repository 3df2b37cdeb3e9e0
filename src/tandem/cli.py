"""The command line. Each command imports what it needs when it runs, so that help is quick."""

# ruff: noqa: PLC0415 - see above
import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from tandem import cli_exchange, cli_log
from tandem.cli_kit import DataDirectory
from tandem.cli_webhooks import webhooks_app
from tandem.platform.errors import PlatformError, SettingsError
from tandem.platform.processes import end_process

if TYPE_CHECKING:
    from tandem.platform.auth import ApiKeys
    from tandem.platform.config import Settings

_EXIT_FAILED = 1
_EXIT_MISUSED = 2

app = typer.Typer(
    help="Tandem: a double-entry ledger and a bicycle-routing gateway.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
keys_app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
ledger_app = typer.Typer(help="Look after ledgers.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
app.add_typer(ledger_app, name="ledger")
ledger_app.add_typer(webhooks_app, name="webhooks")


def main() -> None:
    """Run the command line; what is expected to go wrong is one line and an exit code."""
    try:
        app()
    except SettingsError as error:
        _fail(error, _EXIT_MISUSED)
    except PlatformError as error:
        _fail(error, _EXIT_FAILED)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Loopback address (127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(help="Port (8650); 0 takes a free one.")] = None,
    data_directory: DataDirectory = None,
    ledger: Annotated[str | None, typer.Option(help="Ledger opened at start (main).")] = None,
    work: Annotated[
        bool, typer.Option("--work", help="Deliver webhooks and work off jobs too.")
    ] = False,
) -> None:
    """Serve the ledger and routing APIs on loopback until Ctrl-C."""
    from tandem.server import serve as serve_until_stopped

    settings = _settings(host=host, port=port, data_directory=data_directory, ledger=ledger)
    _run(serve_until_stopped(settings, _announce, worker=work))
    end_process(0)


@app.command()
def work(data_directory: DataDirectory = None) -> None:
    """Deliver webhooks and work off routing jobs until Ctrl-C; any number of workers may run."""
    from tandem.server import work as work_until_stopped

    settings = _settings(data_directory=data_directory)
    _run(
        work_until_stopped(
            settings, lambda: typer.echo("Tandem delivers webhooks and works off routing jobs")
        )
    )
    end_process(0)


@app.command()
def demo(
    stay: Annotated[bool, typer.Option(help="Leave everything up at the end.")] = False,
    seed: Annotated[int, typer.Option(help="Which day it is; one seed gives one day.")] = 1,
    deliveries: Annotated[int, typer.Option(min=1, max=10_000)] = 300,
) -> None:
    """Run a courier day end to end, on real processes."""
    from tandem.courier.demo import run_demo

    raise typer.Exit(run_demo(seed=seed, deliveries=deliveries, stay=stay))


@app.command()
def sandbox(
    valhalla_url: Annotated[
        str | None, typer.Option(help="Base URL of the Valhalla behind it; its own by default.")
    ] = None,
    port: Annotated[int, typer.Option(help="Port on loopback.")] = 8651,
    seed: Annotated[int, typer.Option(help="Seed of its faults and latencies.")] = 1,
    plan: Annotated[
        str, typer.Option(help="Plan of the client that is made up: starter, standard, business.")
    ] = "business",
    faults: Annotated[
        Path | None, typer.Option(help="JSON file of what goes wrong from the start.")
    ] = None,
    data_directory: DataDirectory = None,
) -> None:
    """Serve the Bikemap stand-in on loopback until Ctrl-C."""
    from tandem.platform.config import load_settings
    from tandem.sandbox.main import Choices, run

    engine = load_settings(data_directory=data_directory).data_directory / "engine"
    run(Choices(port, seed, plan, faults, valhalla_url, engine))
    end_process(0)


@keys_app.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    permission: Annotated[
        list[str] | None, typer.Option(help="read, write, override_limits, route, admin.")
    ] = None,
    data_directory: DataDirectory = None,
) -> None:
    """Make a key and print its token, which cannot be shown again."""
    from tandem.platform.auth import Permission

    try:
        granted = [Permission(given) for given in permission or ["read"]]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error

    async def create(keys: "ApiKeys") -> None:
        typer.echo(await keys.create_key(name, granted))

    _with_keys(data_directory, create)


@keys_app.command("list")
def list_keys(data_directory: DataDirectory = None) -> None:
    """List every key ever made."""

    async def show(keys: "ApiKeys") -> None:
        for key in await keys.list_keys():
            state = "in use" if key.revoked_at is None else f"revoked {key.revoked_at:%Y-%m-%d}"
            may = ",".join(sorted(key.permissions))
            typer.echo(f"{key.key_id}  {key.created_at:%Y-%m-%d}  {state}  {may}  {key.name}")

    _with_keys(data_directory, show)


@keys_app.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="The part between the underscores.")],
    data_directory: DataDirectory = None,
) -> None:
    """End a key; servers notice within seconds."""

    async def revoke(keys: "ApiKeys") -> None:
        if not await keys.revoke_key(key_id):
            raise PlatformError(f"no key {key_id} is in use")

    _with_keys(data_directory, revoke)


def _announce(url: str, first_key: str | None) -> None:
    typer.echo(f"Tandem listens on {url}  (try {url}/docs)")
    if first_key is not None:
        typer.echo(f"API key, shown only this once: {first_key}")
    sys.stdout.flush()


def _settings(**options: object) -> "Settings":
    from tandem.platform.config import load_settings
    from tandem.platform.telemetry import configure_logging

    settings = load_settings(**options)
    configure_logging(settings.log_level, settings.log_format)
    return settings


def _run[T](work: Coroutine[Any, Any, T]) -> T:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


def _with_keys(data_directory: Path | None, work: Callable[["ApiKeys"], Awaitable[None]]) -> None:
    from tandem.server import open_database, open_keys

    settings = _settings(data_directory=data_directory)

    async def run() -> None:
        async with open_database(settings) as conninfo, open_keys(conninfo) as (keys, _pool):
            await work(keys)

    _run(run())


cli_exchange.register(ledger_app, _settings, _run)
cli_log.register(ledger_app, _settings, _run)


def _fail(error: Exception, exit_code: int) -> NoReturn:
    typer.echo(f"tandem: {error}", err=True)
    end_process(exit_code)


if __name__ == "__main__":
    main()
