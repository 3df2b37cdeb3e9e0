"""The gateway: always an answer within the deadline, and always labelled for what it is.

    fresh cache -> one call for all: primary -> fallbacks -> stale cache -> estimate

Only a refusal (there is no such thing), a request that makes no sense, and a question that nobody
answers and nothing can be estimated for, end in an error.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self, overload

from tandem.resilience.caller import CALLER, Caller, Partition
from tandem.resilience.deadline import Clock, Deadline
from tandem.resilience.single_flight import SingleFlight
from tandem.routing import limits
from tandem.routing.cache.answers import AnswerCache, Found, Spans
from tandem.routing.cache.kept import Kept, KeptAnswer, KeptRefusal
from tandem.routing.cache.lifetime import Age
from tandem.routing.chain import Chain, Given
from tandem.routing.domain.answers import (
    DomainAnswer,
    Elevations,
    Isochrone,
    Matrix,
    Routes,
    Snapped,
)
from tandem.routing.domain.area import Area
from tandem.routing.domain.coordinate import line_length_m
from tandem.routing.domain.errors import (
    DeadlineExceeded,
    NoneAnswered,
    Refusal,
    RoutingError,
    TooLong,
)
from tandem.routing.domain.estimate import estimated
from tandem.routing.domain.keys import RequestKey
from tandem.routing.domain.request import (
    ElevationRequest,
    IsochroneRequest,
    MatrixRequest,
    Request,
    RouteRequest,
    SnapRequest,
)
from tandem.routing.domain.result import Freshness, Result
from tandem.routing.metrics import RoutingMetrics
from tandem.routing.tracing import asking
from tandem.routing.upstream import Upstream

ESTIMATE_PROVIDER = "estimate"
_AGES = {
    Age.FRESH: Freshness.FRESH_CACHE,
    Age.REVALIDATE: Freshness.REVALIDATING_CACHE,
    Age.ON_ERROR: Freshness.STALE_CACHE,
}


@dataclass(frozen=True, slots=True)
class _Terms:
    """On what terms a question is asked: in how much time, and whether somebody waits for it."""

    given_s: float
    is_live: bool

    @classmethod
    def of(cls, deadline: Deadline) -> Self:
        """Return those of the context's caller."""
        return cls(deadline.remaining_s(), CALLER.get().partition is Partition.LIVE)

    def beats(self, other: Self, deadline: Deadline) -> bool:
        """Tell whether asking on these terms, now, may do better than on those."""
        is_sooner = self.is_live and not other.is_live
        return is_sooner or deadline.remaining_s() > limits.MORE_TIME_RATIO * other.given_s


@dataclass(frozen=True, slots=True)
class _Flown:
    """What came of a shared call, and the terms of who began it."""

    terms: _Terms
    result: Result[Any] | None


