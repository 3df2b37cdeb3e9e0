"""Routing as the settings say: what the server and the worker are put together from."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
)
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

from openfeature import api as openfeature
from openfeature.client import OpenFeatureClient
from prometheus_client import CollectorRegistry
from pydantic import AnyHttpUrl

from tandem.platform.config import Settings
from tandem.platform.errors import SettingsError
from tandem.platform.flags import FlagFile
from tandem.platform.rate_limit import open_rate_limits
from tandem.platform.webhooks.sealing import SecretBox
from tandem.resilience.gcra import LocalRateLimit, Plan
from tandem.routing.change.changes import Changes
from tandem.routing.change.conductor import Conductor
from tandem.routing.change.flags import FlaggedJobs, FlaggedOrder, FlaggedShadow, check_flags
from tandem.routing.change.operator import Operator
from tandem.routing.change.report import Report
from tandem.routing.change.shadow import Shadow
from tandem.routing.domain.operation import Operation
from tandem.routing.gateway import RoutingGateway
from tandem.routing.jobs.core import JobKind
from tandem.routing.jobs.metrics import JobMetrics, counting
from tandem.routing.jobs.service import ProviderPolicy, RoutingJobs
from tandem.routing.jobs.worker import working
from tandem.routing.limits import SHADOW_BURST_CREDITS
from tandem.routing.prefetch import prefetching
from tandem.routing.provider_secrets import ProviderSecrets, open_secrets
from tandem.routing.providers.bikemap_jobs import BikemapJobs
from tandem.routing.providers.bikemap_v2 import BikemapV2
from tandem.routing.quota import ProviderPlan, Quota
from tandem.routing.service import open_gateway
from tandem.routing.storage.cache.store import open_cache_store
from tandem.routing.storage.change.store import CanaryStore, open_canary_store
from tandem.routing.storage.jobs.store import open_job_store

_HOUR_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Routing:
    """The parts that the HTTP API needs."""

    gateway: RoutingGateway
    jobs: RoutingJobs
    operator: Operator
    report: Report


@dataclass(frozen=True, slots=True)
class _Changing:
    """What changes who answers, before it is known who can."""

    flags: OpenFeatureClient | None
    store: CanaryStore
    shadow: Shadow
    report: Report


@asynccontextmanager
async def open_routing(
    settings: Settings, conninfo: str, box: SecretBox, registry: CollectorRegistry
) -> AsyncIterator[Routing]:
    """Open what answers, its schemas brought up to date; `box` seals the secrets of callbacks.

    Raises SettingsError, MigrationError and DatabaseUnavailable.
    """
    async with AsyncExitStack() as stack:
        secrets = await stack.enter_async_context(open_secrets(settings, registry))
        flags = await stack.enter_async_context(_flags(settings.flags_file, registry))
        store = await stack.enter_async_context(open_canary_store(conninfo))
        shadow = Shadow(_shadow_plan(settings.shadow_credits_per_hour), registry, time.monotonic)
        report = Report(registry)
        gateway = await stack.enter_async_context(
            _gateway(settings, secrets, conninfo, registry, _Changing(flags, store, shadow, report))
        )
        prefetch = prefetching(gateway, settings.prefetch_credits_per_hour, time.monotonic)
        await stack.enter_async_context(prefetch)
        job_store = await stack.enter_async_context(open_job_store(conninfo))
        jobs = RoutingJobs(job_store, box, _utc_now, _provider_policy(settings, secrets, flags))
        await stack.enter_async_context(counting(job_store, JobMetrics(registry), _utc_now))
        names = [upstream.provider.name for upstream in gateway.upstreams]
        operator = Operator(store, names, time.time, has_credits=shadow.has_credits)
        yield Routing(gateway, jobs, operator, report)


@asynccontextmanager
async def working_off_routes(
    settings: Settings, conninfo: str, box: SecretBox
) -> AsyncIterator[None]:
    """Work off routing jobs while the context lasts.

    Raises SettingsError, MigrationError and DatabaseUnavailable.
    """
    registry, reach = CollectorRegistry(), settings.webhook_reach
    # What jobs ask is the batch's, which has no shadow.
    shadow, report = Shadow(None, registry, time.monotonic), Report(registry)
    async with (
        open_secrets(settings, registry) as secrets,
        _flags(settings.flags_file, registry) as flags,
        open_canary_store(conninfo) as store,
        _gateway(
            settings, secrets, conninfo, registry, _Changing(flags, store, shadow, report)
        ) as gateway,
        _bikemap_jobs(settings, secrets) as provider,
        working(conninfo, gateway.ask, provider, box, reach, _utc_now),
    ):
        yield


@asynccontextmanager
async def _gateway(
    settings: Settings,
    secrets: ProviderSecrets,
    conninfo: str,
    registry: CollectorRegistry,
    changing: _Changing,
) -> AsyncIterator[RoutingGateway]:
    conductor = Conductor(changing.store, time.time, time.monotonic)
    client = changing.flags
    async with (
        open_cache_store(conninfo) as store,
        _quotas(settings, conninfo) as quotas,
        open_gateway(
            _base_url(settings.bikemap_base_url),
            settings.bikemap_client_id,
            secrets.client,
            _base_url(settings.valhalla_url),
            registry,
            bikemap_v1_keys=secrets.v1,
            graphhopper_url=_base_url(settings.graphhopper_url),
            graphhopper_keys=secrets.graphhopper,
            quotas=quotas,
            choose=None if client is None else partial(FlaggedOrder, client),
            changes=Changes(
                changing.shadow,
                changing.report,
                conductor,
                None if client is None else FlaggedShadow(client),
            ),
            store=store,
        ) as gateway,
    ):
        yield gateway


@asynccontextmanager
async def _quotas(settings: Settings, conninfo: str) -> AsyncIterator[dict[str, Quota]]:
    """Give what providers let us use, which all processes of a database share.

    Raises SettingsError, MigrationError and DatabaseUnavailable.
    """
    bikemap, graphhopper = _plans(settings)
    if bikemap == graphhopper == ProviderPlan():
        yield {}
        return
    async with open_rate_limits(conninfo, settings.plan_processes) as limited:
        try:
            account = Quota.of("bikemap", bikemap, limited)
            other = Quota.of("graphhopper", graphhopper, limited)
        except ValueError as error:
            raise SettingsError(f"the plan of a provider: {error}") from error
        # Both versions of Bikemap are one account.
        yield {"bikemap": account, "bikemap_v1": account, "graphhopper": other}


def _plans(settings: Settings) -> tuple[ProviderPlan, ProviderPlan]:
    bikemap = ProviderPlan(
        settings.bikemap_credits_per_day,
        settings.bikemap_requests_per_second,
        settings.bikemap_credits_at_once,
    )
    graphhopper = ProviderPlan(
        settings.graphhopper_credits_per_day,
        settings.graphhopper_requests_per_second,
        settings.graphhopper_credits_at_once,
    )
    return bikemap, graphhopper


@asynccontextmanager
async def _flags(
    path: Path | None, registry: CollectorRegistry
) -> AsyncIterator[OpenFeatureClient | None]:
    """Watch the file of flags while the context lasts. Raises SettingsError."""
    if path is None:
        yield None
        return
    flags = FlagFile(path, check_flags, registry)
    domain = f"tandem {uuid4().hex}"  # one process may have several gateways
    openfeature.set_provider_and_wait(flags, domain)
    watch = asyncio.create_task(flags.file.watch(), name="flags")
    try:
        yield openfeature.get_client(domain)
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


def _shadow_plan(credits_per_hour: float) -> LocalRateLimit | None:
    if credits_per_hour <= 0:
        return None
    burst = min(credits_per_hour, SHADOW_BURST_CREDITS)
    return LocalRateLimit(Plan(credits_per_hour, _HOUR_S, burst), time.monotonic)


def _provider_policy(
    settings: Settings, secrets: ProviderSecrets, flags: OpenFeatureClient | None
) -> ProviderPolicy:
    url = settings.bikemap_callback_url
    may = None if flags is None else FlaggedJobs(flags, BikemapV2.name)

    def takes(kind: JobKind, tenant: str) -> bool:
        is_theirs = settings.bikemap_jobs and kind is JobKind.ROUTES
        return is_theirs and (may is None or may(Operation.ROUTE, tenant))

    return ProviderPolicy(
        takes=takes,
        callback_url=None if url is None else str(url),
        secrets=secrets.webhooks or tuple,
    )


def _bikemap_jobs(
    settings: Settings, secrets: ProviderSecrets
) -> AbstractAsyncContextManager[BikemapJobs | None]:
    base_url = _base_url(settings.bikemap_base_url)
    if base_url is None or settings.bikemap_client_id is None or secrets.client is None:
        return nullcontext()
    return BikemapJobs(base_url, settings.bikemap_client_id, secrets.client, time.monotonic)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _base_url(url: AnyHttpUrl | None) -> str | None:
    return None if url is None else str(url).rstrip("/")
