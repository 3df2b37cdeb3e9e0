"""Places, routes and a scripted Bikemap for the routing tests."""

import json
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry
from tests.support.fault_server import FaultServer, Reply, Seen, json_reply

from tandem.platform.secrets import live
from tandem.resilience.deadline import Deadline
from tandem.routing.domain import polyline
from tandem.routing.domain.answers import Routes
from tandem.routing.domain.coordinate import Coordinate, great_circle_m
from tandem.routing.domain.request import RouteRequest
from tandem.routing.domain.route import Route
from tandem.routing.gateway import RoutingGateway
from tandem.routing.providers.bikemap_v2 import COMPUTE_PATH, TOKEN_PATH
from tandem.routing.providers.port import Provider
from tandem.routing.service import Choose, open_gateway
from tandem.routing.storage.cache.store import CacheStore

CLIENT_ID, CLIENT_SECRET = "tests", "canary-secret-of-the-tests"
MARKET = Coordinate(lon=24.9469, lat=60.1784)
STATION = Coordinate(lon=24.9413, lat=60.1712)
REQUEST = RouteRequest.through(MARKET, STATION)

PRIMARY_ROUTES = {"provider": "bikemap", "operation": "route"}

type Compute = Callable[[Seen], Reply]


@dataclass(slots=True)
class VirtualClock:
    """Monotonic seconds that pass only when told to."""

    now_s: float = 1_000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds


def soon(timeout_ms: float = 10_000) -> Deadline:
    """Return a real deadline."""
    return Deadline.after_ms(timeout_ms)


async def best_route(provider: Provider, request: RouteRequest, deadline: Deadline) -> Route:
    """Ask a provider for a route."""
    answer = (await provider.call(request, deadline)).answer
    assert isinstance(answer, Routes)
    return answer.best


def between(one: Coordinate, other: Coordinate) -> tuple[Coordinate, ...]:
    """Return a straight line of three vertices."""
    lon, lat = (one.lon + other.lon) / 2, (one.lat + other.lat) / 2
    middle = Coordinate(round(lon, 6), round(lat, 6))
    return one, middle, other


def encode_line(line: tuple[Coordinate, ...]) -> str:
    """Write a line as the providers do."""
    return polyline.encode(line, 6)


def compute_answer(**changes: Any) -> dict[str, Any]:
    """Return the body of a true answer for REQUEST, with members of the route replaced."""
    line = between(MARKET, STATION)
    distance_m = great_circle_m(MARKET, STATION)
    route = {
        "id": "rt_1",
        "distance_m": distance_m,
        "duration_s": distance_m / 4,
        "ascent_m": 5.0,
        "descent_m": 3.0,
        "geometry": {"format": "polyline6", "dims": 2, "polyline": encode_line(line)},
        "bbox": [STATION.lon, MARKET.lat, MARKET.lon, STATION.lat],
        "legs": [
            {
                "distance_m": distance_m,
                "duration_s": distance_m / 4,
                "begin": 0,
                "end": 2,
                "steps": [],
            }
        ],
        "segments": [],
    }
    return {
        "routes": [route | changes],
        "waypoints": [],
        "warnings": [],
        "attribution": ["© Test"],
        "data_version": "1",
    }


def problem(status: int, code: str, **headers: str) -> Reply:
    """Answer a problem of the contract."""
    body = {"type": f"urn:test:{code}", "title": "No", "status": status, "code": code}
    return json_reply(status, body, **headers)


def always(reply: Reply) -> Compute:
    """Answer the same to everything."""
    return lambda _seen: reply


def bikemap(compute: Compute, *, expires_in: int = 3_600) -> FaultServer:
    """Make a server that gives tokens (t1, t2, …) and leaves the rest to `compute`."""
    issued = 0

    def script(seen: Seen) -> Reply:
        nonlocal issued
        if seen.path == TOKEN_PATH:
            issued += 1
            token = {"access_token": f"t{issued}", "token_type": "Bearer", "expires_in": expires_in}
            return json_reply(200, token)
        if seen.path == COMPUTE_PATH:
            return compute(seen)
        return problem(404, "request.not_found")

    return FaultServer(script)


@asynccontextmanager
async def gateway_on(
    bikemap_url: str | None,
    valhalla_url: str | None,
    *,
    clock: Callable[[], float] = time.monotonic,
    registry: CollectorRegistry | None = None,
    store: CacheStore | None = None,
    choose: Choose | None = None,
    seed: int = 1,
) -> AsyncIterator[RoutingGateway]:
    """Open a gateway as the product does."""
    async with open_gateway(
        bikemap_url,
        CLIENT_ID,
        live(CLIENT_SECRET),
        valhalla_url,
        registry or CollectorRegistry(),
        clock=clock,
        utc_s=clock,
        jitter=lambda: 0.5,
        store=store,
        choose=choose,
        chance=random.Random(seed).random,
    ) as gateway:
        yield gateway


def sample(registry: CollectorRegistry, name: str, labels: Mapping[str, str]) -> float:
    """Read one value of the metrics, 0 where it was never counted."""
    return registry.get_sample_value(name, dict(labels)) or 0.0


def body_of(seen: Seen) -> Any:
    """Parse a request's body."""
    return json.loads(seen.body)
