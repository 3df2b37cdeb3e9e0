"""The gateway over real HTTP: which answer comes when, how it is labelled, and who is asked."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry
from tests.support.fault_server import FaultServer, Reply, Seen, html_reply, json_reply
from tests.support.routing import (
    CLIENT_ID,
    CLIENT_SECRET,
    MARKET,
    PRIMARY_ROUTES,
    REQUEST,
    STATION,
    VirtualClock,
    always,
    between,
    bikemap,
    compute_answer,
    encode_line,
    gateway_on,
    problem,
    sample,
    soon,
)

from tandem.platform.secrets import live
from tandem.resilience.deadline import Deadline
from tandem.resilience.limiter import LimiterSettings
from tandem.routing.domain.area import Area
from tandem.routing.domain.coordinate import Coordinate, great_circle_m
from tandem.routing.domain.errors import (
    DeadlineExceeded,
    InvalidRequest,
    NoRoute,
    OutOfCoverage,
    Refusal,
    TooLong,
)
from tandem.routing.domain.preference import BicycleProfile
from tandem.routing.domain.request import Request, RouteRequest
from tandem.routing.domain.result import Freshness, RouteResult
from tandem.routing.gateway import RoutingGateway
from tandem.routing.metrics import RoutingMetrics
from tandem.routing.providers.bikemap_v2 import COMPUTE_PATH, BikemapV2
from tandem.routing.providers.port import Answered
from tandem.routing.providers.valhalla import Valhalla
from tandem.routing.service import gateway_over
from tandem.routing.upstream import Policy, Upstream

pytestmark = pytest.mark.anyio

_FINE = json_reply(200, compute_answer())
_DOWN = problem(503, "overloaded")
_PATIENT_MS = 10_000
_FOUR = LimiterSettings(initial=4, limit_min=4, limit_max=4)


def _engine(reply: Reply | None = None) -> FaultServer:
    """A scripted Valhalla: by default it knows the way and no heights."""
    summary = {"length": great_circle_m(MARKET, STATION) / 1_000, "time": 200.0}
    leg = {"summary": summary, "shape": encode_line(between(MARKET, STATION))}
    trip = {"summary": summary, "legs": [leg], "units": "kilometers", "status": 0}
    known = json_reply(200, {"trip": trip})

    def script(seen: Seen) -> Reply:
        return reply or (known if seen.path == "/route" else json_reply(200, {"height": []}))

    return FaultServer(script)


def _label(result: RouteResult) -> tuple[str, Freshness, bool]:
    return result.provider, result.freshness, result.degraded


_LIVE = ("bikemap", Freshness.LIVE, False)
_FRESH = ("bikemap", Freshness.FRESH_CACHE, False)
_STALE = ("bikemap", Freshness.STALE_CACHE, True)
_FALLBACK = ("valhalla", Freshness.LIVE, True)
_ESTIMATE = ("estimate", Freshness.ESTIMATE, True)


async def _ask(gateway: RoutingGateway, request: RouteRequest = REQUEST) -> RouteResult:
    return await gateway.ask(request, soon(_PATIENT_MS))


async def test_live_then_fresh_then_live() -> None:
    """A route is live at first, then comes from the cache for five minutes, then live again."""
    clock = VirtualClock()
    async with (
        bikemap(always(_FINE)) as primary,
        gateway_on(primary.url, None, clock=clock) as gateway,
    ):
        first = await _ask(gateway)
        assert _label(first) == _LIVE
        assert (first.attribution, first.age_s) == (("© Test",), 0)
        clock.advance(299)
        again = await _ask(gateway)
        assert _label(again) == _FRESH
        assert (again.route, again.attribution, again.age_s) == (first.route, ("© Test",), 299)
        other = RouteRequest.through(*REQUEST.places, profile=BicycleProfile.MTB)
        assert _label(await _ask(gateway, other)) == _LIVE
        clock.advance(2)
        assert _label(await _ask(gateway)) == _LIVE
        assert primary.count(COMPUTE_PATH) == 3


@pytest.mark.parametrize(
    "reply",
    [
        _DOWN,
        html_reply(502),
        problem(429, "quota.exhausted", Retry_After="1800"),
        problem(401, "auth.invalid"),
        problem(403, "plan.feature"),
        problem(504, "compute.timeout"),
        json_reply(200, compute_answer(distance_m=1.0)),
        Reply(200, b"x" * 100, cut=10),
    ],
    ids=["503", "html", "quota", "auth", "plan", "compute", "lie", "cut"],
)
async def test_fallback_answers_for_a_failing_primary(reply: Reply, valhalla_url: str) -> None:
    """However the primary fails, our own engine's route comes in its place, and says so."""
    async with (
        bikemap(always(reply)) as primary,
        gateway_on(primary.url, valhalla_url) as gateway,
    ):
        result = await _ask(gateway)
    assert _label(result) == _FALLBACK
    assert result.route.distance_m > great_circle_m(MARKET, STATION)
    assert any("OpenStreetMap" in line for line in result.attribution)


