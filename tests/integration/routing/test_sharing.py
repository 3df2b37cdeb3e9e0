"""Who asks the same at the same time shares one call, and none is worse off for it."""

import asyncio
from dataclasses import replace

import pytest
from tests.support.fault_server import FaultServer, Reply, Seen, json_reply
from tests.support.routing import (
    MARKET,
    REQUEST,
    STATION,
    always,
    between,
    bikemap,
    compute_answer,
    encode_line,
    gateway_on,
    problem,
    soon,
)

from tandem.resilience.caller import CALLER, Caller, Partition
from tandem.routing.domain.coordinate import great_circle_m
from tandem.routing.domain.preference import BicycleProfile
from tandem.routing.domain.request import RouteRequest
from tandem.routing.domain.result import Freshness, RouteResult
from tandem.routing.gateway import RoutingGateway
from tandem.routing.limits import ATTEMPTS_MAX
from tandem.routing.providers.bikemap_v2 import COMPUTE_PATH

pytestmark = pytest.mark.anyio

_FINE = json_reply(200, compute_answer())
_IMPATIENT_MS = 200
_PATIENT_MS = 10_000


class _Held:
    """A script that answers once its gate is open; `asked` counts who waits there."""

    def __init__(self, reply: Reply) -> None:
        self.gate = asyncio.Event()
        self.asked = asyncio.Semaphore(0)
        self._reply = replace(reply, wait_for=self.gate)

    def __call__(self, _seen: Seen) -> Reply:
        """Answer, later."""
        self.asked.release()
        return self._reply


def _known() -> Reply:
    """Return what a Valhalla says that knows the way."""
    summary = {"length": great_circle_m(MARKET, STATION) / 1_000, "time": 200.0}
    leg = {"summary": summary, "shape": encode_line(between(MARKET, STATION))}
    trip = {"summary": summary, "legs": [leg], "units": "kilometers", "status": 0}
    return json_reply(200, {"trip": trip, "height": []})


def _begun(
    gateway: RoutingGateway, request: RouteRequest, partition: Partition, timeout_ms: float
) -> asyncio.Task[RouteResult]:
    async def ask() -> RouteResult:
        CALLER.set(Caller(partition))  # the context is this task's own
        return await gateway.ask(request, soon(timeout_ms))

    return asyncio.create_task(ask())


async def test_an_impatient_caller_spoils_nothing_for_the_patient() -> None:
    """The first caller's time is up before the answer is there; the others wait for theirs."""
    held = _Held(_FINE)
    async with bikemap(held) as primary, gateway_on(primary.url, None) as gateway:
        first = _begun(gateway, REQUEST, Partition.LIVE, _IMPATIENT_MS)
        await held.asked.acquire()
        others = [_begun(gateway, REQUEST, Partition.LIVE, _PATIENT_MS) for _ in range(20)]
        assert (await first).freshness is Freshness.ESTIMATE
        await held.asked.acquire()
        held.gate.set()
        results = await asyncio.gather(*others)
        assert {(one.provider, one.degraded) for one in results} == {("bikemap", False)}
        # One for the impatient, one for all the others together.
        assert primary.count(COMPUTE_PATH) == 2


async def test_a_batch_that_yields_spoils_nothing_for_who_waits() -> None:
    """A batch's call that found no slot and went elsewhere is made again for a live caller."""
    held, held_engine = _Held(_FINE), _Held(_known())
    one, other = (
        RouteRequest.through(*REQUEST.places, profile=profile)
        for profile in (BicycleProfile.ROAD, BicycleProfile.MTB)
    )
    async with (
        bikemap(held) as primary,
        FaultServer(held_engine) as engine,
        gateway_on(primary.url, engine.url) as gateway,
    ):
        # All the slots that batches have are taken, so their third call goes to the fallback.
        slots = [_begun(gateway, each, Partition.BATCH, _PATIENT_MS) for each in (one, other)]
        await held.asked.acquire()
        await held.asked.acquire()
        third = _begun(gateway, REQUEST, Partition.BATCH, _PATIENT_MS)
        await held_engine.asked.acquire()
        live = _begun(gateway, REQUEST, Partition.LIVE, _PATIENT_MS)
        await asyncio.sleep(0)
        held.gate.set()
        held_engine.gate.set()
        assert ((await third).provider, (await third).degraded) == ("valhalla", True)
        assert ((await live).provider, (await live).degraded) == ("bikemap", False)
        await asyncio.gather(*slots)


async def test_an_outage_is_not_asked_about_twice() -> None:
    """Callers on equal terms do not ask again where nobody answered."""
    down = problem(503, "overloaded")
    async with bikemap(always(down)) as primary, gateway_on(primary.url, None) as gateway:
        calls = (gateway.ask(REQUEST, soon(_PATIENT_MS)) for _ in range(50))
        results = await asyncio.gather(*calls)
        assert {one.freshness for one in results} == {Freshness.ESTIMATE}
        assert primary.count(COMPUTE_PATH) <= ATTEMPTS_MAX
