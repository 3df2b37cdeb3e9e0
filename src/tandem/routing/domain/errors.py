"""What can go wrong with a route, and what each error asks of those who handle it.

RoutingError
├── Refusal                the answer is no, and will be no again
│   ├── InvalidRequest         the request makes no sense
│   ├── NoRoute                no way connects the waypoints
│   ├── NotSnapped             a waypoint is too far from the network
│   ├── OutOfCoverage          a waypoint is outside the provider's area
│   └── TooLong                the provider does not go that far
├── ProviderError          a provider did not do its part
│   ├── AuthFailed             our credentials are not accepted
│   ├── PlanForbidden          our plan does not include this
│   ├── RateLimited            too many requests in a short time
│   ├── QuotaExhausted         the plan is used up
│   ├── Overloaded             it says that it has too much to do
│   ├── ServerError            it failed
│   ├── GatewayHtml            something in front of it answered for it
│   ├── ComputeTimeout         it took too long to compute; it would again
│   ├── ConnectFailed          it cannot be reached
│   ├── ReadTimeout            it did not answer in the attempt's time
│   ├── Truncated              its answer broke off
│   └── BadPayload             its answer cannot be true
├── LocallyRejected        we did not even ask
├── NoneAnswered           nobody answered, and nothing can be said without them
├── DeadlineExceeded       the caller's time is up
└── Unsupported            the provider cannot do this kind of thing

The traits are data: retry, breaker, fallback and negative cache read them, and know no class.
"""

# ruff: noqa: N818 - the taxonomy names states of the world; its names are part of the contract

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final, Self

from tandem.routing.domain.usage import Usage
from tandem.routing.limits import (
    HOLD_OFF_AUTH_FAILED_S,
    HOLD_OFF_QUOTA_EXHAUSTED_S,
    HOLD_OFF_RATE_LIMITED_S,
    NEGATIVE_REFUSAL_S,
    NEGATIVE_TIMEOUT_S,
)


class Retry(StrEnum):
    """Whether the same provider may be asked the same thing again, soon."""

    NEVER = "never"
    IF_IN_TIME = "if_in_time"
    ONCE = "once"
    BUDGETED = "budgeted"


class FallOver(StrEnum):
    """Whether another provider may be asked."""

    NEVER = "never"
    IF_WIDER = "if_wider"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Traits:
    """How an error is to be handled.

    `trips_breaker`: counts as a failure of the provider. `negative_s`: the same answer may be
    given for so long without asking again. `hold_off_s`: the provider wants no requests for so
    long, unless it said for how long.
    """

    retry: Retry
    trips_breaker: bool
    fall_over: FallOver
    negative_s: float = 0.0
    hold_off_s: float = 0.0


class RoutingError(Exception):
    """The root; the message is fit to show to a caller and never holds a secret.

    `provider` is who said no, and `usage` what it said of our plan.
    """

    provider: str | None = None
    usage: Usage | None = None
    code: ClassVar[str] = "routing"
    traits: ClassVar[Traits] = Traits(Retry.NEVER, trips_breaker=False, fall_over=FallOver.NEVER)

    def again(self) -> Self:
        """Return an equal error to raise; one that is kept must not gather tracebacks."""
        twin = type(self).__new__(type(self), *self.args)
        twin.__dict__.update(self.__dict__)
        return twin


class Refusal(RoutingError):
    """No, and no again: not a fault of the provider, so its breaker takes no notice."""

    code = "refused"

    def __init__(
        self, message: str, *, field: str | None = None, point_index: int | None = None
    ) -> None:
        super().__init__(message)
        self.field = field
        self.point_index = point_index


class InvalidRequest(Refusal):
    """The request makes no sense; `field` and `point_index` say where, if known."""

    code = "invalid_request"


_REFUSED: Final = Traits(
    Retry.NEVER, trips_breaker=False, fall_over=FallOver.IF_WIDER, negative_s=NEGATIVE_REFUSAL_S
)


class NoRoute(Refusal):
    """No way connects the waypoints."""

    code = "no_route"
    traits = _REFUSED


