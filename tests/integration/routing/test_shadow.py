"""Providers compared behind callers' backs, on the real engine and the real sandbox (G18)."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from openfeature import api as openfeature
from openfeature.client import OpenFeatureClient
from prometheus_client import CollectorRegistry
from tests.support.canary import Bench, benched
from tests.support.engine import RunningSandbox
from tests.support.routing import sample, soon

from tandem.platform.flags import FlagFile
from tandem.routing.change.flags import FlaggedShadow, check_flags
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.request import RouteRequest
from tandem.routing.limits import (
    REPORT_DISTANCE_TOLERANCE,
    REPORT_SAMPLES_MIN,
    SHADOW_IN_FLIGHT,
    SHADOW_QUEUE_MAX,
)
from tandem.routing.providers.bikemap_v2 import COMPUTE_PATH
from tandem.routing.storage.change.store import CanaryStore, open_canary_store

pytestmark = pytest.mark.anyio

_PAIR = {"first": "bikemap", "other": "valhalla", "operation": "route"}
_V1_PATH = "/v1/route"
_QUESTIONS = 60


@pytest.fixture
async def store(database_uri: str) -> AsyncIterator[CanaryStore]:
    """The store in a fresh database."""
    async with open_canary_store(database_uri) as opened:
        yield opened


@pytest.fixture
def flagged(tmp_path: Path) -> Callable[..., FlaggedShadow]:
    """Make what chooses by a file of flags."""

    def of(**flags: object) -> FlaggedShadow:
        return FlaggedShadow(_client(tmp_path / "flags.json", flags))

    return of


def _client(path: Path, flags: dict[str, object]) -> OpenFeatureClient:
    named = {f"routing.{name}": value for name, value in flags.items()}
    path.write_text(json.dumps({"flags": named}))
    domain = uuid4().hex
    openfeature.set_provider_and_wait(FlagFile(path, check_flags, CollectorRegistry()), domain)
    return openfeature.get_client(domain)


def _across_helsinki(count: int) -> list[RouteRequest]:
    dice = random.Random(18)

    def somewhere() -> Coordinate:
        return Coordinate(dice.uniform(24.942, 24.949), dice.uniform(60.170, 60.179))

    pairs = [RouteRequest.through(somewhere(), somewhere()) for _ in range(count)]
    return [replace(pair, include=frozenset()) for pair in pairs]


async def _ask_all(bench: Bench) -> None:
    for number, request in enumerate(_across_helsinki(_QUESTIONS)):
        await bench.ask(request)
        if number % SHADOW_IN_FLIGHT == 0:
            await bench.changes.shadow.settled()
    await bench.changes.shadow.settled()


@pytest.mark.parametrize(("factor", "is_flagged"), [(None, False), (1.3, True)])
async def test_a_fallback_that_is_far_off_is_flagged(
    sandbox: RunningSandbox,
    store: CanaryStore,
    valhalla_url: str,
    flagged: Callable[..., FlaggedShadow],
    factor: float | None,
    is_flagged: bool,
) -> None:
    """Distances of all but one in twenty are within 15 % of the primary's, or it is said."""
    if factor is not None:
        sandbox.set_faults({"endpoint": COMPUTE_PATH, "kind": "drift", "factor": factor})
    chosen = flagged(shadow="valhalla", shadow_share=1.0)
    async with benched(sandbox, store, valhalla_url=valhalla_url, flagged=chosen) as bench:
        await _ask_all(bench)
        (line,) = bench.changes.report.lines()
        assert line.compared >= REPORT_SAMPLES_MIN
        assert line.is_flagged is is_flagged
        assert (line.distance_off_p95 > REPORT_DISTANCE_TOLERANCE) is is_flagged
        gauge = sample(bench.registry, "tandem_routing_distance_off_ratio", _PAIR)
        assert gauge == line.distance_off_p95
        assert set(bench.served) == {"bikemap"}


async def test_callers_do_not_wait_for_it(
    sandbox: RunningSandbox, store: CanaryStore, flagged: Callable[..., FlaggedShadow]
) -> None:
    """The answer is there before the other is asked; what is too much is dropped and counted."""
    begin = asyncio.Event()

    async def pause(_seconds: float) -> None:
        await begin.wait()

    chosen = flagged(shadow="bikemap_v1", shadow_share=1.0)
    too_many = 7
    async with benched(sandbox, store, flagged=chosen, pause=pause) as bench:
        for request in _across_helsinki(SHADOW_IN_FLIGHT + SHADOW_QUEUE_MAX + too_many):
            await bench.gateway.ask(request, soon())
        assert _V1_PATH not in sandbox.stats()
        outcome = "tandem_routing_shadow_calls_total"
        assert sample(bench.registry, outcome, {"outcome": "dropped"}) == too_many
        begin.set()
        await bench.changes.shadow.settled()
        (line,) = bench.changes.report.lines()
        assert line.compared == SHADOW_IN_FLIGHT + SHADOW_QUEUE_MAX
        assert sandbox.stats()[_V1_PATH]["attempts"] == line.compared


async def test_what_is_not_asked_costs_nothing(
    sandbox: RunningSandbox, store: CanaryStore, flagged: Callable[..., FlaggedShadow]
) -> None:
    """What the other's breaker turns away takes no credits of the shadow."""
    sandbox.set_faults({"endpoint": _V1_PATH, "kind": "status", "status": 500})
    chosen = flagged(shadow="bikemap_v1", shadow_share=1.0)
    async with benched(sandbox, store, flagged=chosen, credits_per_hour=_QUESTIONS / 2) as bench:
        await _ask_all(bench)
        calls = "tandem_routing_shadow_calls_total"
        assert sample(bench.registry, calls, {"outcome": "locally_rejected"}) > _QUESTIONS / 2
        assert sample(bench.registry, calls, {"outcome": "no_credits"}) == 0


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"shadow": "bikemap_v1"},
        {"shadow": "bikemap_v1", "shadow_share": 1.0, "killed": ["bikemap_v1"]},
        {"shadow": "bikemap_v1", "shadow_share": 1.0, "killed": ["bikemap_v1.route"]},
        {"shadow": "bikemap", "shadow_share": 1.0},
    ],
)
async def test_nobody_is_asked_whom_flags_do_not_want(
    sandbox: RunningSandbox,
    store: CanaryStore,
    flagged: Callable[..., FlaggedShadow],
    flags: dict[str, object],
) -> None:
    """No share, a kill switch, or the one who answered: nothing is compared."""
    async with benched(sandbox, store, flagged=flagged(**flags)) as bench:
        for request in _across_helsinki(3):
            await bench.ask(request)
        await bench.changes.shadow.settled()
        assert bench.changes.report.lines() == []


async def test_a_share_of_the_questions(
    sandbox: RunningSandbox, store: CanaryStore, flagged: Callable[..., FlaggedShadow]
) -> None:
    """About as many are compared as the share says, and the same ones every time."""
    chosen = flagged(shadow="bikemap_v1", shadow_share=0.3)
    async with benched(sandbox, store, flagged=chosen) as bench:
        await _ask_all(bench)
        (line,) = bench.changes.report.lines()
        assert 0.1 * _QUESTIONS < line.compared < 0.5 * _QUESTIONS
