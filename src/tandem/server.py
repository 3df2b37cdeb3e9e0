"""The composition root: everything behind the HTTP API, put together and taken apart again."""

import asyncio
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

from fastapi import Depends, FastAPI
from openfeature import api as openfeature
from prometheus_client import CollectorRegistry
from pydantic import AnyHttpUrl, SecretStr

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
from tandem.platform.flags import FlagFile
from tandem.platform.http import Health, create_api
from tandem.platform.http.serving import HttpServer
from tandem.platform.interpreter import tune_interpreter
from tandem.platform.limits import KEY_POOL_CONNECTIONS_MAX
from tandem.platform.webhooks.sealing import SecretBox, key_of_directory, read_key
from tandem.routing import http as routing_http
from tandem.routing.change.flags import FlaggedOrder, check_flags
from tandem.routing.gateway import RoutingGateway
from tandem.routing.jobs.core import JobKind
from tandem.routing.jobs.service import ProviderPolicy, RoutingJobs
from tandem.routing.jobs.worker import working as working_off_routes
from tandem.routing.prefetch import prefetching
from tandem.routing.providers.bikemap_jobs import BikemapJobs
from tandem.routing.service import Choose, open_gateway
from tandem.routing.storage.cache.store import CacheStore, open_cache_store
from tandem.routing.storage.jobs.store import open_job_store

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
        store = await stack.enter_async_context(open_cache_store(conninfo))
        gateway = await stack.enter_async_context(_gateway(settings, registry, store))
        prefetch = prefetching(gateway, settings.prefetch_credits_per_hour, time.monotonic)
        await stack.enter_async_context(prefetch)
        api.include_router(routing_http.create_router(gateway, require))
        jobs = await stack.enter_async_context(_routing_jobs(settings, conninfo))
        api.include_router(routing_http.create_jobs_router(jobs, require))
        api.include_router(routing_http.create_operating_router(gateway, require))
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
        store = await stack.enter_async_context(open_cache_store(conninfo))
        gateway = await stack.enter_async_context(_gateway(settings, CollectorRegistry(), store))
        provider = await stack.enter_async_context(_bikemap_jobs(settings))
        await stack.enter_async_context(
            working_off_routes(conninfo, gateway.ask, provider, box, reach, _utc_now)
        )
        yield


@asynccontextmanager
async def _routing_jobs(settings: Settings, conninfo: str) -> AsyncIterator[RoutingJobs]:
    given, url = settings.bikemap_webhook_secrets, settings.bikemap_callback_url
    policy = ProviderPolicy(
        takes=lambda kind, _tenant: settings.bikemap_jobs and kind is JobKind.ROUTES,
        callback_url=None if url is None else str(url),
        secrets=_listed(given),
    )
    box = SecretBox(read_webhook_key(settings))
    async with open_job_store(conninfo) as store:
        yield RoutingJobs(store, box, _utc_now, policy)


def _bikemap_jobs(settings: Settings) -> AbstractAsyncContextManager[BikemapJobs | None]:
    base_url, secret = _base_url(settings.bikemap_base_url), settings.bikemap_client_secret
    if base_url is None or settings.bikemap_client_id is None or secret is None:
        return nullcontext()
    return BikemapJobs(
        base_url, settings.bikemap_client_id, secret.get_secret_value(), time.monotonic
    )


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


@asynccontextmanager
async def _gateway(
    settings: Settings, registry: CollectorRegistry, store: CacheStore
) -> AsyncIterator[RoutingGateway]:
    secret = settings.bikemap_client_secret
    async with (
        _flags(settings.flags_file, registry) as choose,
        open_gateway(
            _base_url(settings.bikemap_base_url),
            settings.bikemap_client_id,
            None if secret is None else secret.get_secret_value(),
            _base_url(settings.valhalla_url),
            registry,
            bikemap_v1_keys=_listed(settings.bikemap_v1_keys),
            graphhopper_url=_base_url(settings.graphhopper_url),
            graphhopper_keys=_listed(settings.graphhopper_keys),
            choose=choose,
            store=store,
        ) as gateway,
    ):
        yield gateway


@asynccontextmanager
async def _flags(path: Path | None, registry: CollectorRegistry) -> AsyncIterator[Choose | None]:
    """Watch the file of flags while the context lasts. Raises SettingsError."""
    if path is None:
        yield None
        return
    flags = FlagFile(path, check_flags, registry)
    domain = f"tandem {uuid4().hex}"  # one process may have several gateways
    openfeature.set_provider_and_wait(flags, domain)
    client = openfeature.get_client(domain)
    watch = asyncio.create_task(flags.watch(), name="flags")
    try:
        yield partial(FlaggedOrder, client)
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


def _listed(secrets_given: SecretStr | None) -> tuple[str, ...]:
    """Read secrets that are separated by commas."""
    return () if secrets_given is None else tuple(secrets_given.get_secret_value().split(","))


def _base_url(url: AnyHttpUrl | None) -> str | None:
    return None if url is None else str(url).rstrip("/")


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