class NotSnapped(Refusal):
    """A waypoint is too far from the network."""

    code = "not_snapped"
    traits = _REFUSED


class OutOfCoverage(Refusal):
    """A waypoint is outside the area."""

    code = "out_of_coverage"
    traits = _REFUSED


class TooLong(Refusal):
    """The route would be too long."""

    code = "too_long"
    traits = _REFUSED


class ProviderError(RoutingError):
    """A provider did not do its part; another one may."""

    code = "provider_failed"
    traits = Traits(Retry.BUDGETED, trips_breaker=True, fall_over=FallOver.ALWAYS)

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class AuthFailed(ProviderError):
    """The credentials are not accepted."""

    code = "auth_failed"
    traits = Traits(
        Retry.NEVER,
        trips_breaker=False,
        fall_over=FallOver.ALWAYS,
        hold_off_s=HOLD_OFF_AUTH_FAILED_S,
    )


class PlanForbidden(ProviderError):
    """The plan does not include this."""

    code = "plan_forbidden"
    traits = Traits(Retry.NEVER, trips_breaker=False, fall_over=FallOver.ALWAYS)


class RateLimited(ProviderError):
    """Too many requests in a short time; `retry_after_s` says when to come back, if known."""

    code = "rate_limited"
    traits = Traits(
        Retry.IF_IN_TIME,
        trips_breaker=False,
        fall_over=FallOver.ALWAYS,
        hold_off_s=HOLD_OFF_RATE_LIMITED_S,
    )


class QuotaExhausted(ProviderError):
    """The plan is used up until `retry_after_s` from now, if known."""

    code = "quota_exhausted"
    traits = Traits(
        Retry.NEVER,
        trips_breaker=False,
        fall_over=FallOver.ALWAYS,
        hold_off_s=HOLD_OFF_QUOTA_EXHAUSTED_S,
    )


class Overloaded(ProviderError):
    """The provider says that it has too much to do, or is closed for maintenance."""

    code = "overloaded"


class ServerError(ProviderError):
    """The provider failed."""

    code = "server_error"


class GatewayHtml(ProviderError):
    """Something in front of the provider answered, in words for people."""

    code = "gateway_html"


class ComputeTimeout(ProviderError):
    """The provider took too long to compute, and would again."""

    code = "compute_timeout"
    traits = Traits(
        Retry.NEVER,
        trips_breaker=False,
        fall_over=FallOver.ALWAYS,
        negative_s=NEGATIVE_TIMEOUT_S,
    )


class ConnectFailed(ProviderError):
    """The provider cannot be reached."""

    code = "connect_failed"


class ReadTimeout(ProviderError):
    """The provider did not answer in the attempt's time."""

    code = "read_timeout"


class Truncated(ProviderError):
    """The provider's answer broke off."""

    code = "truncated"


class BadPayload(ProviderError):
    """The provider's answer is of the wrong kind, shape or size, or cannot be true."""

    code = "bad_payload"
    traits = Traits(Retry.ONCE, trips_breaker=True, fall_over=FallOver.ALWAYS)


class LocallyRejected(RoutingError):
    """We did not ask: the breaker, a limit or a hold-off says no. Never a provider's failure."""

    code = "locally_rejected"
    traits = Traits(Retry.NEVER, trips_breaker=False, fall_over=FallOver.ALWAYS)


class NoneAnswered(RoutingError):
    """No provider answered, nothing is known of old, and nothing can be estimated."""

    code = "none_answered"


class DeadlineExceeded(RoutingError):
    """The caller's time is up; a provider that is that slow counts as failing."""

    code = "deadline_exceeded"
    traits = Traits(Retry.NEVER, trips_breaker=True, fall_over=FallOver.NEVER)


class Unsupported(RoutingError):
    """The provider cannot do this kind of thing."""

    code = "unsupported"
    traits = Traits(Retry.NEVER, trips_breaker=False, fall_over=FallOver.ALWAYS)


REFUSALS: Final[Mapping[str, type[Refusal]]] = {
    error.code: error for error in (InvalidRequest, NoRoute, NotSnapped, OutOfCoverage, TooLong)
}
