"""Prefetching with the real gateway: what is hot never goes stale, for so many credits."""

import pytest
from tests.support.bikemap_jobs import compute
from tests.support.fault_server import Reply, Seen
from tests.support.routing import VirtualClock, bikemap, gateway_on, problem, soon
from tests.support.routing_jobs import ends

from tandem.resilience.caller import CALLER
from tandem.resilience.gcra import LocalRateLimit, Plan
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.request import RouteRequest
from tandem.routing.domain.result import Freshness
from tandem.routing.gateway import RoutingGateway
from tandem.routing.limits import CACHE_FRESH_S, PREFETCH_AHEAD_S, PREFETCH_USES_MIN
from tandem.routing.prefetch import HotRequests, Prefetcher
from tandem.routing.providers.bikemap_v2 import COMPUTE_PATH

pytestmark = pytest.mark.anyio

OFTEN = int(PREFETCH_USES_MIN)


def request(index: int) -> RouteRequest:
    """A question like no other."""
    return RouteRequest.through(*(Coordinate(**place) for place in ends(index)))


async def ask(gateway: RoutingGateway, index: int, times: int) -> Freshness:
    """Ask so often; return how fresh the last answer was."""
    for _ in range(times):
        result = await gateway.ask(request(index), soon())
    return result.freshness


def prefetcher(gateway: RoutingGateway, clock: VirtualClock, budget: float = 100) -> Prefetcher:
    """Watch a gateway."""
    hot = HotRequests()
    gateway.on_asked = hot.note
    plan = LocalRateLimit(Plan(budget, 1e9, budget), clock)
    return Prefetcher(hot, gateway, plan)


async def test_what_is_hot_is_fetched_shortly_before_it_is_stale() -> None:
    """Not sooner, not what is asked seldom, and those who ask find it fresh."""
    clock = VirtualClock()
    async with bikemap(compute) as upstream, gateway_on(upstream.url, None, clock=clock) as gateway:
        prefetch = prefetcher(gateway, clock)
        await ask(gateway, 0, OFTEN)
        await ask(gateway, 1, OFTEN - 1)
        assert await prefetch.round() == 0
        clock.advance(CACHE_FRESH_S - PREFETCH_AHEAD_S)
        assert await prefetch.round() == 1
        assert await prefetch.round() == 0
        clock.advance(PREFETCH_AHEAD_S)
        assert await ask(gateway, 0, 1) is Freshness.FRESH_CACHE
        assert upstream.count(COMPUTE_PATH) == 3
        assert await ask(gateway, 1, 1) is not Freshness.FRESH_CACHE


async def test_it_costs_no_more_than_its_credits() -> None:
    """The most asked for first, and then no more."""
    clock = VirtualClock()
    async with bikemap(compute) as upstream, gateway_on(upstream.url, None, clock=clock) as gateway:
        prefetch = prefetcher(gateway, clock, budget=2)
        for index in range(4):
            assert await ask(gateway, index, OFTEN + index) is Freshness.FRESH_CACHE
        clock.advance(CACHE_FRESH_S)
        assert [one.uses for one in prefetch._hot.hottest(4)] == [OFTEN + n for n in (3, 2, 1, 0)]
        assert await prefetch.round() == 2
        assert await prefetch.round() == 0
        assert [await ask(gateway, index, 1) for index in (3, 2)] == [Freshness.FRESH_CACHE] * 2
        assert upstream.count(COMPUTE_PATH) == 6


async def test_a_round_leaves_its_caller_as_it_was() -> None:
    """What is asked after a round, in the same context, counts as live again."""
    clock, before = VirtualClock(), CALLER.get()
    async with bikemap(compute) as upstream, gateway_on(upstream.url, None, clock=clock) as gateway:
        prefetch = prefetcher(gateway, clock)
        await ask(gateway, 0, OFTEN)
        clock.advance(CACHE_FRESH_S)
        assert await prefetch.round() == 1
    assert CALLER.get() == before


async def test_a_provider_in_trouble_is_left_alone() -> None:
    """A failure ends the round, and what is kept stays."""
    clock, is_down = VirtualClock(), False

    def answer(seen: Seen) -> Reply:
        return problem(503, "overloaded") if is_down else compute(seen)

    async with bikemap(answer) as upstream, gateway_on(upstream.url, None, clock=clock) as gateway:
        prefetch = prefetcher(gateway, clock)
        for index in range(3):
            await ask(gateway, index, OFTEN)
        clock.advance(CACHE_FRESH_S - 1)
        is_down = True
        before = upstream.count(COMPUTE_PATH)
        assert await prefetch.round() == 0
        assert upstream.count(COMPUTE_PATH) <= before + 3
        assert await ask(gateway, 2, 1) is Freshness.FRESH_CACHE


def test_what_is_asked_often_is_never_missed() -> None:
    """A crowd of questions asked once drives out none asked often; what fades is forgotten."""
    hot = HotRequests(entries_max=8)
    for index in range(200):
        hot.note(request(0))
        hot.note(request(index + 1))
    assert hot.hottest(1)[0].request == request(0)
    assert len(hot.hottest(100)) == 8
    for _ in range(20):
        hot.fade()
    assert hot.hottest(100) == []
