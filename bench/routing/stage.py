"""Real parts: an engine, a sandbox that can fail, the gateway, and a naive client beside it."""

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx2
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp

from tandem.platform.engine.engine import ValhallaEngine
from tandem.platform.engine.points import sample_points
from tandem.platform.engine.tiles import prepare_engine
from tandem.platform.http.serving import HttpServer
from tandem.platform.secrets import live
from tandem.resilience.deadline import Deadline
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.request import RouteRequest
from tandem.routing.domain.result import Freshness
from tandem.routing.gateway import RoutingGateway
from tandem.routing.service import open_gateway
from tandem.sandbox.app import SandboxConfig, open_sandbox
from tandem.sandbox.keys import Client
from tandem.sandbox.metering import Plan

COMPUTE_PATH: Final = "/v2/routes:compute"
_ENGINE: Final = Path(".tandem/engine")
_CLIENT_ID, _SECRET, _TOKEN = "bench", "secret-of-the-bench", "admin-token-of-the-bench"
_ROOMY: Final = Plan("roomy", burst=100_000, burst_window_s=1, credits=10_000_000)
_NAIVE_TRIES: Final = 3
_OK: Final = 200
_POINTS: Final = 60
_LIMITS: Final = httpx2.Limits(max_connections=100, max_keepalive_connections=100)
_PRIMARY: Final = "bikemap"
_WATCH_S: Final = 0.01
_MOVED_S: Final = 2.0


@dataclass(slots=True)
class Stage:
    """What every measure needs."""

    sandbox: ASGIApp
    sandbox_url: str
    engine_url: str
    http: httpx2.AsyncClient
    places: Sequence[Coordinate]
    numbers: Any
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    """Of the gateway that was opened last."""

    def request(self) -> RouteRequest:
        """A request that was never made before: other ends, a few centimetres apart."""
        number = next(self.numbers)
        start = self.places[number % len(self.places)]
        end = self.places[(number * 7 + 3) % len(self.places)]
        shifted = Coordinate(start.lon + (number // len(self.places)) * 2e-6, start.lat)
        return RouteRequest.through(shifted, end)

    async def fail(self, kind: str, *, share: float = 1.0, seed: int = 1, **how: Any) -> None:
        """Make the primary's routes go wrong from now on."""
        rule = {"endpoint": COMPUTE_PATH, "kind": kind, "share": share, **how}
        await self._admin("PUT", "/admin/faults", {"rules": [rule], "seed": seed})

    async def recover(self) -> None:
        """Make them go right again, and count anew."""
        await self._admin("DELETE", "/admin/faults")
        await self._admin("DELETE", "/admin/stats")

    async def attempts(self) -> int:
        """How many calls for routes reached the primary."""
        endpoints = (await self._admin("GET", "/admin/stats")).json()["endpoints"]
        return int(endpoints.get(COMPUTE_PATH, {}).get("attempts", 0))

    @asynccontextmanager
    async def gateway(
        self, *, fallback: bool = True, base_url: str | None = None
    ) -> AsyncIterator[RoutingGateway]:
        """Open a gateway as the product does."""
        self.registry = CollectorRegistry()
        async with open_gateway(
            base_url or self.sandbox_url,
            _CLIENT_ID,
            live(_SECRET),
            self.engine_url if fallback else None,
            self.registry,
            chance=random.Random(7).random,
        ) as gateway:
            yield gateway

    async def naive(self) -> "Naive":
        """Make a naive client, with its token."""
        return Naive(self.http, await _token(self.http))

    @asynccontextmanager
    async def naive_at(self, base_url: str) -> AsyncIterator["Naive"]:
        """Make a naive client of another door, as impatient as the gateway is with an attempt."""
        async with httpx2.AsyncClient(base_url=base_url, timeout=1, limits=_LIMITS) as http:
            yield Naive(http, await _token(http))

    async def _admin(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {_TOKEN}"}
        answer = await self.http.request(method, path, json=body, headers=headers)
        return answer.raise_for_status()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended: whether with an answer that is no estimate, how, and after how long."""

    good: bool
    seconds: float
    freshness: Freshness | None = None
    is_primary: bool = False


@dataclass(frozen=True, slots=True)
class Naive:
    """httpx2 with three tries, as most would write it."""

    http: httpx2.AsyncClient
    token: str

    async def call(self, request: RouteRequest) -> Outcome:
        """Ask for a route."""
        began = time.perf_counter()
        body = {
            "waypoints": [{"lon": at.lon, "lat": at.lat} for at in request.places],
            "profile": request.profile.value,
        }
        headers = {"Authorization": f"Bearer {self.token}", "Bikemap-Version": "2026-09-01"}
        good = False
        for _ in range(_NAIVE_TRIES):
            try:
                answer = await self.http.post(COMPUTE_PATH, json=body, headers=headers)
            except httpx2.HTTPError:
                continue
            good = answer.status_code == _OK
            if good:
                break
        return Outcome(good, time.perf_counter() - began)


def caller(
    gateway: RoutingGateway, deadline_ms: float
) -> Callable[[RouteRequest], Awaitable[Outcome]]:
    """Make the gateway's call."""

    async def call(request: RouteRequest) -> Outcome:
        began = time.perf_counter()
        result = await gateway.ask(request, Deadline.after_ms(deadline_ms))
        good = result.freshness is not Freshness.ESTIMATE
        took_s = time.perf_counter() - began
        return Outcome(good, took_s, result.freshness, result.provider == _PRIMARY)

    return call


async def in_flight(registry: CollectorRegistry, seconds: float) -> float:
    """Return by how many the calls in flight at the primary were ever beyond the limit.

    A limit that shrinks ends no call, so it is looked at from a while after its move.
    """
    await asyncio.sleep(_MOVED_S)
    labels, beyond = {"provider": _PRIMARY, "operation": "route"}, 0.0
    until_s = time.monotonic() + seconds - _MOVED_S
    while time.monotonic() < until_s:
        limit = registry.get_sample_value("tandem_routing_in_flight_limit", labels) or 0.0
        now = registry.get_sample_value("tandem_routing_in_flight", labels) or 0.0
        beyond = max(beyond, now - limit)
        await asyncio.sleep(_WATCH_S)
    return beyond


async def _token(http: httpx2.AsyncClient) -> str:
    form = {"grant_type": "client_credentials"}
    answer = await http.post("/v2/oauth2/token", data=form, auth=(_CLIENT_ID, _SECRET))
    return str(answer.json()["access_token"])


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    """Start everything."""
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        engine = stack.enter_context(ValhallaEngine(prepare_engine(_ENGINE), directory))
        places = sample_points(engine.url, seed=5, count=_POINTS)
        clients = (Client(_CLIENT_ID, (_SECRET,), _ROOMY),)
        app = await stack.enter_async_context(
            open_sandbox(SandboxConfig(engine.url, clients, _TOKEN))
        )
        server = await stack.enter_async_context(HttpServer(app, host="127.0.0.1", port=0))
        http = await stack.enter_async_context(
            httpx2.AsyncClient(base_url=server.url, timeout=5, limits=_LIMITS)
        )
        coordinates = [Coordinate(place.lon, place.lat) for place in places]
        yield Stage(app, server.url, engine.url, http, coordinates, count())
