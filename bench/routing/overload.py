"""G5, G7 and G20: a provider that is slow, was down under load, or is wanted by one too much."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from bench.routing.bottleneck import Bottleneck
from bench.routing.load import Stream, good_share, offered, p99_ms
from bench.routing.report import Row, at_least, at_most
from bench.routing.stage import Naive, Outcome, Stage, caller, in_flight
from tandem.platform.http.serving import HttpServer
from tandem.resilience.caller import Caller, Partition

_DEADLINE_MS: Final = 2_000.0
_SETTLE_S: Final = 3.0
_BROWNOUT_S: Final = 12.0
_QUICK_MS, _SLOW_MS = 80, 800
_LIVE_PER_S: Final = 25.0
_BATCH: Final = Caller(Partition.BATCH)

_CAPACITY_PER_S, _SERVERS = 40.0, 4
_USUAL_PER_S: Final = 20.0
_OUTAGE_S: Final = 60.0
_WINDOW_S, _WINDOWS = 5.0, 6
_BACK: Final = 0.95

_TENANTS: Final = ("north", "south", "west")
_TENANT_PER_S: Final = 5.0
_NOISE: Final = 10
_TENANTS_S: Final = 15.0


async def measure(stage: Stage) -> list[Row]:
    """Measure them one after the other."""
    return [*await _brownout(stage), *await _after_an_outage(stage), *await _neighbours(stage)]


async def _brownout(stage: Stage) -> list[Row]:
    """Ten times the latency at the same load, half of it batch."""
    await stage.recover()
    await stage.fail("latency", latency_ms=_QUICK_MS)
    async with stage.gateway() as gateway:
        call = caller(gateway, _DEADLINE_MS)
        live, batch = Stream(call, _LIVE_PER_S), Stream(call, _LIVE_PER_S, _BATCH)
        await asyncio.gather(offered(stage, live, _SETTLE_S), offered(stage, batch, _SETTLE_S))
        await stage.fail("latency", latency_ms=_SLOW_MS)
        watched = asyncio.create_task(in_flight(stage.registry, _BROWNOUT_S))
        lives, batches = await asyncio.gather(
            offered(stage, live, _BROWNOUT_S), offered(stage, batch, _BROWNOUT_S)
        )
        beyond = await watched
    await stage.recover()
    primary = [sum(one.is_primary for one in outcomes) for outcomes in (lives, batches)]
    name = f"G5 {_QUICK_MS} to {_SLOW_MS} ms"
    return [
        at_most(f"{name}: p99 of live calls", p99_ms(lives), "ms", _DEADLINE_MS),
        at_most(f"{name}: calls in flight beyond the limit once it moved", beyond, "calls", 0),
        at_least(f"{name}: live calls' share of slots", _share(primary), "share", 0.9),
        at_least(f"{name}: answered", good_share(lives), "share", 0.99),
    ]


def _share(counts: Sequence[int]) -> float:
    return counts[0] / (sum(counts) or 1)


@asynccontextmanager
async def _bottleneck(stage: Stage) -> AsyncIterator[tuple[Bottleneck, str]]:
    """Another door to the same sandbox, that can be narrowed."""
    bottleneck = Bottleneck(stage.sandbox)
    async with HttpServer(bottleneck, host="127.0.0.1", port=0) as server:
        try:
            yield bottleneck, server.url
        finally:
            bottleneck.widen()


async def _after_an_outage(stage: Stage) -> list[Row]:
    """A minute of silence under twice the load, at a provider that queues: who comes back?"""
    await stage.recover()
    async with AsyncExitStack() as stack:
        narrow, url = await stack.enter_async_context(_bottleneck(stage))
        gateway = await stack.enter_async_context(stage.gateway(fallback=False, base_url=url))
        ours = await _recovery(stage, narrow, Stream(caller(gateway, _DEADLINE_MS), _USUAL_PER_S))
    async with AsyncExitStack() as stack:
        narrow, url = await stack.enter_async_context(_bottleneck(stage))
        naive: Naive = await stack.enter_async_context(stage.naive_at(url))
        naively = await _recovery(stage, narrow, Stream(naive.call, _USUAL_PER_S))
    name = (
        f"G7 goodput {_WINDOW_S * _WINDOWS:g} s after {_OUTAGE_S:g} s of silence at twice the load"
    )
    return [at_least(name, ours, "share", _BACK, naively)]


async def _recovery(stage: Stage, narrow: Bottleneck, stream: Stream) -> float:
    """Return which share is answered by the provider in the last window after an outage."""
    narrow.narrow(_CAPACITY_PER_S, _SERVERS)
    await offered(stage, stream, _SETTLE_S)
    narrow.pause()
    doubled = Stream(stream.call, 2 * stream.per_second)
    await offered(stage, doubled, _OUTAGE_S)
    narrow.resume()
    outcomes: list[Outcome] = []
    for _ in range(_WINDOWS):
        outcomes = await offered(stage, stream, _WINDOW_S)
    return good_share(outcomes)


async def _neighbours(stage: Stage) -> list[Row]:
    """One tenant asks ten times as much: what do the others see of it?"""
    await stage.recover()
    await stage.fail("latency", latency_ms=_QUICK_MS)
    roomy = await _noise(stage, stage.sandbox_url)
    await stage.recover()
    async with _bottleneck(stage) as (narrow, url):
        narrow.narrow(_CAPACITY_PER_S, _SERVERS)
        scarce = await _noise(stage, url)
    return [
        at_most("G20 others' p99, provider with room", roomy, "x", 1.1),
        at_most("G20 others' p99, provider saturated", scarce, "x", 1.1),
    ]


async def _noise(stage: Stage, url: str) -> float:
    """Return what one tenant's noise multiplies the others' p99 by."""
    async with stage.gateway(base_url=url) as gateway:
        call = caller(gateway, _DEADLINE_MS)
        others = [Stream(call, _TENANT_PER_S, Caller(tenant=name)) for name in _TENANTS]
        for one in (1, _NOISE):
            noisy = Stream(call, one * _TENANT_PER_S, Caller(tenant="noisy"))
            running = (offered(stage, stream, _TENANTS_S) for stream in (*others, noisy))
            *quiet, _ = await asyncio.gather(*running)
            taken = p99_ms([outcome for outcomes in quiet for outcome in outcomes])
            if one == 1:
                before = taken
    return taken / before