class RoutingGateway:
    """Answers by the first upstream that can. `close` it, so that no refresh is left behind."""

    def __init__(
        self, chain: Chain, cache: AnswerCache[Kept], metrics: RoutingMetrics, clock: Clock
    ) -> None:
        self._chain = chain
        self._cache = cache
        cache.on_purged = self._forget
        self._metrics = metrics
        self._clock = clock
        self._flights: SingleFlight[RequestKey, _Flown] = SingleFlight()
        self._refreshes: dict[RequestKey, asyncio.Task[None]] = {}
        self.on_asked: Callable[[Request], None] = lambda _request: None
        """Told of each question that somebody waits for."""

    async def close(self) -> None:
        """Give up refreshes that are under way."""
        tasks = list(self._refreshes.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @overload
    async def ask(self, request: RouteRequest, deadline: Deadline) -> Result[Routes]: ...
    @overload
    async def ask(self, request: MatrixRequest, deadline: Deadline) -> Result[Matrix]: ...
    @overload
    async def ask(self, request: IsochroneRequest, deadline: Deadline) -> Result[Isochrone]: ...
    @overload
    async def ask(self, request: SnapRequest, deadline: Deadline) -> Result[Snapped]: ...
    @overload
    async def ask(self, request: ElevationRequest, deadline: Deadline) -> Result[Elevations]: ...

    async def ask(self, request: Request, deadline: Deadline) -> Result[Any]:
        """Return an answer before the deadline, degraded if need be.

        For whom it is made is the context's `CALLER`.

        Raises:
            Refusal: There is no such answer, or the request makes no sense to a provider.
            NoneAnswered: Nobody answered, and the kind of answer cannot be estimated.
            DeadlineExceeded: The deadline had passed before anything was done.
        """
        if CALLER.get().partition is Partition.LIVE:
            self.on_asked(request)
        try:
            with asking(request.operation) as asked:
                _check_reach(request)
                result = await self._answer(request, deadline)
                asked.answered(result)
        except RoutingError as error:
            self._metrics.refusals.labels(error.code).inc()
            raise
        degraded = "yes" if result.degraded else "no"
        self._metrics.results.labels(result.provider, result.freshness.value, degraded).inc()
        return result

    @property
    def upstreams(self) -> Sequence[Upstream]:
        """The providers, in the order in which they are asked."""
        return self._chain.upstreams

    def fresh_left_s(self, request: Request) -> float | None:
        """Return for how long what is kept stays fresh, below 0 if it is stale; None: nothing."""
        return self._cache.fresh_left_s(request.key())

    def credits(self, request: Request) -> float:
        """Estimate what an answer costs at the most, in a provider's credits."""
        costs = (upstream.provider.credits(request) for upstream in self._chain.upstreams)
        return max(costs, default=0.0)

    async def renew(self, request: Request, deadline: Deadline) -> None:
        """Fetch an answer anew, though what is kept may be fresh, and keep it.

        Raises:
            RoutingError: No provider gave one.
            TimeoutError: None came in time.
        """
        async with deadline.scope():
            if (await self._fly(request, request.key(), deadline)).result is None:
                raise NoneAnswered("no provider answered")

    async def purge(self, area: Area) -> int:
        """Forget what was answered about an area; return how many shared entries that were."""
        return await self._cache.purge(area)

    def _forget(self, area: Area) -> None:
        for upstream in self._chain.upstreams:
            upstream.purge(area)

    async def _answer(self, request: Request, deadline: Deadline) -> Result[DomainAnswer]:
        if deadline.expired():
            raise DeadlineExceeded("the deadline had passed before the request came")
        key = request.key()
        found = await self._cache.find(key, deadline)
        usable = None if found is None else _usable(found)
        if usable is not None and usable.age is not Age.ON_ERROR:
            if usable.age is Age.REVALIDATE:
                self._refresh(request, key)
            return _from_cache(usable)
        result = await self._shared(request, key, deadline)
        return self._last_resort(request, found) if result is None else result

    async def _shared(
        self, request: Request, key: RequestKey, deadline: Deadline
    ) -> Result[DomainAnswer] | None:
        """Ask once for all who ask the same now; None where nobody answers in time.

        A call is made on the terms of who began it. Where these were worse than the others' (an
        impatient caller's, a batch's) and nothing good came of it, the others ask once more.
        """
        terms, result = _Terms.of(deadline), None
        with suppress(TimeoutError):
            async with deadline.sooner_ms(_patience_ms(deadline)).scope():
                while result is None or result.degraded:
                    flown = await self._fly(request, key, deadline)
                    result = flown.result or result
                    if not terms.beats(flown.terms, deadline):
                        break
        return result

    async def _fly(self, request: Request, key: RequestKey, deadline: Deadline) -> _Flown:
        """Begin a shared call, or join the one that is under way; raises Refusal."""

        async def work() -> _Flown:
            terms = _Terms.of(deadline)
            try:
                return _Flown(terms, await self._live(request, key, deadline))
            except NoneAnswered:
                return _Flown(terms, None)

        return await self._flights.run(key, work)

    async def _live(
        self, request: Request, key: RequestKey, deadline: Deadline
    ) -> Result[DomainAnswer]:
        """Ask the providers, or let another process ask and take what it kept."""
        leased = await self._lease(key, deadline)
        if isinstance(leased, Result):
            return leased
        purges_seen = self._cache.purges_seen
        try:
            given = await self._chain.ask(request, deadline)
            return self._keep(request, key, given, purges_seen)
        except Refusal as refusal:
            self._keep_refusal(request, key, refusal, purges_seen)
            raise
        finally:
            self._cache.end_lease(key)

    async def _lease(self, key: RequestKey, deadline: Deadline) -> Result[DomainAnswer] | None:
        """Become the one process that asks; None when that is so, or nobody is to be waited for."""
        wait = deadline.sooner_ms(deadline.remaining_ms() * limits.CACHE_LEASE_WAIT_SHARE)
        while not await self._cache.lease(key, deadline) and not wait.expired():
            await asyncio.sleep(limits.CACHE_LEASE_POLL_S)
            found = await self._cache.find(key, deadline)
            if found is not None and found.age is Age.FRESH and (usable := _usable(found)):
                return _from_cache(usable)
        return None

    def _keep(
        self, request: Request, key: RequestKey, given: Given, purges_seen: int
    ) -> Result[DomainAnswer]:
        """Label a live answer, and keep it as far as the provider's terms allow."""
        provider, answer = given.upstream.provider, given.answered.answer
        attribution = _attribution(answer) or provider.attribution
        is_primary = given.upstream.is_primary
        policy = provider.cache_policy(request.operation)
        known = self._cache.recall(key)
        has_primary = known is not None and getattr(known.value, "is_primary", False)
        may_keep = policy.may_keep and self._chain.may_keep(provider.name)
        if may_keep and (is_primary or not has_primary):
            # A fallback's answer must not outlive the outage: it is never fresh.
            spans = Spans(
                policy.fresh_s if is_primary else 0.0,
                policy.revalidate_s if is_primary else 0.0,
                policy.on_error_s,
            )
            kept = KeptAnswer(answer, provider.name, attribution, is_primary)
            area = _area(request, answer)
            self._cache.keep(key, kept, area, spans, purges_seen=purges_seen)
        return Result(
            answer=answer,
            provider=provider.name,
            freshness=Freshness.LIVE,
            degraded=not is_primary,
            attribution=attribution,
            age_s=0.0,
        )

    def _keep_refusal(
        self, request: Request, key: RequestKey, refusal: Refusal, purges_seen: int
    ) -> None:
        """Remember a primary's no for a while; a fallback's must not outlive the outage."""
        upstream = self._chain.upstream(refusal.provider)
        if upstream is None or not upstream.is_primary or refusal.traits.negative_s <= 0:
            return
        policy = upstream.provider.cache_policy(request.operation)
        if not (policy.negative and self._chain.may_keep(upstream.provider.name)):
            return
        kept, area = KeptRefusal.of(refusal), Area.around(request.places)
        spans = Spans(refusal.traits.negative_s)
        self._cache.keep(key, kept, area, spans, purges_seen=purges_seen)

    def _refresh(self, request: Request, key: RequestKey) -> None:
        """Fetch a new answer while the old one is shown; bounded, and nobody waits."""
        if key in self._refreshes or len(self._refreshes) >= limits.REFRESHES_MAX:
            return
        task = asyncio.create_task(self._refreshed(request, key), name="routing refresh")
        self._refreshes[key] = task
        task.add_done_callback(lambda _task: self._refreshes.pop(key, None))

    async def _refreshed(self, request: Request, key: RequestKey) -> None:
        CALLER.set(Caller(Partition.BATCH))
        deadline = Deadline.after_ms(limits.REFRESH_TIMEOUT_MS, self._clock)
        try:
            flown = await self._fly(request, key, deadline)
        except RoutingError as error:
            outcome = error.code
        else:
            outcome = NoneAnswered.code if flown.result is None else "success"
        self._metrics.refreshes.labels(outcome).inc()

    def _last_resort(self, request: Request, found: Found[Kept] | None) -> Result[DomainAnswer]:
        """Return something old, or an estimate; where there is neither, the failure."""
        if found is not None and isinstance(found.value, KeptAnswer):
            return _from_cache(found._replace(age=Age.ON_ERROR))
        answer = estimated(request)
        if answer is None:
            raise NoneAnswered("no provider answered in time")
        return Result(
            answer=answer,
            provider=ESTIMATE_PROVIDER,
            freshness=Freshness.ESTIMATE,
            degraded=True,
            attribution=(),
            age_s=0.0,
        )


def _usable(found: Found[Kept]) -> Found[Kept] | None:
    """Return what is known if it may be shown though providers may answer; raise a refusal."""
    if found.age is Age.ON_ERROR:
        return None
    if isinstance(found.value, KeptRefusal):
        raise found.value.error()
    return found


def _from_cache(found: Found[Kept]) -> Result[DomainAnswer]:
    kept = found.value
    assert isinstance(kept, KeptAnswer)  # noqa: S101 - refusals were raised before
    return Result(
        answer=kept.answer,
        provider=kept.provider,
        freshness=_AGES[found.age],
        degraded=found.age is Age.ON_ERROR or not kept.is_primary,
        attribution=kept.attribution,
        age_s=found.age_s,
    )


def _attribution(answer: DomainAnswer) -> tuple[str, ...]:
    return answer.best.attribution if isinstance(answer, Routes) else ()


def _area(request: Request, answer: DomainAnswer) -> Area:
    """The box around all that an answer is about."""
    places = list(request.places)
    if isinstance(answer, Routes):
        places += [place for route in answer.routes for place in route.geometry]
    if isinstance(answer, Isochrone):
        rings = (ring for one in answer.contours for rings in one.polygons for ring in rings)
        places += [place for ring in rings for place in ring]
    return Area.around(places)


def _patience_ms(deadline: Deadline) -> float:
    """How long to wait for a call of somebody else's, so that something old can still be given."""
    return deadline.remaining_s() * 1_000 - limits.ANSWER_MARGIN_MS / 2


def _check_reach(request: Request) -> None:
    if isinstance(request, RouteRequest):
        crow_m = line_length_m(request.places)
        if crow_m > limits.CROW_DISTANCE_M_MAX:
            raise TooLong(f"a route may have {limits.CROW_DISTANCE_M_MAX:.0f} m as the crow flies")
