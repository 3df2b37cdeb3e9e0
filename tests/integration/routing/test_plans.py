"""Providers' plans are kept by all processes together, and used (G10)."""

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from typing import Final

import pytest
from prometheus_client import CollectorRegistry
from tests.support.engine import RunningSandbox
from tests.support.fault_server import json_reply
from tests.support.offering import PROCESSES, Account, Offer
from tests.support.routing import (
    MARKET,
    STATION,
    bikemap,
    compute_answer,
    gateway_on,
    problem,
    sample,
    soon,
)
from tests.support.sandbox import Sandbox, served_sandbox

from tandem.platform.config import load_settings
from tandem.platform.errors import SettingsError
from tandem.platform.rate_limit import migrate_rate_limit
from tandem.platform.webhooks.sealing import KEY_BYTES, SecretBox
from tandem.routing.composition import open_routing
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.request import RouteRequest
from tandem.routing.gateway import RoutingGateway
from tandem.routing.providers.bikemap_v2 import COMPUTE_PATH
from tandem.sandbox.metering import Plan

pytestmark = pytest.mark.anyio

_OFFERED: Final = 3  # times the plan


@dataclass(frozen=True, slots=True)
class _Run:
    """A plan: credits or requests a second, its window, what may come at once, how late calls are.

    And for how long it is tried, and what is wanted of the outcome.
    """

    rate: int
    window_s: int
    at_once: float
    late_s: float
    seconds: float
    used_min: float
    astray_max: float

    @property
    def calls_per_s(self) -> float:
        """What each process is offered."""
        return _OFFERED * self.rate / PROCESSES


