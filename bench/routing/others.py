"""G4, G8, G11 and G19: deadlines, stampedes, spent quotas, and what the layer costs."""

import asyncio
import statistics
import time
from typing import Any

from bench.routing.report import Row, at_most
from bench.routing.stage import Stage, caller
from tandem.resilience.deadline import Deadline

_LATE_MS = 50.0
_DEADLINE_MS = 400.0
_FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "blackhole"},
    {"kind": "drip", "latency_ms": 50},
    {"kind": "latency", "latency_ms": 5_000},
    {"kind": "truncate"},
    {"kind": "html"},
)
_CALLERS = 1_000
_SAMPLES = 300


async def measure(stage: Stage) -> list[Row]:
    """Measure them one after the other."""
    return [
        await _deadlines(stage),
        *await _stampede(stage),
        *await _quota(stage),
        *await _cost(stage),
    ]


async def _deadlines(stage: Stage) -> Row:
    """How much later than its deadline the latest answer came, whatever went wrong."""
    latest_ms = naive_ms = 0.0
    for fault in _FAULTS:
        await stage.recover()
        await stage.fail(**fault)
        async with stage.gateway() as gateway:
            call = caller(gateway, _DEADLINE_MS)
            outcomes = [await call(stage.request()) for _ in range(20)]
        latest_ms = max(latest_ms, *(1_000 * one.seconds - _DEADLINE_MS for one in outcomes))
    await stage.recover()
    await stage.fail("blackhole")
    naive = await stage.naive()
    naive_ms = 1_000 * (await naive.call(stage.request())).seconds - _DEADLINE_MS
    await stage.recover()
    name = f"G4 latest answer beyond its deadline of {_DEADLINE_MS:g} ms, five faults"
    return at_most(name, latest_ms, "ms", _LATE_MS, naive_ms)


async def _stampede(stage: Stage) -> list[Row]:
    """How many calls reach the primary when a thousand ask the same at once."""
    await stage.recover()
    request = stage.request()
    async with stage.gateway() as gateway:
        asked = (gateway.ask(request, Deadline.after_ms(10_000)) for _ in range(_CALLERS))
        await asyncio.gather(*asked)
    attempts = await stage.attempts()
    return [
        at_most("G8 calls upstream for 1,000 callers of one key", attempts, "calls", 1, _CALLERS)
    ]


async def _quota(stage: Stage) -> list[Row]:
    """What a spent quota costs: no second attempt, and the other provider's answer at once."""
    await stage.recover()
    await stage.fail("status", status=429, retry_after_s=7_200)
    async with stage.gateway() as gateway:
        call = caller(gateway, 2_000)
        outcomes = [await call(stage.request()) for _ in range(30)]
    attempts = await stage.attempts()
    await stage.recover()
    p50_ms = 1_000 * statistics.median(outcome.seconds for outcome in outcomes)
    return [
        at_most("G11 attempts at a spent quota, of 30 calls", attempts, "calls", 1, 90),
        at_most("G11 failover from a spent quota, p50", p50_ms, "ms", 50.0),
    ]


async def _cost(stage: Stage) -> list[Row]:
    """What the gateway adds: to a cached answer, and to one that it must fetch."""
    await stage.recover()
    naive = await stage.naive()
    async with stage.gateway(fallback=False) as gateway:
        request = stage.request()
        await gateway.ask(request, Deadline.after_ms(5_000))
        warm_ms = []
        for _ in range(_SAMPLES):
            began = time.perf_counter()
            await gateway.ask(request, Deadline.after_ms(5_000))
            warm_ms.append(1_000 * (time.perf_counter() - began))
        call, missed_ms, bare_ms = caller(gateway, 5_000), [], []
        for _ in range(_SAMPLES // 3):
            asked = stage.request()
            bare_ms.append(1_000 * (await naive.call(asked)).seconds)
            missed_ms.append(1_000 * (await call(asked)).seconds)
    warm = statistics.median(warm_ms)
    bare, missed = statistics.median(bare_ms), statistics.median(missed_ms)
    return [
        at_most("G19 warm cache, p50", warm, "ms", 0.2, bare),
        at_most("G19 a miss beyond the bare call, p50", missed - bare, "ms", 1.0, bare),
    ]