async def test_stale_route_when_all_fail() -> None:
    """Where nobody answers, what was known is given with its age, for a day; then an estimate."""
    clock = VirtualClock()
    async with (
        bikemap(always(_FINE)) as primary,
        _engine(html_reply(500)) as engine,
        gateway_on(primary.url, engine.url, clock=clock) as gateway,
    ):
        await _ask(gateway)
        primary.script = always(_DOWN)
        clock.advance(3_600)
        result = await _ask(gateway)
        assert _label(result) == _STALE
        assert result.age_s == 3_600
        clock.advance(83_200)
        assert _label(await _ask(gateway)) == _ESTIMATE


async def test_estimate_when_nothing_is_known() -> None:
    """Where nobody answers and nothing is known, there is an estimate."""
    async with (
        bikemap(always(_DOWN)) as primary,
        _engine(html_reply(500)) as engine,
        gateway_on(primary.url, engine.url) as gateway,
    ):
        result = await _ask(gateway)
        assert _label(result) == _ESTIMATE
        assert result.route.warnings[0].code == "estimate"
    async with gateway_on(None, None) as gateway:
        assert _label(await _ask(gateway)) == _ESTIMATE


async def test_a_fallbacks_route_does_not_outlive_the_outage() -> None:
    """A fallback's route is never fresh, but better than an estimate if it fails as well."""
    clock = VirtualClock()
    async with (
        bikemap(always(_DOWN)) as primary,
        _engine() as engine,
        gateway_on(primary.url, engine.url, clock=clock) as gateway,
    ):
        assert _label(await _ask(gateway)) == _FALLBACK
        engine.script = always(html_reply(500))
        assert _label(await _ask(gateway)) == ("valhalla", Freshness.STALE_CACHE, True)
        primary.script = bikemap(always(_FINE)).script
        assert _label(await _ask(gateway)) == _LIVE


async def test_refusal_is_an_answer() -> None:
    """No route is no route: nobody else is asked, nor the same one again for ten minutes."""
    clock, registry = VirtualClock(), CollectorRegistry()
    async with (
        bikemap(always(problem(422, "route.no_path"))) as primary,
        _engine() as engine,
        gateway_on(primary.url, engine.url, clock=clock, registry=registry) as gateway,
    ):
        for _ in range(30):
            with pytest.raises(NoRoute):
                await _ask(gateway)
        assert primary.count(COMPUTE_PATH) == 1
        assert engine.seen == []
        clock.advance(601)
        with pytest.raises(NoRoute):
            await _ask(gateway)
        assert primary.count(COMPUTE_PATH) == 2
    assert sample(registry, "tandem_routing_breaker_state", PRIMARY_ROUTES) == 0
    assert sample(registry, "tandem_routing_refusals_total", {"code": "no_route"}) == 31


