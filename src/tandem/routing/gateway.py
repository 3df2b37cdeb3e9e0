"""The gateway: always an answer within the deadline, and always labelled for what it is.

    fresh cache -> primary -> fallbacks -> stale cache -> estimate

Only a refusal (there is no such route) and a request that makes no sense end in an error.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tandem.resilience.deadline import Clock, Deadline
from tandem.routing import limits
from tandem.routing.cache.aging import AgingStore
from tandem.routing.domain.answers import Routes
from tandem.routing.domain.errors import DeadlineExceeded, FallOver, RoutingError
from tandem.routing.domain.estimate import estimate
from tandem.routing.domain.keys import RequestKey
from tandem.routing.domain.request import RouteRequest
from tandem.routing.domain.result import Freshness, Result, RouteResult
from tandem.routing.metrics import RoutingMetrics
from tandem.routing.upstream import Upstream

ESTIMATE_PROVIDER = "estimate"


@dataclass(frozen=True, slots=True)
class KeptRoute:
    """Routes as they were given, and by whom."""

    routes: Routes
    provider: str
    attribution: tuple[str, ...]
    is_primary: bool


class RoutingGateway:
    """Routes by the first upstream that can."""

    def __init__(
        self, upstreams: Sequence[Upstream], metrics: RoutingMetrics, clock: Clock
    ) -> None:
        self._upstreams = tuple(upstreams)
        self._metrics = metrics
        self._clock = clock
        self._kept: AgingStore[RequestKey, KeptRoute] = AgingStore(limits.CACHE_ENTRIES_MAX)

    async def route(self, request: RouteRequest, deadline: Deadline) -> RouteResult:
        """Return a route before the deadline, degraded if need be.

        Raises:
            Refusal: There is no such route, or the request makes no sense to a provider.
            DeadlineExceeded: The deadline had passed before anything was done.
        """
        try:
            result = await self._answer(request, deadline)
        except RoutingError as error:
            self._metrics.refusals.labels(error.code).inc()
            raise
        degraded = "yes" if result.degraded else "no"
        self._metrics.results.labels(result.provider, result.freshness.value, degraded).inc()
        return result

    async def _answer(self, request: RouteRequest, deadline: Deadline) -> RouteResult:
        if deadline.expired():
            raise DeadlineExceeded("the deadline had passed before the request came")
        key = request.key()
        return (
            self._fresh(key)
            or await self._live(request, key, deadline)
            or self._stale(key)
            or _estimated(request)
        )

    async def _live(
        self, request: RouteRequest, key: RequestKey, deadline: Deadline
    ) -> RouteResult | None:
        """Ask upstream after upstream; None where all of them fail."""
        refused: RoutingError | None = None
        for index, upstream in enumerate(self._upstreams):
            if refused is not None and not upstream.covers_more:
                continue
            time_left = self._time_for(index, deadline)
            if time_left.remaining_ms() < limits.ATTEMPT_MS_MIN:
                break
            try:
                answer = (await upstream.call(request, time_left)).answer
            except RoutingError as error:
                if error.traits.fall_over is FallOver.NEVER:
                    raise
                if error.traits.fall_over is FallOver.IF_WIDER:
                    refused = refused or error
            else:
                assert isinstance(answer, Routes)  # noqa: S101 - the port's promise
                return self._keep(key, answer, upstream)
        if refused is not None:
            raise refused
        return None

    def _time_for(self, index: int, deadline: Deadline) -> Deadline:
        """Return until when an upstream may work, so that those after it have time as well."""
        left_ms = deadline.remaining_s() * 1_000 - limits.ANSWER_MARGIN_MS
        is_last = index == len(self._upstreams) - 1
        return deadline.sooner_ms(left_ms if is_last else left_ms * limits.PRIMARY_TIME_SHARE)

    def _keep(self, key: RequestKey, routes: Routes, upstream: Upstream) -> RouteResult:
        """Label a live route, and remember it unless a primary's route is remembered already."""
        provider, is_primary = upstream.provider, upstream.is_primary
        attribution = routes.best.attribution or provider.attribution
        now_s = self._clock()
        known = self._kept.get(key, now_s)
        has_primary = known and known[0].is_primary and known[1] < limits.CACHE_STALE_S
        if is_primary or not has_primary:
            kept = KeptRoute(routes, provider.name, attribution, is_primary)
            self._kept.put(key, kept, now_s)
        return Result(
            answer=routes,
            provider=provider.name,
            freshness=Freshness.LIVE,
            degraded=not is_primary,
            attribution=attribution,
            age_s=0.0,
        )

    def _fresh(self, key: RequestKey) -> RouteResult | None:
        """Only the primary's routes count as fresh: a fallback's must not outlive the outage."""
        known = self._kept.get(key, self._clock())
        if known is None or not known[0].is_primary or known[1] >= limits.CACHE_FRESH_S:
            return None
        return _from_cache(*known, Freshness.FRESH_CACHE)

    def _stale(self, key: RequestKey) -> RouteResult | None:
        known = self._kept.get(key, self._clock())
        if known is None or known[1] >= limits.CACHE_STALE_S:
            return None
        return _from_cache(*known, Freshness.STALE_CACHE)


def _from_cache(kept: KeptRoute, age_s: float, freshness: Freshness) -> RouteResult:
    return Result(
        answer=kept.routes,
        provider=kept.provider,
        freshness=freshness,
        degraded=freshness is not Freshness.FRESH_CACHE,
        attribution=kept.attribution,
        age_s=age_s,
    )


def _estimated(request: RouteRequest) -> RouteResult:
    return Result(
        answer=Routes((estimate(request),)),
        provider=ESTIMATE_PROVIDER,
        freshness=Freshness.ESTIMATE,
        degraded=True,
        attribution=(),
        age_s=0.0,
    )
