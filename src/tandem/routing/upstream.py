"""One provider with all that keeps its failures from becoming ours.

The layers, outer to inner: credits, retry with budget, hedge, hold-off, adaptive throttle, breaker,
concurrency limit, pace, count of attempts, attempt timeout, provider. The error taxonomy's traits
drive every one of them.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from tandem.resilience.backoff import Chance
from tandem.resilience.breaker import BreakerSettings, BreakerState, CircuitBreaker
from tandem.resilience.budget import RetryBudget
from tandem.resilience.deadline import Clock, Deadline
from tandem.resilience.errors import AttemptTimedOut, Rejected
from tandem.resilience.hedge import HedgeDelay
from tandem.resilience.hold_off import HoldOff
from tandem.resilience.layers import (
    NO_RETRY,
    Advice,
    AttemptTimeout,
    Guarded,
    Hedged,
    HeldOff,
    Observed,
    Paced,
    Reserved,
    Retry,
    Sized,
    Throttled,
)
from tandem.resilience.limiter import GradientLimiter, LimiterSettings
from tandem.resilience.outcome import Outcome
from tandem.resilience.pipeline import Layer, Pipeline
from tandem.resilience.throttle import AdaptiveThrottle
from tandem.routing import limits
from tandem.routing.cache.aging import AgingStore
from tandem.routing.domain import errors
from tandem.routing.domain.area import Area
from tandem.routing.domain.errors import (
    BadPayload,
    LocallyRejected,
    RateLimited,
    ReadTimeout,
    RoutingError,
    Traits,
    Unsupported,
)
from tandem.routing.domain.keys import RequestKey
from tandem.routing.domain.operation import Operation
from tandem.routing.domain.request import Request
from tandem.routing.domain.usage import Usage
from tandem.routing.metrics import RoutingMetrics
from tandem.routing.providers.port import Answered, Provider
from tandem.routing.quota import NO_QUOTA, Quota
from tandem.routing.tracing import attempting

_log: Final = logging.getLogger(__name__)

type OnAttempt = Callable[[str, BaseException | None, float], None]

_SETTINGS: Final = BreakerSettings(
    limits.BREAKER_WINDOW_S, limits.BREAKER_CALLS_MIN, limits.BREAKER_FAILURE_RATIO
)
_LIMITER: Final = LimiterSettings()
_LEVELS: Final = {BreakerState.CLOSED: 0.0, BreakerState.HALF_OPEN: 1.0, BreakerState.OPEN: 2.0}
_ATTEMPTS: Final = {
    errors.Retry.NEVER: 1,
    errors.Retry.ONCE: 2,
    errors.Retry.IF_IN_TIME: 2,
    errors.Retry.BUDGETED: limits.ATTEMPTS_MAX,
}


@dataclass(frozen=True, slots=True)
class Policy:
    """What differs from provider to provider.

    `is_primary`: its answers are what callers want; any other's are labelled as degraded.
    `covers_more`: it may know a way where those before it in the chain say that there is none.
    `hedges`: a slow call may be made twice; never of a provider whose calls cost something.
    `quota`: the account that its calls draw on.
    """

    is_primary: bool = False
    attempt_timeout_ms: float = limits.ATTEMPT_TIMEOUT_MS
    limiter: LimiterSettings = _LIMITER
    breaker: BreakerSettings = _SETTINGS
    covers_more: bool = False
    hedges: bool = False
    quota: Quota = NO_QUOTA


class Upstream:
    """A provider, what keeps its failures from us, and what it lately could not do.

    Breaker, budget, throttle and limit belong to one operation, since matrices may fail, or be
    slow, where routes are not; the hold-off and the plan belong to the provider.
    """

    def __init__(
        self,
        provider: Provider,
        metrics: RoutingMetrics,
        clock: Clock,
        chance: Chance,
        policy: Policy = Policy(),
    ) -> None:
        self.provider = provider
        self.is_primary = policy.is_primary
        self.covers_more = policy.covers_more
        self._metrics = metrics
        self._clock = clock
        self._chance = chance
        self._policy = policy
        self.on_attempt: OnAttempt = lambda _name, _raised, _took_s: None
        """Told of each attempt: whose, what it raised, and how long it took."""
        self._hold_off = HoldOff()
        self._negative: AgingStore[RequestKey, tuple[RoutingError, Area]] = AgingStore(
            limits.NEGATIVE_ENTRIES_MAX
        )
        self._purges = 0
        operations = sorted(provider.capabilities.operations)
        self._breakers = {one: CircuitBreaker(policy.breaker, chance) for one in operations}
        self._limiters = {one: GradientLimiter(policy.limiter) for one in operations}
        self._pipelines = {one: self._pipeline(one) for one in operations}
        for one in operations:
            metrics.watch_breaker(provider.name, one.value, self._breaker_level(one))
            metrics.watch_limiter(provider.name, one.value, self._limiters[one])

    def _pipeline(self, operation: Operation) -> Pipeline:
        labels = self.provider.name, operation.value
        clock, metrics, budget = self._clock, self._metrics, RetryBudget()
        retry = Retry(
            _advice,
            budget,
            self._chance,
            attempt_s_min=limits.ATTEMPT_MS_MIN / 1_000,
            on_retry=metrics.retries.labels(*labels).inc,
        )
        hedged = Hedged(
            HedgeDelay(),
            budget,
            lambda: self._policy.hedges,
            clock,
            on_hedge=metrics.hedges.labels(*labels).inc,
        )
        quota = self._policy.quota
        paced: tuple[Layer, ...] = ()
        if quota.requests is not None:
            paced = (Paced(quota.requests, quota.requests_key),)
        return Pipeline(
            (
                retry,
                hedged,
                HeldOff(self._hold_off, _hold_off_wish_s, clock),
                Throttled(AdaptiveThrottle(self._chance), _judge, clock),
                Guarded(self._breakers[operation], _judge, clock),
                Sized(self._limiters[operation], _judge_load, clock),
                *paced,
                Observed(partial(self._observe, operation), clock),
                AttemptTimeout(self._policy.attempt_timeout_ms),
            )
        )

    def breaker_state(self, operation: Operation = Operation.ROUTE) -> BreakerState:
        """Whether the breaker of an operation lets calls through now."""
        return self._breakers[operation].state(self._clock())

    def purge(self, area: Area) -> None:
        """Forget what the provider could not do in an area: it is to be asked again."""
        self._purges += 1
        self._negative.discard_where(lambda known: known[1].touches(area))

    async def call(self, request: Request, deadline: Deadline) -> Answered:
        """Ask the provider, or say at once what it said a while ago.

        Raises:
            RoutingError: Refused, failed, or not even asked; its `provider` is set.
        """
        try:
            return await self._call(request, deadline)
        except RoutingError as error:
            error.provider = self.provider.name
            raise

    async def _call(self, request: Request, deadline: Deadline) -> Answered:
        key = request.key()
        self._raise_known(key)
        pipeline = self._pipelines.get(request.operation)
        if pipeline is None:
            raise Unsupported(f"the provider has no {request.operation.value}")
        purges_seen = self._purges
        try:
            return await self._paid(request, pipeline, deadline)
        except RoutingError as error:
            if error.traits.negative_s > 0 and purges_seen == self._purges:
                about = Area.around(request.places)
                self._negative.put(key, (error, about), self._clock())
            raise
        except AttemptTimedOut as error:
            raise ReadTimeout("the provider did not answer in time") from error
        except Rejected as error:
            self._metrics.rejections.labels(self.provider.name, error.reason.value).inc()
            raise LocallyRejected(f"not asked: {error.reason}") from error

    async def _paid(self, request: Request, pipeline: Pipeline, deadline: Deadline) -> Answered:
        """Make the call through its layers, if its credits are free.

        Every attempt may cost something: one that was given up may yet be answered, for nobody.
        """
        quota, estimate, spent = self._policy.quota, self.provider.credits(request), 0.0

        async def attempt(until: Deadline) -> Answered:
            nonlocal spent
            end: object = None
            try:
                with attempting(self.provider.name, request.operation):
                    end = answered = await self._called(request, until)
            except Exception as error:
                end = error
                raise
            finally:
                spent += self._account(end, estimate)
            return answered

        reserved = Reserved(quota.credits, quota.credits_key, lambda: estimate, lambda _end: spent)
        return await reserved.run(lambda until: pipeline.run(attempt, until), deadline)

    async def _called(self, request: Request, deadline: Deadline) -> Answered:
        """Call the provider; a mistake of ours in its adapter is a failure of this one alone.

        Something that the provider sent has found it. Others may answer meanwhile, and the log
        says what is to be mended.
        """
        try:
            return await self.provider.call(request, deadline)
        except RoutingError:
            raise
        except Exception as error:
            _log.exception("the adapter of %s failed", self.provider.name)
            raise BadPayload("the answer could not be read") from error

    def _account(self, end: object, estimate: float) -> float:
        """Count what an attempt cost, as its end says, else by the estimate; returns it."""
        name, usage, cost = self.provider.name, getattr(end, "usage", None), estimate
        if isinstance(end, LocallyRejected | Unsupported):
            cost = 0.0  # nothing was sent
        elif isinstance(usage, Usage):
            if usage.credits_left is not None:
                self._metrics.credits_left.labels(name).set(usage.credits_left)
            if usage.credits_spent is not None:
                cost = usage.credits_spent
        self._metrics.credits.labels(name).inc(max(cost, 0.0))
        return cost

    def _raise_known(self, key: RequestKey) -> None:
        known = self._negative.get(key, self._clock())
        if known is None:
            return
        (error, _), age_s = known
        if age_s >= error.traits.negative_s:
            self._negative.discard(key)
            return
        self._metrics.rejections.labels(self.provider.name, "negative_cache").inc()
        raise error.again()

    def _observe(
        self, operation: Operation, raised: BaseException | None, duration_s: float
    ) -> None:
        name = self.provider.name
        self._metrics.attempts.labels(name, operation.value, _outcome_label(raised)).inc()
        self._metrics.attempt_duration_s.labels(name, operation.value).observe(duration_s)
        self.on_attempt(name, raised, duration_s)

    def _breaker_level(self, operation: Operation) -> Callable[[], float]:
        return lambda: _LEVELS[self.breaker_state(operation)]


def _traits(error: Exception) -> Traits | None:
    """Return how an error wants to be handled; None for what only a mistake of ours raises."""
    match error:
        case RoutingError():
            return error.traits
        case AttemptTimedOut():
            return ReadTimeout.traits
        case Rejected():
            return LocallyRejected.traits
        case _:
            return None


def _advice(error: Exception) -> Advice:
    traits = _traits(error)
    if traits is None:
        return NO_RETRY
    wait_s: float | None = getattr(error, "retry_after_s", None)
    if wait_s is not None:
        wait_s += limits.WAIT_MARGIN_S
    elif traits.retry is errors.Retry.IF_IN_TIME:
        # Nobody said when; the hold-off would reject the second attempt anyway.
        return NO_RETRY
    return Advice(_ATTEMPTS[traits.retry], wait_s)


def _judge(error: Exception) -> Outcome:
    if isinstance(error, AttemptTimedOut) and error.given_s < limits.ATTEMPT_MS_FAIR / 1_000:
        return Outcome.NEUTRAL
    if isinstance(error, Rejected | LocallyRejected):
        return Outcome.NEUTRAL
    traits = _traits(error)
    return Outcome.FAILURE if traits is None or traits.trips_breaker else Outcome.ANSWERED


def _judge_load(error: Exception) -> Outcome:
    """As `_judge`, but that too many requests are a failure: of ours, to send fewer at a time."""
    return Outcome.FAILURE if isinstance(error, RateLimited) else _judge(error)


def _hold_off_wish_s(error: Exception) -> float | None:
    traits = _traits(error)
    if traits is None or traits.hold_off_s == 0:
        return None
    asked_s: float | None = getattr(error, "retry_after_s", None)
    return traits.hold_off_s if asked_s is None else asked_s


def _outcome_label(raised: BaseException | None) -> str:
    match raised:
        case None:
            return "success"
        case RoutingError():
            return raised.code
        case AttemptTimedOut():
            return ReadTimeout.code
        case asyncio.CancelledError():
            return "cancelled"
        case _:
            return "fault"