async def test_a_purge_forgets_a_no_as_well() -> None:
    """Whoever had no way there is asked again: the map may know one now."""
    says = problem(422, "route.no_path")
    async with bikemap(lambda _seen: says) as server, gateway_on(server.url, None) as gateway:
        with pytest.raises(NoRoute):
            await gateway.ask(REQUEST, soon())
        says = _FINE
        await gateway.purge(Area.around([Coordinate(0.0, 0.0)]))
        with pytest.raises(NoRoute):
            await gateway.ask(REQUEST, soon())
        await gateway.purge(Area.around([MARKET]))
        assert _label(await gateway.ask(REQUEST, soon())) == _LIVE


async def test_what_is_too_far_is_asked_of_nobody() -> None:
    """A provider goes on working where we hang up, so it is not given what would take long."""
    far = RouteRequest.through(MARKET, Coordinate(2.35, 48.85))
    async with (
        bikemap(always(_FINE)) as primary,
        gateway_on(primary.url, None) as gateway,
    ):
        with pytest.raises(TooLong):
            await gateway.ask(far, soon())
        assert primary.seen == []


async def test_many_refusals_do_not_open_the_breaker() -> None:
    """Any number of different requests without a route leaves the provider in good standing."""
    registry = CollectorRegistry()
    async with (
        bikemap(always(problem(422, "route.no_path"))) as primary,
        gateway_on(primary.url, None, registry=registry) as gateway,
    ):
        for number in range(30):
            with pytest.raises(NoRoute):
                await _ask(gateway, _nearby(number))
        assert primary.count(COMPUTE_PATH) == 30
    assert sample(registry, "tandem_routing_breaker_state", PRIMARY_ROUTES) == 0


def _nearby(number: int) -> RouteRequest:
    """A request like no other, close enough for the same scripted answer."""
    start = Coordinate(MARKET.lon + number * 1e-5, MARKET.lat)
    return RouteRequest.through(start, STATION)


async def test_compute_timeout_is_not_repeated() -> None:
    """What took too long would again: that request goes to the fallback for a minute."""
    clock = VirtualClock()
    async with (
        bikemap(always(problem(504, "compute.timeout"))) as primary,
        _engine() as engine,
        gateway_on(primary.url, engine.url, clock=clock) as gateway,
    ):
        for _ in range(3):
            assert _label(await _ask(gateway)) == _FALLBACK
        assert primary.count(COMPUTE_PATH) == 1
        clock.advance(61)
        await _ask(gateway)
        assert primary.count(COMPUTE_PATH) == 2


@pytest.mark.parametrize(
    ("reply", "away_s"),
    [
        (problem(429, "quota.exhausted", Retry_After="1800"), 1_800),
        (problem(429, "quota.exhausted"), 900),
        (problem(429, "rate.exceeded", Retry_After="30"), 30),
        (problem(429, "rate.exceeded"), 1),
    ],
)
async def test_no_call_before_the_time_that_was_asked_for(reply: Reply, away_s: float) -> None:
    """After a limit nobody is sent before its time, and there is no retry; then they are again."""
    clock, registry = VirtualClock(), CollectorRegistry()
    async with (
        bikemap(always(reply)) as primary,
        _engine() as engine,
        gateway_on(primary.url, engine.url, clock=clock, registry=registry) as gateway,
    ):
        for number in range(20):
            assert _label(await _ask(gateway, _nearby(number))) == _FALLBACK
        clock.advance(away_s - 0.1)
        await _ask(gateway)
        assert primary.count(COMPUTE_PATH) == 1
        clock.advance(0.2)
        primary.script = bikemap(always(_FINE)).script
        assert _label(await _ask(gateway)) == _LIVE
    labels = {"provider": "bikemap", "reason": "hold_off"}
    assert sample(registry, "tandem_routing_local_rejections_total", labels) == 20
    assert sample(registry, "tandem_routing_retries_total", PRIMARY_ROUTES) == 0


