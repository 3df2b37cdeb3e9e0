"""The problems of Bikemap's version 2, as errors of the taxonomy. Pure."""

from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError

from tandem.routing.domain.errors import (
    AuthFailed,
    BadPayload,
    ComputeTimeout,
    InvalidRequest,
    NoRoute,
    NotSnapped,
    OutOfCoverage,
    Overloaded,
    PlanForbidden,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    Refusal,
    RoutingError,
    ServerError,
    TooLong,
)
from tandem.routing.exchange import Answer
from tandem.routing.limits import WAYPOINTS_MAX
from tandem.routing.providers.guard import Foreign
from tandem.routing.providers.status import error_of_status, wait_s

REFUSALS: Final[Mapping[str, tuple[type[Refusal], str]]] = {
    "request.malformed": (InvalidRequest, "the provider cannot read the request"),
    "request.too_large": (InvalidRequest, "the request is too large for the provider"),
    "route.no_path": (NoRoute, "no way connects the waypoints"),
    "route.point_not_snapped": (NotSnapped, "a waypoint is too far from the network"),
    "route.out_of_coverage": (OutOfCoverage, "a waypoint is outside the provider's area"),
    "route.too_long": (TooLong, "the route would be too long"),
}
FAILURES: Final[Mapping[str, tuple[type[ProviderError], str]]] = {
    "auth.invalid": (AuthFailed, "the credentials are not accepted"),
    "auth.expired": (AuthFailed, "the credentials have expired"),
    "auth.scope": (PlanForbidden, "the credentials do not allow this"),
    "plan.feature": (PlanForbidden, "the plan does not include this"),
    "rate.exceeded": (RateLimited, "too many requests in a short time"),
    "quota.exhausted": (QuotaExhausted, "the plan is used up"),
    "internal": (ServerError, "the provider failed"),
    "overloaded": (Overloaded, "the provider is overloaded"),
    "maintenance": (Overloaded, "the provider is closed for maintenance"),
    "compute.timeout": (ComputeTimeout, "the provider took too long to compute"),
}
_OK: Final = 200


class _Fault(Foreign):
    point_index: int | None = None


class _Problem(Foreign):
    code: str
    errors: tuple[_Fault, ...] = ()


def raise_problem(answer: Answer) -> None:
    """Raise what an answer refuses or fails with: by its body first, then by its status."""
    problem = _problem(answer)
    if problem is not None:
        raise _error(problem, answer)
    if answer.status != _OK:
        raise error_of_status(answer)


def _problem(answer: Answer) -> _Problem | None:
    """Return the problem that the body is, under whatever status; a route has no `code`."""
    if not answer.is_json:
        return None
    try:
        return _Problem.model_validate_json(answer.body)
    except ValidationError:
        return None


def _error(problem: _Problem, answer: Answer) -> RoutingError:
    if problem.code in REFUSALS:
        refusal, text = REFUSALS[problem.code]
        return refusal(text, point_index=_point_index(problem))
    if problem.code in FAILURES:
        failure, text = FAILURES[problem.code]
        return failure(text, retry_after_s=wait_s(answer))
    if answer.status == _OK:
        return BadPayload("the answer is an error of an unknown code with the status of success")
    return error_of_status(answer)


def _point_index(problem: _Problem) -> int | None:
    """Return the waypoint that the problem is about, if it names one that there can be."""
    named = (fault.point_index for fault in problem.errors)
    return next((i for i in named if i is not None and 0 <= i < WAYPOINTS_MAX), None)
