"""Who asks the same at the same time shares one call, and none is worse off for it."""

import asyncio

import pytest
from tests.support.fault_server import FaultServer, Reply, json_reply
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


def _held(gate: asyncio.Event) -> Reply:
    return Reply(200, _FINE.body, _FINE.headers, wait_for=gate)


def _engine(gate: asyncio.Event) -> FaultServer:
    """A scripted Valhalla that knows the way once the gate is open."""
    summary = {"length": great_circle_m(MARKET, STATION) / 1_000, "time": 200.0}
    leg = {"summary": summary, "shape": encode_line(between(MARKET, STATION))}
    trip = {"summary": summary, "legs": [leg], "units": "kilometers", "status": 0}
    known = json_reply(200, {"trip": trip, "height": []})
    return FaultServer(always(Reply(200, known.body, known.headers, wait_for=gate)))


async def _asked(server: FaultServer, path: str, times: int) -> None:
    """Wait until a server was asked so often."""
    async with asyncio.timeout(_PATIENT_MS / 1_000):
        while server.count(path) < times:
            await asyncio.sleep(0)


def _begun(
    gateway: RoutingGateway, request: RouteRequest, partition: Partition, timeout_ms: float
) -> asyncio.Task[RouteResult]:
    async def ask() -> RouteResult:
        CALLER.set(Caller(partition))  # the context is this task's own
        return await gateway.ask(request, soon(timeout_ms))

    return asyncio.create_task(ask())


async def test_an_impatient_caller_spoils_nothing_for_the_patient() -> None:
    """The first caller's time is up before the answer is there; the others wait for theirs."""
    gate = asyncio.Event()
    async with bikemap(always(_held(gate))) as primary, gateway_on(primary.url, None) as gateway:
        first = _begun(gateway, REQUEST, Partition.LIVE, _IMPATIENT_MS)
        await _asked(primary, COMPUTE_PATH, 1)
        others = [_begun(gateway, REQUEST, Partition.LIVE, _PATIENT_MS) for _ in range(20)]
        assert (await first).freshness is Freshness.ESTIMATE
        await _asked(primary, COMPUTE_PATH, 2)
        gate.set()
        results = await asyncio.gather(*others)
        assert {(one.provider, one.degraded) for one in results} == {("bikemap", False)}
        # One for the impatient, one for all the others together.
        assert primary.count(COMPUTE_PATH) == 2


async def test_a_batch_that_yields_spoils_nothing_for_who_waits() -> None:
    """A batch's call that found no slot and went elsewhere is made again for a live caller."""
    gate, engine_gate = asyncio.Event(), asyncio.Event()
    one, other = (
        RouteRequest.through(*REQUEST.places, profile=profile)
        for profile in (BicycleProfile.ROAD, BicycleProfile.MTB)
    )
    async with (
        bikemap(always(_held(gate))) as primary,
        _engine(engine_gate) as engine,
        gateway_on(primary.url, engine.url) as gateway,
    ):
        # All the slots that batches have are taken, so their third call goes to the fallback.
        slots = [_begun(gateway, each, Partition.BATCH, _PATIENT_MS) for each in (one, other)]
        await _asked(primary, COMPUTE_PATH, 2)
        third = _begun(gateway, REQUEST, Partition.BATCH, _PATIENT_MS)
        await _asked(engine, "/route", 1)
        live = _begun(gateway, REQUEST, Partition.LIVE, _PATIENT_MS)
        await asyncio.sleep(0)
        gate.set()
        engine_gate.set()
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