async def test_short_wait_that_fits_is_kept() -> None:
    """A wait within the deadline is waited for, and the primary answers after all."""
    replies = iter([problem(429, "rate.exceeded", Retry_After="0"), _FINE])
    async with (
        bikemap(lambda _seen: next(replies)) as primary,
        _engine() as engine,
        gateway_on(primary.url, engine.url) as gateway,
    ):
        assert _label(await _ask(gateway)) == _LIVE
        assert engine.seen == []


async def test_retry_is_counted() -> None:
    """One failure is retried, and the metrics tell of both attempts and the retry."""
    replies, registry = iter([_DOWN, _FINE]), CollectorRegistry()
    async with (
        bikemap(lambda _seen: next(replies)) as primary,
        gateway_on(primary.url, None, registry=registry) as gateway,
    ):
        assert _label(await _ask(gateway)) == _LIVE
    for outcome in ("overloaded", "success"):
        labels = PRIMARY_ROUTES | {"outcome": outcome}
        assert sample(registry, "tandem_routing_attempts_total", labels) == 1
    assert sample(registry, "tandem_routing_retries_total", PRIMARY_ROUTES) == 1
    labels = {"provider": "bikemap", "freshness": "live", "degraded": "no"}
    assert sample(registry, "tandem_routing_results_total", labels) == 1


async def test_breaker_opens_probes_and_closes() -> None:
    """After 15 failures nobody is sent; after the break one is, and then all are again."""
    clock, registry = VirtualClock(), CollectorRegistry()
    state = ("tandem_routing_breaker_state", PRIMARY_ROUTES)
    async with (
        bikemap(always(_DOWN)) as primary,
        _engine() as engine,
        gateway_on(primary.url, engine.url, clock=clock, registry=registry) as gateway,
    ):
        for number in range(50):
            assert _label(await _ask(gateway, _nearby(number))) == _FALLBACK
        assert primary.count(COMPUTE_PATH) == 15
        assert sample(registry, *state) == 2
        clock.advance(1.01)
        assert sample(registry, *state) == 1
        # The probe fails, so the others of its moment go elsewhere and the next break is longer.
        for number in range(5):
            assert _label(await _ask(gateway, _nearby(number))) == _FALLBACK
        assert primary.count(COMPUTE_PATH) == 16
        primary.script = bikemap(always(_FINE)).script
        clock.advance(2.01)
        assert _label(await _ask(gateway)) == _LIVE
        assert sample(registry, *state) == 0


@pytest.mark.parametrize("with_fallback", [True, False])
async def test_silence_costs_no_more_than_the_deadline(with_fallback: bool) -> None:
    """A primary that says nothing leaves the fallback its time, or the estimate comes in time."""
    silent = Reply(wait_for=asyncio.Event())
    async with (
        bikemap(always(silent)) as primary,
        _engine(None if with_fallback else silent) as engine,
        gateway_on(primary.url, engine.url) as gateway,
    ):
        started_s = time.monotonic()
        result = await gateway.ask(REQUEST, soon(2_000))
        assert time.monotonic() - started_s < 2.6
    assert _label(result) == (_FALLBACK if with_fallback else _ESTIMATE)


async def test_impatient_callers_do_not_open_the_breaker() -> None:
    """Callers that leave a provider too little time say nothing of its health."""
    registry = CollectorRegistry()
    async with (
        bikemap(always(Reply(wait_for=asyncio.Event()))) as primary,
        gateway_on(primary.url, None, registry=registry) as gateway,
    ):
        calls = [gateway.ask(_nearby(number), soon(150)) for number in range(20)]
        assert {_label(result) for result in await asyncio.gather(*calls)} == {_ESTIMATE}
    assert sample(registry, "tandem_routing_breaker_state", PRIMARY_ROUTES) == 0


class _Mistaken(Valhalla):
    """An adapter with a mistake that an answer has found."""

    async def call(self, request: Request, deadline: Deadline) -> Answered:
        """Fail as no adapter should."""
        await super().call(request, deadline)
        raise KeyError("distance")


