"""The sandbox as a process on loopback."""

import asyncio
import os
import secrets
import signal
from collections.abc import Callable, Mapping
from typing import Final

import typer

from tandem.platform.http.serving import HttpServer
from tandem.platform.telemetry import configure_logging
from tandem.platform.webhooks.signing import write_secret
from tandem.sandbox import limits
from tandem.sandbox.app import SandboxConfig, open_sandbox
from tandem.sandbox.keys import Client, parse_clients
from tandem.sandbox.metering import PLANS

CLIENTS_VARIABLE: Final = "TANDEM_SANDBOX_CLIENTS"
ADMIN_TOKEN_VARIABLE: Final = "TANDEM_SANDBOX_ADMIN_TOKEN"  # noqa: S105 - a name, not a token
_HOST: Final = "127.0.0.1"
_SECRET_BYTES: Final = 32
_DEFAULT_CLIENT_ID: Final = "demo"
_DEFAULT_PLAN: Final = "business"


def run(*, port: int, valhalla_url: str, seed: int) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP; `port` 0 takes a free one.

    `TANDEM_SANDBOX_CLIENTS` (JSON, see `keys.parse_clients`) and `TANDEM_SANDBOX_ADMIN_TOKEN` say
    who may come in; what is not set is made up, and printed once.

    Raises:
        ConfigurationError: The environment does not make sense.
        ProcessError: The port cannot be had.
    """
    configure_logging()
    config, made_up = configure(os.environ, valhalla_url=valhalla_url, seed=seed)

    def announce(url: str) -> None:
        typer.echo(f"The Bikemap stand-in listens on {url}")
        for line in made_up:
            typer.echo(line)

    with asyncio.Runner() as runner:
        runner.run(_serve(config, port, announce))


def configure(
    environment: Mapping[str, str],
    *,
    valhalla_url: str,
    seed: int,
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
        plan = PLANS[_DEFAULT_PLAN]
        clients = (Client(_DEFAULT_CLIENT_ID, (secret,), plan, (webhook_secret,)),)
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
