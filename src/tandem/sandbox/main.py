"""The sandbox as a process on loopback."""

import asyncio
import os
import secrets
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import typer
from pydantic import ValidationError

from tandem.platform.engine.engine import ValhallaEngine
from tandem.platform.engine.tiles import prepare_engine
from tandem.platform.http.serving import HttpServer
from tandem.platform.telemetry import configure_logging
from tandem.platform.webhooks.signing import write_secret
from tandem.sandbox import limits
from tandem.sandbox.app import SandboxConfig, open_sandbox
from tandem.sandbox.faults import FaultPlan
from tandem.sandbox.keys import Client, ConfigurationError, parse_clients
from tandem.sandbox.metering import PLANS

CLIENTS_VARIABLE: Final = "TANDEM_SANDBOX_CLIENTS"
ADMIN_TOKEN_VARIABLE: Final = "TANDEM_SANDBOX_ADMIN_TOKEN"  # noqa: S105 - a name, not a token
_HOST: Final = "127.0.0.1"
_SECRET_BYTES: Final = 32
_DEFAULT_CLIENT_ID: Final = "demo"
_DEFAULT_PLAN: Final = "business"


@dataclass(frozen=True, slots=True)
class Choices:
    """What the command line says; `port` 0 takes a free one.

    `plan` is of the client that is made up, `faults` a file of a fault plan. Without a
    `valhalla_url` an engine of its own is kept in `engine_directory`.
    """

    port: int
    seed: int
    plan: str
    faults: Path | None
    valhalla_url: str | None
    engine_directory: Path


def run(choices: Choices) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP.

    `TANDEM_SANDBOX_CLIENTS` (JSON, see `keys.parse_clients`) and `TANDEM_SANDBOX_ADMIN_TOKEN` say
    who may come in; what is not set is made up, and printed once.

    Raises:
        ConfigurationError: The environment, the plan or the faults do not make sense.
        ProcessError: The port cannot be had.
        EngineError: The engine cannot be had.
    """
    configure_logging()
    plan = _read_faults(choices.faults)
    with _engine(choices) as valhalla_url:
        config, made_up = configure(
            os.environ, valhalla_url=valhalla_url, seed=choices.seed, plan=choices.plan
        )

        def announce(url: str) -> None:
            typer.echo(f"The Bikemap stand-in listens on {url}")
            for line in made_up:
                typer.echo(line)

        with asyncio.Runner() as runner:
            runner.run(_serve(replace(config, faults=plan), choices.port, announce))


@contextmanager
def _engine(choices: Choices) -> Iterator[str]:
    if choices.valhalla_url is not None:
        yield choices.valhalla_url
        return
    tiles = prepare_engine(choices.engine_directory)
    with (
        tempfile.TemporaryDirectory(prefix="tandem-sandbox-") as directory,
        ValhallaEngine(tiles, Path(directory)) as engine,
    ):
        yield engine.url


def _read_faults(path: Path | None) -> FaultPlan:
    if path is None:
        return FaultPlan()
    try:
        return FaultPlan.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise ConfigurationError(f"{path}: {where}: {first['msg']}") from error


def configure(
    environment: Mapping[str, str],
    *,
    valhalla_url: str,
    seed: int,
    plan: str = _DEFAULT_PLAN,
    new_secret: Callable[[], str] = lambda: secrets.token_urlsafe(_SECRET_BYTES),
    new_key: Callable[[], bytes] = lambda: secrets.token_bytes(_SECRET_BYTES),
) -> tuple[SandboxConfig, list[str]]:
    """Read the configuration; return with it the lines that tell what had to be made up.

    Raises:
        ConfigurationError: The environment does not make sense.
    """
    made_up: list[str] = []
    clients_text = environment.get(CLIENTS_VARIABLE)
    if clients_text:
        clients = parse_clients(clients_text)
    else:
        secret, webhook_secret = new_secret(), write_secret(new_key())
        if plan not in PLANS:
            raise ConfigurationError(f"the plans are {', '.join(PLANS)}")
        clients = (Client(_DEFAULT_CLIENT_ID, (secret,), PLANS[plan], (webhook_secret,)),)
        made_up.append(f"client_id={_DEFAULT_CLIENT_ID} client_secret={secret}")
        made_up.append(f"webhook_secret={webhook_secret}")
    admin_token = environment.get(ADMIN_TOKEN_VARIABLE)
    if not admin_token:
        admin_token = new_secret()
        made_up.append(f"admin_token={admin_token}")
    config = SandboxConfig(
        valhalla_url=valhalla_url, clients=clients, admin_token=admin_token, seed=seed
    )
    return config, made_up


async def _serve(config: SandboxConfig, port: int, announce: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    async with (
        open_sandbox(config) as app,
        HttpServer(
            app, host=_HOST, port=port, drain_timeout_s=limits.SERVER_DRAIN_TIMEOUT_S
        ) as server,
    ):
        announce(server.url)
        await server.wait(stop)