async def test_a_mistake_in_an_adapter_is_survived(caplog: pytest.LogCaptureFixture) -> None:
    """The next provider answers, and the log has the whole of it."""
    registry = CollectorRegistry()
    metrics = RoutingMetrics(registry)
    async with (
        _engine() as engine,
        _Mistaken(engine.url) as mistaken,
        Valhalla(engine.url) as valhalla,
    ):
        mistaken.name = "mistaken"
        policy = Policy(is_primary=True)
        upstreams = [
            Upstream(one, metrics, time.monotonic, lambda: 0.5, policy)
            for one in (mistaken, valhalla)
        ]
        async with gateway_over(upstreams, metrics, registry) as gateway:
            assert (await gateway.ask(REQUEST, soon())).provider == "valhalla"
    assert "KeyError: 'distance'" in caplog.text


async def test_passed_deadline_is_told() -> None:
    """Who comes after the deadline gets nothing, and nobody is asked."""
    async with bikemap(always(_FINE)) as primary, gateway_on(primary.url, None) as gateway:
        with pytest.raises(DeadlineExceeded):
            await gateway.ask(REQUEST, soon(0))
        assert primary.seen == []


async def test_too_many_at_once_go_elsewhere() -> None:
    """No more than the limit wait for a provider; the others do not queue behind them."""
    gate = asyncio.Event()
    held = Reply(200, _FINE.body, _FINE.headers, wait_for=gate)
    policy = Policy(is_primary=True, limiter=_FOUR, attempt_timeout_ms=_PATIENT_MS)
    async with (
        bikemap(always(held)) as primary,
        _engine() as engine,
        _two(primary.url, engine.url, policy, Policy()) as gateway,
    ):
        tasks = [asyncio.create_task(_ask(gateway, _nearby(number))) for number in range(10)]
        done = set[asyncio.Task[RouteResult]]()
        while len(done) < 6:
            waiting = set(tasks) - done
            done |= (await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED))[0]
        gate.set()
        labels = [_label(result) for result in await asyncio.gather(*tasks)]
    assert (labels.count(_LIVE), labels.count(_FALLBACK)) == (4, 6)


@asynccontextmanager
async def _two(
    bikemap_url: str, valhalla_url: str, first: Policy, second: Policy
) -> AsyncIterator[RoutingGateway]:
    """Open a gateway whose upstreams have policies of their own."""
    registry, clock = CollectorRegistry(), time.monotonic
    metrics = RoutingMetrics(registry)
    async with (
        BikemapV2(bikemap_url, CLIENT_ID, live(CLIENT_SECRET), clock) as bikemap_v2,
        Valhalla(valhalla_url) as valhalla,
    ):
        upstreams = [
            Upstream(bikemap_v2, metrics, clock, lambda: 0.5, first),
            Upstream(valhalla, metrics, clock, lambda: 0.5, second),
        ]
        async with gateway_over(upstreams, metrics, registry, clock=clock, utc_s=clock) as gateway:
            yield gateway


@pytest.mark.parametrize(
    ("covers_more", "engine_reply", "error"),
    [
        (False, None, OutOfCoverage),
        (True, None, None),
        (True, html_reply(500), OutOfCoverage),
        (True, json_reply(400, {"error_code": 150}), InvalidRequest),
    ],
)
async def test_wider_fallback(
    covers_more: bool, engine_reply: Reply | None, error: type[Refusal] | None
) -> None:
    """A refusal goes on only to who covers more; where that one fails, the refusal stands."""
    async with (
        bikemap(always(problem(422, "route.out_of_coverage"))) as primary,
        _engine(engine_reply) as engine,
        _two(
            primary.url, engine.url, Policy(is_primary=True), Policy(covers_more=covers_more)
        ) as gateway,
    ):
        if error is None:
            assert _label(await _ask(gateway)) == _FALLBACK
        else:
            with pytest.raises(error):
                await _ask(gateway)