# In the suite other work may stop everything: less is offered, what flowed in meanwhile is lost,
# what a call cost that was given up is estimated. Of a day that is nothing, of a moment it is much.
_RUNS: Final = [
    _Run(5, 20, at_once=0.08, late_s=2, seconds=24, used_min=0.6, astray_max=0.5),
    pytest.param(
        _Run(10, 120, at_once=0.02, late_s=2, seconds=600, used_min=0.95, astray_max=0.01),
        marks=pytest.mark.drill,
    ),
]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What four processes made of a plan, and what the provider says of them."""

    accounts: list[Account]
    by_status: dict[str, int]
    credits: float


async def _offered(
    sandbox: Sandbox,
    database_uri: str,
    seconds: float,
    offer: Offer,
) -> _Outcome:
    """Let four processes be offered three times a plan."""
    await asyncio.to_thread(migrate_rate_limit, database_uri)
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            *(
                "-m",
                "tests.support.offering",
                sandbox.url,
                database_uri,
                offer.as_json(),
                str(seed),
            ),
            stdin=PIPE,
            stdout=PIPE,
        )
        for seed in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    began_s = time.time()
    until_s = f"{began_s + seconds}\n".encode()
    answers = await asyncio.gather(*(process.communicate(until_s) for process in processes))
    assert [process.returncode for process in processes] == [0] * PROCESSES
    traffic = (await sandbox.stats())[COMPUTE_PATH]
    accounts = [Account(**json.loads(output)) for output, _ in answers]
    return _Outcome(accounts, traffic["by_status"], traffic["credits"])


def _check(outcome: _Outcome, run: _Run) -> None:
    """No 429 at all, of the plan enough is used, and both accounts agree."""
    assert "429" not in outcome.by_status
    assert outcome.by_status["200"] >= run.used_min * run.rate * run.seconds
    ours = sum(account.credits for account in outcome.accounts)
    assert 0.99 * outcome.credits <= ours <= (1 + run.astray_max) * outcome.credits
    offered = sum(account.calls for account in outcome.accounts)
    assert offered >= 1.2 * run.rate * run.seconds


@pytest.mark.parametrize("run", _RUNS)
async def test_credits_are_kept_and_used(valhalla_url: str, database_uri: str, run: _Run) -> None:
    """Four processes, offered three times the plan, take it and no more."""
    amount = run.rate * run.window_s
    plan = Plan("test", 1_000, 1, amount, run.window_s)
    async with served_sandbox(valhalla_url, plan) as sandbox:
        at_once = run.at_once * amount
        offer = Offer(amount, run.window_s, at_once, run.late_s, None, run.calls_per_s)
        outcome = await _offered(sandbox, database_uri, run.seconds, offer)
    _check(outcome, run)


@pytest.mark.parametrize("run", _RUNS)
async def test_requests_are_paced(valhalla_url: str, database_uri: str, run: _Run) -> None:
    """As with credits, where it is the requests a second that are few."""
    plan = Plan("test", run.rate, 1, 1_000_000)
    async with served_sandbox(valhalla_url, plan) as sandbox:
        offer = Offer(1e6, run.window_s, 1e5, run.late_s, run.rate, run.calls_per_s)
        outcome = await _offered(sandbox, database_uri, run.seconds, offer)
    _check(outcome, run)


async def _who_answers(gateway: RoutingGateway, number: int) -> str:
    """Ask a question like no other."""
    start = Coordinate(MARKET.lon + number * 1e-5, MARKET.lat)
    return (await gateway.ask(RouteRequest.through(start, STATION), soon())).provider


async def test_servers_of_one_database_share_the_plan(
    sandbox: RunningSandbox, database_uri: str
) -> None:
    """As the settings say; what is beyond it falls back, and is counted."""
    settings = load_settings(
        bikemap_base_url=sandbox.url,
        bikemap_client_id=sandbox.client_id,
        bikemap_client_secret=sandbox.client_secret,
        bikemap_credits_per_day=100,
        bikemap_credits_at_once=4.9,
    )
    registry, box = CollectorRegistry(), SecretBox(bytes(KEY_BYTES))
    async with (
        open_routing(settings, database_uri, box, CollectorRegistry()) as one,
        open_routing(settings, database_uri, box, registry) as other,
    ):
        first = [await _who_answers(one.gateway, number) for number in range(2)]
        then = [await _who_answers(other.gateway, number) for number in range(2, 6)]
    assert (first, then) == (["bikemap"] * 2, ["bikemap"] * 2 + ["estimate"] * 2)
    labels = {"provider": "bikemap"}
    assert sample(registry, "tandem_routing_credits_total", labels) == 2
    reason = {**labels, "reason": "rate_limit"}
    assert sample(registry, "tandem_routing_local_rejections_total", reason) == 2


async def test_without_a_plan_credits_are_counted_all_the_same(
    sandbox: RunningSandbox, database_uri: str
) -> None:
    """So that one can see which plan to pay for."""
    settings = load_settings(bikemap_base_url=sandbox.url, bikemap_v1_keys=sandbox.client_secret)
    registry, box = CollectorRegistry(), SecretBox(bytes(KEY_BYTES))
    async with open_routing(settings, database_uri, box, registry) as routing:
        answers = [await _who_answers(routing.gateway, number) for number in range(3)]
    assert answers == ["bikemap_v1"] * 3
    labels = {"provider": "bikemap_v1"}
    assert sample(registry, "tandem_routing_credits_total", labels) == 3
    assert sample(registry, "tandem_routing_credits_left", labels) > 0


async def test_every_attempt_is_paid_for() -> None:
    """One that failed without a word of its cost, by the estimate; with one, by that."""
    replies = [
        problem(503, "overloaded"),
        problem(503, "overloaded", **{"Bikemap-Credits": "0"}),
        json_reply(200, compute_answer(), **{"Bikemap-Credits": "2.5"}),
    ]
    registry = CollectorRegistry()
    async with (
        bikemap(lambda _seen: replies.pop(0)) as server,
        gateway_on(server.url, None, registry=registry) as gateway,
    ):
        assert await _who_answers(gateway, 0) == "bikemap"
    assert sample(registry, "tandem_routing_credits_total", {"provider": "bikemap"}) == 3.5


def test_a_plan_that_could_all_come_at_once_is_none() -> None:
    """It would leave nothing to flow in."""
    with pytest.raises(SettingsError, match="bikemap_credits_at_once is a part of"):
        load_settings(bikemap_credits_per_day=10, bikemap_credits_at_once=10)


async def test_a_plan_too_small_to_be_shared_is_told(database_uri: str) -> None:
    """At the start, by name."""
    settings = load_settings(
        bikemap_base_url="http://127.0.0.1:1",
        bikemap_v1_keys="k",
        bikemap_credits_per_day=1e9,
        bikemap_credits_at_once=1,
    )
    box = SecretBox(bytes(KEY_BYTES))
    with pytest.raises(SettingsError, match=r"the plan of a provider: .* cannot be leased"):
        async with open_routing(settings, database_uri, box, CollectorRegistry()):
            pass
