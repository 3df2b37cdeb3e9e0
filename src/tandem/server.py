"""The composition root: everything behind the HTTP API, put together and taken apart again."""

import asyncio
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from fastapi import Depends, FastAPI
from prometheus_client import CollectorRegistry

from tandem.ledger import http as ledger_http
from tandem.ledger.embedded import now_us, open_service
from tandem.ledger.signing import KEY_FILE, Signer, ensure_signer, read_signer
from tandem.ledger.webhooks.worker import working
from tandem.platform.auth import ApiKeys, Permission, create_require, migrate_auth
from tandem.platform.auth.api_keys import ROLE as KEYS_ROLE
from tandem.platform.config import Settings
from tandem.platform.database import Pool, open_pool
from tandem.platform.embedded import EmbeddedPostgres
from tandem.platform.errors import SettingsError
from tandem.platform.http import Health, create_api
from tandem.platform.http.serving import HttpServer
from tandem.platform.interpreter import tune_interpreter
from tandem.platform.limits import KEY_POOL_CONNECTIONS_MAX
from tandem.platform.webhooks.sealing import SecretBox, key_of_directory, read_key
from tandem.routing import http as routing_http
from tandem.routing.composition import open_routing, working_off_routes

_DESCRIPTION = "A double-entry ledger and a bicycle-routing gateway. Every call wants an API key."


@dataclass(frozen=True, slots=True)
class Application:
    """The running parts that the server itself needs."""

    api: FastAPI
    health: Health
    keys: ApiKeys
    end_feeds: Callable[[], None]


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[str]:
    """Give a connection string: to the database that is set, or to the embedded one."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    async with EmbeddedPostgres(settings.postgres_directory) as server:
        yield server.uri("postgres")


def open_signer(settings: Settings) -> Signer | None:
    """Read the key that signs checkpoints: the one that is set, or the data directory's own.

    None for another database without a key: a key of this machine alone is not the database's.
    """
    if settings.signing_key is not None:
        return read_signer(settings.signing_key)
    if settings.database_url is not None:
        return None
    return ensure_signer(settings.data_directory / KEY_FILE)


@asynccontextmanager
async def open_keys(conninfo: str) -> AsyncIterator[tuple[ApiKeys, Pool]]:
    """Open the store of API keys, its schema brought up to date."""
    await asyncio.to_thread(migrate_auth, conninfo)
    async with await open_pool(
        conninfo,
        role=KEYS_ROLE,
        min_size=1,
        max_size=KEY_POOL_CONNECTIONS_MAX,
        name="tandem keys",
    ) as pool:
        keys = ApiKeys(
            pool,
            now=_utc_now,
            monotonic_s=time.monotonic,
            random_bytes=secrets.token_bytes,
        )
        yield keys, pool


@asynccontextmanager
async def open_application(settings: Settings) -> AsyncIterator[Application]:
    """Start all that the API needs; on the way out drain it, last started first."""
    registry, health = CollectorRegistry(), Health()
    async with AsyncExitStack() as stack:
        conninfo = await stack.enter_async_context(open_database(settings))
        keys, pool = await stack.enter_async_context(open_keys(conninfo))
        health.checks["database"] = lambda: _check_database(pool)
        require = create_require(keys.verify)
        api = create_api(
            "Tandem",
            version=version("tandem"),
            description=_DESCRIPTION,
            registry=registry,
            health=health,
            metrics_dependencies=[Depends(require(Permission.READ))],
        )

        ledgers = await stack.enter_async_context(
            open_service(
                conninfo,
                signer=open_signer(settings),
                webhook_key=read_webhook_key(settings),
            )
        )
        await ledgers.create_ledger(settings.ledger)
        ledger_http.install(api)
        api.include_router(ledger_http.create_router(ledgers, require))
        ledger_http.install_quick_writes(api, ledgers, keys.verify)
        box = SecretBox(read_webhook_key(settings))
        routing = await stack.enter_async_context(open_routing(settings, conninfo, box, registry))
        api.include_router(routing_http.create_router(routing.gateway, require))
        api.include_router(routing_http.create_jobs_router(routing.jobs, require))
        api.include_router(routing_http.create_operating_router(routing.gateway, require))
        api.include_router(
            routing_http.create_change_router(routing.operator, routing.report, require)
        )
        yield Application(api, health, keys, ledgers.end_feeds)


def read_webhook_key(settings: Settings) -> bytes:
    """Read the key that seals webhooks' secrets. Raises SettingsError."""
    given = settings.webhook_key
    try:
        if given is not None:
            return read_key(given.get_secret_value())
        return key_of_directory(settings.data_directory)
    except ValueError as error:
        raise SettingsError(f"the key of webhooks: {error}") from error


@asynccontextmanager
async def open_worker(settings: Settings) -> AsyncIterator[None]:
    """Deliver webhooks and work off routing jobs while the context lasts."""
    box, reach = SecretBox(read_webhook_key(settings)), settings.webhook_reach
    async with AsyncExitStack() as stack:
        conninfo = await stack.enter_async_context(open_database(settings))
        await stack.enter_async_context(working(conninfo, box, reach, now_us))
        await stack.enter_async_context(working_off_routes(settings, conninfo, box))
        yield


def _utc_now() -> datetime:
    return datetime.now(UTC)


async def work(settings: Settings, announce: Callable[[], None]) -> None:
    """Do a worker's work until SIGINT, SIGTERM or SIGHUP, then let what runs end."""
    stop = asyncio.Event()
    with _stopping_on_signals(stop) as started:
        async with open_worker(settings):
            started.set()
            announce()
            await stop.wait()


async def serve(
    settings: Settings, announce: Callable[[str, str | None], None], *, worker: bool = False
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP (a closed terminal), then let running requests end.

    `announce` gets the base URL and the first key, once it listens. A signal during the start
    undoes the start and raises KeyboardInterrupt. With `worker` it does a worker's work too.
    """
    tune_interpreter()
    stop = asyncio.Event()
    with _stopping_on_signals(stop) as listening:
        async with open_application(settings) as application:
            server = HttpServer(application.api, host=settings.host, port=settings.port)
            application.health.accepting = False
            async with AsyncExitStack() as stack:
                if worker:
                    await stack.enter_async_context(open_worker(settings))
                await stack.enter_async_context(server)
                listening.set()
                # Made last: a key of a start that failed would never have been shown.
                announce(server.url, await application.keys.ensure_first_key())
                application.health.accepting = True
                await server.wait(stop)
                application.health.accepting = False
                application.end_feeds()  # else the server would wait for its streams to end


@contextmanager
def _stopping_on_signals(stop: asyncio.Event) -> Iterator[asyncio.Event]:
    """Set `stop` on a signal; before the yielded event is set, cancel the start instead."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    listening = asyncio.Event()

    def on_signal() -> None:
        stop.set()
        if task is not None and not listening.is_set():
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, on_signal)
    try:
        yield listening
    except asyncio.CancelledError:
        if stop.is_set():
            raise KeyboardInterrupt from None
        raise
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)


async def _check_database(pool: Pool) -> None:
    async with pool.connection() as connection:
        await connection.execute("SELECT 1")
