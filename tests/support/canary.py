"""A canary over both versions of a real sandbox, in virtual time."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count

from anyio.lowlevel import checkpoint
from prometheus_client import CollectorRegistry
from tests.support.engine import RunningSandbox
from tests.support.routing import MARKET, STATION, VirtualClock, soon

from tandem.platform.secrets import live
from tandem.resilience.gcra import LocalRateLimit, Plan
from tandem.routing.change.canary import STAGES, Canary
from tandem.routing.change.changes import Changes, ShadowOf
from tandem.routing.change.conductor import Conductor
from tandem.routing.change.operator import Operator
from tandem.routing.change.plan import is_within
from tandem.routing.change.report import Report
from tandem.routing.change.shadow import Shadow
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.request import RouteRequest
from tandem.routing.gateway import RoutingGateway
from tandem.routing.service import open_gateway
from tandem.routing.storage.change.store import CanaryStore

CANDIDATE, BASELINE = "bikemap", "bikemap_v1"
CALLS_PER_S = 10


def _requests() -> Iterator[RouteRequest]:
    dice = random.Random(11)
    for _ in count():
        shifts = [dice.uniform(-1e-3, 1e-3) for _ in range(2)]
        start = Coordinate(MARKET.lon + shifts[0], MARKET.lat + shifts[1])
        yield replace(RouteRequest.through(start, STATION), include=frozenset())


@dataclass(slots=True)
class Bench:
    """One process of a canary, and the time."""

    gateway: RoutingGateway
    changes: Changes
    conductor: Conductor
    operator: Operator
    store: CanaryStore
    clock: VirtualClock
    registry: CollectorRegistry
    requests: Iterator[RouteRequest] = field(default_factory=_requests)
    served: dict[str, int] = field(default_factory=dict)

    @property
    def canary(self) -> Canary:
        """The canary as this process knows it."""
        assert self.conductor.canary is not None
        return self.conductor.canary

    async def ask(self, request: RouteRequest) -> None:
        """Ask, and note who answered."""
        name = (await self.gateway.ask(request, soon())).provider
        self.served[name] = self.served.get(name, 0) + 1

    async def second(self) -> None:
        """Let a second pass with the usual calls, and see what is decided."""
        for _ in range(CALLS_PER_S):
            await self.ask(next(self.requests))
        await self.look()

    async def look(self) -> None:
        """Let a second pass, and see what is decided."""
        await self.changes.shadow.settled()
        self.clock.advance(1.0)
        await self.conductor.step()

    async def start_at(self, stage: int) -> None:
        """Start a canary that has come this far."""
        canary = await self.operator.start(CANDIDATE, BASELINE)
        for reached in range(1, stage + 1):
            canary = _at(canary, reached)
            assert await self.store.move(canary)
        await self.conductor.step()
        assert self.canary.share == STAGES[stage]

    def chosen(self, stage: int) -> Iterator[RouteRequest]:
        """Requests that go to the candidate in a stage; in the first, to the old version."""
        share = STAGES[stage]
        return (
            request
            for request in self.requests
            if not share or is_within(share, f"canary {CANDIDATE}", request.key())
        )


def _at(canary: Canary, stage: int) -> Canary:
    return replace(canary, version=canary.version + 1, stage=stage, reason="as a test wants it")


async def _at_once(_seconds: float) -> None:
    await checkpoint()


@asynccontextmanager
async def benched(
    sandbox: RunningSandbox,
    store: CanaryStore,
    *,
    credits_per_hour: float = 1e6,
    valhalla_url: str | None = None,
    flagged: ShadowOf | None = None,
    pause: Callable[[float], Awaitable[object]] = _at_once,
) -> AsyncIterator[Bench]:
    """Open one process."""
    clock, registry = VirtualClock(), CollectorRegistry()
    conductor = Conductor(store, clock, clock)
    plan = None
    if credits_per_hour:
        burst = min(1_000.0, credits_per_hour)
        plan = LocalRateLimit(Plan(credits_per_hour, 3_600.0, burst), clock)
    report = Report(registry)
    shadow = Shadow(plan, registry, clock, pause)
    changes = Changes(shadow, report, conductor, flagged)
    async with open_gateway(
        sandbox.url,
        sandbox.client_id,
        live(sandbox.client_secret),
        valhalla_url,
        registry,
        bikemap_v1_keys=live(sandbox.client_secret),
        changes=changes,
        utc_s=clock,
    ) as gateway:
        names = [one.provider.name for one in gateway.upstreams]
        operator = Operator(store, names, clock, has_credits=shadow.has_credits)
        yield Bench(gateway, changes, conductor, operator, store, clock, registry)
