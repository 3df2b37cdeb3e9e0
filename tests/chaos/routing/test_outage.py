"""The gateway between a failing sandbox and a real engine: all answered, nothing amplified."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry
from tests.support.routing import (
    MARKET,
    PRIMARY_ROUTES,
    STATION,
    VirtualClock,
    gateway_on,
    sample,
    soon,
)
from tests.support.sandbox import Sandbox, served_sandbox

from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.request import RouteRequest
from tandem.routing.domain.result import RouteResult
from tandem.routing.gateway import RoutingGateway
from tandem.routing.providers.bikemap_v2 import COMPUTE_PATH

# Real seconds against a real engine: a drill, as a starved machine misses its marks.
pytestmark = [pytest.mark.anyio, pytest.mark.drill]

_PATIENT_MS = 20_000


@pytest.fixture
async def sandbox(valhalla_url: str) -> AsyncIterator[Sandbox]:
    """Serve a sandbox."""
    async with served_sandbox(valhalla_url) as served:
        yield served


def _request(number: int) -> RouteRequest:
    """A request like no other, so that no cache answers it."""
    return RouteRequest.through(Coordinate(MARKET.lon + number * 2e-6, MARKET.lat), STATION)


async def _burst(gateway: RoutingGateway, first: int, count: int) -> list[RouteResult]:
    """Ask for different routes, eight at a time."""
    results: list[RouteResult] = []
    for begin in range(first, first + count, 8):
        numbers = range(begin, min(begin + 8, first + count))
        calls = (gateway.ask(_request(number), soon(_PATIENT_MS)) for number in numbers)
        results += await asyncio.gather(*calls)
    return results


def _attempts(registry: CollectorRegistry) -> float:
    """Count the calls made to Bikemap."""
    return sum(
        point.value
        for metric in registry.collect()
        for point in metric.samples
        if point.name == "tandem_routing_attempts_total" and point.labels["provider"] == "bikemap"
    )


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 500},
        {"kind": "html"},
        {"kind": "truncate"},
    ],
    ids=["503", "500", "html", "truncate"],
)
async def test_outage_and_recovery(
    sandbox: Sandbox, valhalla_url: str, fault: dict[str, object]
) -> None:
    """All calls are answered by the fallback, few reach the dead primary, and it is taken back."""
    clock, registry = VirtualClock(), CollectorRegistry()
    async with gateway_on(sandbox.url, valhalla_url, clock=clock, registry=registry) as gateway:
        assert not any(result.degraded for result in await _burst(gateway, 0, 8))
        before = _attempts(registry)
        await sandbox.fail(**fault)  # type: ignore[arg-type]  # the parameters above
        results = await _burst(gateway, 100, 80)
        assert {result.provider for result in results} == {"valhalla"}
        assert all(result.degraded for result in results)
        # Those in flight when it opens are counted as well.
        assert _attempts(registry) - before <= 40
        await sandbox.recover()
        clock.advance(8.0)
        await _burst(gateway, 300, 1)
        assert not any(result.degraded for result in await _burst(gateway, 400, 16))


async def test_a_third_failing(sandbox: Sandbox, valhalla_url: str) -> None:
    """All calls succeed, retries stay in their budget, and the degraded share is told exactly."""
    registry = CollectorRegistry()
    async with gateway_on(sandbox.url, valhalla_url, registry=registry) as gateway:
        await _burst(gateway, 0, 1)
        await sandbox.fail("status", share=0.3, status=503)
        results = await _burst(gateway, 100, 160)
        await sandbox.recover()
    degraded = sum(result.degraded for result in results)
    retries = sample(registry, "tandem_routing_retries_total", PRIMARY_ROUTES)
    assert retries <= 10 + 0.1 * len(results)
    assert _attempts(registry) <= len(results) + 1 + retries
    labels = {"freshness": "live", "degraded": "yes", "provider": "valhalla"}
    assert sample(registry, "tandem_routing_results_total", labels) == degraded
    assert 0 < degraded < len(results) * 0.4
    stats = await sandbox.stats()
    assert COMPUTE_PATH in stats


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "blackhole"},
        {"kind": "latency", "latency_ms": 5_000},
        {"kind": "drip", "latency_ms": 100, "chunk_bytes": 16},
    ],
    ids=["blackhole", "latency", "drip"],
)
async def test_slow_primary(sandbox: Sandbox, valhalla_url: str, fault: dict[str, object]) -> None:
    """However slowly the primary answers, no call is later than its deadline."""
    async with gateway_on(sandbox.url, valhalla_url) as gateway:
        await _burst(gateway, 0, 1)
        await sandbox.fail(**fault)  # type: ignore[arg-type]  # the parameters above
        started_s = time.monotonic()
        result = await gateway.ask(_request(1), soon(1_500))
        assert time.monotonic() - started_s < 1.8
        assert result.degraded


async def test_cancelled_callers_leave_nothing_behind(sandbox: Sandbox, valhalla_url: str) -> None:
    """Hundreds of callers that hang up at any moment cost the later ones nothing."""
    registry = CollectorRegistry()
    async with gateway_on(sandbox.url, valhalla_url, registry=registry) as gateway:
        for round_number in range(16):
            calls = [
                asyncio.create_task(gateway.ask(_request(number), soon(_PATIENT_MS)))
                for number in range(100 + 20 * round_number, 120 + 20 * round_number)
            ]
            await asyncio.wait(calls, timeout=0.002 * round_number)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        results = await _burst(gateway, 700, 40)
    assert not any(result.degraded for result in results)
    assert sample(registry, "tandem_routing_breaker_state", PRIMARY_ROUTES) == 0


async def test_engine_and_sandbox_agree(sandbox: Sandbox, valhalla_url: str) -> None:
    """The fallback's routes are the primary's: the same network, distances and climbs."""
    async with (
        gateway_on(sandbox.url, valhalla_url) as gateway,
        gateway_on(None, valhalla_url) as fallback_only,
    ):
        for number in range(0, 200, 40):
            primary = await gateway.ask(_request(number), soon(_PATIENT_MS))
            fallback = await fallback_only.ask(_request(number), soon(_PATIENT_MS))
            assert (primary.provider, fallback.provider) == ("bikemap", "valhalla")
            assert fallback.route.distance_m == pytest.approx(primary.route.distance_m, rel=0.01)
            assert fallback.route.ascent_m == pytest.approx(primary.route.ascent_m, abs=0.2)
            assert fallback.route.geometry == primary.route.geometry
