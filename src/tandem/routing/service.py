"""The composition of the gateway: providers, pipelines, metrics, and their end."""

import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from types import MappingProxyType
from typing import Final, TypedDict

from prometheus_client import CollectorRegistry

from tandem.platform.secrets import LiveSecrets
from tandem.resilience.backoff import Chance
from tandem.resilience.deadline import Clock
from tandem.routing.cache.answers import AnswerCache
from tandem.routing.cache.kept import CODEC
from tandem.routing.cache.metrics import CacheMetrics
from tandem.routing.chain import Chain, Order, Unwatched, Watch
from tandem.routing.change.changes import Changes
from tandem.routing.gateway import RoutingGateway
from tandem.routing.metrics import RoutingMetrics
from tandem.routing.providers.bikemap_v1 import BikemapV1
from tandem.routing.providers.bikemap_v2 import BikemapV2
from tandem.routing.providers.graphhopper import GraphHopper
from tandem.routing.providers.valhalla import Valhalla
from tandem.routing.quota import NO_QUOTA, Quota
from tandem.routing.storage.cache.store import CacheStore
from tandem.routing.upstream import Policy, Upstream

type _Adapter = BikemapV2 | BikemapV1 | GraphHopper | Valhalla
type Choose = Callable[[Sequence[str]], Order]
"""Makes the order of providers from the names of all of them."""

_NO_QUOTAS: Final[Mapping[str, Quota]] = MappingProxyType({})


class _Options(TypedDict):
    store: CacheStore | None
    clock: Clock
    utc_s: Callable[[], float]
    jitter: Chance


@asynccontextmanager
async def open_gateway(
    bikemap_base_url: str | None,
    client_id: str | None,
    client_secrets: LiveSecrets | None,
    valhalla_url: str | None,
    registry: CollectorRegistry,
    *,
    bikemap_v1_keys: LiveSecrets | None = None,
    graphhopper_url: str | None = None,
    graphhopper_keys: LiveSecrets | None = None,
    quotas: Mapping[str, Quota] = _NO_QUOTAS,
    choose: Choose | None = None,
    changes: Changes | None = None,
    store: CacheStore | None = None,
    clock: Clock = time.monotonic,
    utc_s: Callable[[], float] = time.time,
    chance: Chance = random.random,
    jitter: Chance = random.random,
) -> AsyncIterator[RoutingGateway]:
    """Give a gateway; whoever is left out is not asked.

    Bikemap's version 2, its version 1, GraphHopper, our own Valhalla, in this order. `choose` gets
    their names, and gives what orders them for each request; `changes` looks on, and has the last
    word. `quotas` are what providers let us use, by their names.

    `store` is the tier of the cache that processes share; without it there is memory alone.
    `bikemap_base_url` is without the version. Without Bikemap every answer is a degraded one, and
    without both an estimate.

    Raises:
        ValueError: A base URL is not one.
    """
    primaries: list[_Adapter] = []
    others: list[_Adapter] = []
    if bikemap_base_url and client_id and client_secrets:
        primaries.append(BikemapV2(bikemap_base_url, client_id, client_secrets, clock))
    if bikemap_base_url and bikemap_v1_keys:
        primaries.append(BikemapV1(bikemap_base_url, bikemap_v1_keys))
    if graphhopper_url and graphhopper_keys:
        others.append(GraphHopper(graphhopper_url, graphhopper_keys))
    if valhalla_url:
        others.append(Valhalla(valhalla_url))
    metrics = RoutingMetrics(registry)
    async with AsyncExitStack() as stack:
        upstreams = []
        for adapter in (*primaries, *others):
            await stack.enter_async_context(adapter)
            if not isinstance(adapter, Valhalla):
                metrics.watch_credentials(adapter.name, adapter.credentials.refused_now)
            quota = quotas.get(adapter.name, NO_QUOTA)
            policy = Policy(is_primary=adapter in primaries, quota=quota)
            upstreams.append(Upstream(adapter, metrics, clock, chance, policy))
        options: _Options = {"store": store, "clock": clock, "utc_s": utc_s, "jitter": jitter}
        gateway = gateway_over(
            upstreams, metrics, registry, choose=choose, changes=changes, **options
        )
        yield await stack.enter_async_context(gateway)


@asynccontextmanager
async def gateway_over(
    upstreams: Sequence[Upstream],
    metrics: RoutingMetrics,
    registry: CollectorRegistry,
    *,
    choose: Choose | None = None,
    changes: Changes | None = None,
    store: CacheStore | None = None,
    clock: Clock = time.monotonic,
    utc_s: Callable[[], float] = time.time,
    jitter: Chance = random.random,
) -> AsyncIterator[RoutingGateway]:
    """Give a gateway over upstreams that are open already, in their order."""
    names = tuple(upstream.provider.name for upstream in upstreams)
    order: Order = (lambda _request, _caller: names) if choose is None else choose(names)
    if changes is not None:
        order = changes.over(order)
    watch: Watch = Unwatched() if changes is None else changes
    chain = Chain(upstreams, order, watch)
    cache_metrics = CacheMetrics(registry)
    async with (
        nullcontext() if changes is None else changes.working(chain),
        AnswerCache(CODEC, cache_metrics, utc_s=utc_s, chance=jitter, store=store) as cache,
    ):
        gateway = RoutingGateway(chain, cache, metrics, clock)
        try:
            yield gateway
        finally:
            await gateway.close()
