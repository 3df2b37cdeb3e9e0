"""A process with a gateway that is offered more calls than its provider's plan allows.

`python -m tests.support.offering <sandbox> <database> <Offer as JSON> <seed>` says `ready`, is told
on its input until when (unix seconds), and then prints as JSON what calls cost by its account, and
how many of them the provider answered.
"""

import asyncio
import json
import random
import sys
import time
from dataclasses import asdict, dataclass

from prometheus_client import CollectorRegistry
from tests.support.routing import MARKET, STATION
from tests.support.sandbox import CLIENT_ID, CLIENT_SECRET

from tandem.platform.rate_limit import open_rate_limits
from tandem.platform.secrets import live
from tandem.resilience.deadline import Deadline
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.request import RouteRequest
from tandem.routing.gateway import RoutingGateway
from tandem.routing.quota import ProviderPlan, Quota
from tandem.routing.service import open_gateway

PROCESSES = 4
_LEASE_S = 0.05
_DEADLINE_MS = 2_000


@dataclass(frozen=True, slots=True)
class Offer:
    """A plan in a window of test size, and the calls a second of one process."""

    credits: float
    window_s: float
    at_once: float
    late_s: float
    requests_per_s: float | None
    calls_per_s: float

    def plan(self) -> ProviderPlan:
        """Return the plan."""
        return ProviderPlan(
            self.credits, self.requests_per_s, self.at_once, self.window_s, self.late_s
        )

    def as_json(self) -> str:
        """Write it for the command line."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Account:
    """What a process made of its offer."""

    credits: float
    answered: int
    calls: int


def _anywhere(chance: random.Random) -> RouteRequest:
    """Draw a question that hardly anybody asked before, on the map of the sandbox."""
    share = chance.random()
    start = Coordinate(
        round(STATION.lon + share * (MARKET.lon - STATION.lon), 6),
        round(STATION.lat + share * (MARKET.lat - STATION.lat), 6),
    )
    end = Coordinate(round(MARKET.lon + chance.uniform(0, 0.001), 6), MARKET.lat)
    return RouteRequest.through(start, end)


async def _offer(
    gateway: RoutingGateway, offer: Offer, seed: int, until_s: float
) -> tuple[int, int]:
    """Ask at a steady rate, whatever comes of it; returns how many were answered, of how many."""
    chance, calls = random.Random(seed), list[asyncio.Task[bool]]()

    async def call(request: RouteRequest) -> bool:
        result = await gateway.ask(request, Deadline.after_ms(_DEADLINE_MS))
        return result.provider == "bikemap"

    while time.time() < until_s:
        calls.append(asyncio.create_task(call(_anywhere(chance))))
        await asyncio.sleep(chance.expovariate(offer.calls_per_s))
    return sum(await asyncio.gather(*calls)), len(calls)


async def run(url: str, database: str, offer: Offer, seed: int) -> Account:
    """Offer calls until the moment that it is told."""
    registry = CollectorRegistry()
    async with (
        open_rate_limits(database, PROCESSES, _LEASE_S) as limited,
        open_gateway(
            url,
            CLIENT_ID,
            live(CLIENT_SECRET),
            None,
            registry,
            quotas={"bikemap": Quota.of("bikemap", offer.plan(), limited)},
        ) as gateway,
    ):
        print("ready", flush=True)  # noqa: T201 - its answer
        until_s = float(await asyncio.to_thread(sys.stdin.readline))
        answered, calls = await _offer(gateway, offer, seed, until_s)
    labels = {"provider": "bikemap"}
    spent = registry.get_sample_value("tandem_routing_credits_total", labels) or 0.0
    return Account(spent, answered, calls)


if __name__ == "__main__":
    sandbox, uri, offered, number = sys.argv[1:]
    account = asyncio.run(run(sandbox, uri, Offer(**json.loads(offered)), int(number)))
    print(json.dumps(asdict(account)))  # noqa: T201 - its answer
