"""What Bikemap's version 2 says, in the domain's words. Pure: an answer in, a route out."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from tandem.routing.domain import polyline
from tandem.routing.domain.coordinate import Coordinate
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
from tandem.routing.domain.route import Leg, Route, RouteWarning
from tandem.routing.exchange import Answer
from tandem.routing.limits import (
    ATTRIBUTION_CHARS_MAX,
    ATTRIBUTIONS_MAX,
    LEGS_MAX,
    VERTICES_MAX,
    WARNING_CHARS_MAX,
    WARNINGS_MAX,
    WAYPOINTS_MAX,
)
from tandem.routing.providers.guard import Foreign, parse
from tandem.routing.providers.status import error_of_status, wait_s

_REFUSALS: Final[Mapping[str, tuple[type[Refusal], str]]] = {
    "request.malformed": (InvalidRequest, "the provider cannot read the request"),
    "request.too_large": (InvalidRequest, "the request is too large for the provider"),
    "route.no_path": (NoRoute, "no way connects the waypoints"),
    "route.point_not_snapped": (NotSnapped, "a waypoint is too far from the network"),
    "route.out_of_coverage": (OutOfCoverage, "a waypoint is outside the provider's area"),
    "route.too_long": (TooLong, "the route would be too long"),
}
_FAILURES: Final[Mapping[str, tuple[type[ProviderError], str]]] = {
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
_POLYLINE_CHARS_MAX: Final = 16 * VERTICES_MAX
_OK: Final = 200

type _Text = Annotated[str, Field(max_length=WARNING_CHARS_MAX)]
type _Measure = Annotated[float, Field(ge=0)]
type _Index = Annotated[int, Field(ge=0, lt=VERTICES_MAX)]


class _Polyline(Foreign):
    format: Literal["polyline6"]
    dims: Literal[2, 3]
    polyline: Annotated[str, Field(max_length=_POLYLINE_CHARS_MAX)]


class _LineString(Foreign):
    type: Literal["LineString"]
    coordinates: Annotated[
        list[Annotated[list[float], Field(min_length=2, max_length=3)]],
        Field(max_length=VERTICES_MAX),
    ]


class _GeoJson(Foreign):
    format: Literal["geojson"]
    geojson: _LineString


class _Leg(Foreign):
    distance_m: _Measure
    duration_s: _Measure
    begin: _Index
    end: _Index


class _Route(Foreign):
    distance_m: _Measure
    duration_s: _Measure
    # Absent where there is nothing to climb.
    ascent_m: _Measure = 0.0
    descent_m: _Measure = 0.0
    geometry: Annotated[_Polyline | _GeoJson, Field(discriminator="format")]
    legs: Annotated[list[_Leg], Field(max_length=LEGS_MAX)]


class _Notice(Foreign):
    code: _Text
    detail: str = ""


class _Compute(Foreign):
    routes: Annotated[list[_Route], Field(min_length=1)]
    warnings: tuple[_Notice, ...] = ()
    attribution: tuple[str, ...] = ()


class _Fault(Foreign):
    point_index: int | None = None


class _Problem(Foreign):
    code: str
    errors: tuple[_Fault, ...] = ()


def read(answer: Answer) -> Route:
    """Read an answer to `routes:compute`: by its body first, by its status where that fails.

    Raises:
        RoutingError: It is a refusal or a failure, or not to be believed.
    """
    problem = _problem(answer)
    if problem is not None:
        raise _error(problem, answer)
    if answer.status != _OK:
        raise error_of_status(answer)
    return _route(parse(answer, _Compute))


def _problem(answer: Answer) -> _Problem | None:
    """Return the problem that the body is, under whatever status; a route has no `code`."""
    if not answer.is_json:
        return None
    try:
        return _Problem.model_validate_json(answer.body)
    except ValidationError:
        return None


def _error(problem: _Problem, answer: Answer) -> RoutingError:
    if problem.code in _REFUSALS:
        refusal, text = _REFUSALS[problem.code]
        return refusal(text, point_index=_point_index(problem))
    if problem.code in _FAILURES:
        failure, text = _FAILURES[problem.code]
        return failure(text, retry_after_s=wait_s(answer))
    if answer.status == _OK:
        return BadPayload("the answer is an error of an unknown code with the status of success")
    return error_of_status(answer)


def _point_index(problem: _Problem) -> int | None:
    """Return the waypoint that the problem is about, if it names one that there can be."""
    named = (fault.point_index for fault in problem.errors)
    return next((i for i in named if i is not None and 0 <= i < WAYPOINTS_MAX), None)


def _route(said: _Compute) -> Route:
    best = said.routes[0]
    return Route(
        distance_m=best.distance_m,
        duration_s=best.duration_s,
        ascent_m=best.ascent_m,
        descent_m=best.descent_m,
        geometry=_line(best.geometry),
        legs=tuple(Leg(leg.distance_m, leg.duration_s, leg.begin, leg.end) for leg in best.legs),
        warnings=tuple(
            RouteWarning(item.code, item.detail[:WARNING_CHARS_MAX])
            for item in said.warnings[:WARNINGS_MAX]
        ),
        attribution=tuple(
            text[:ATTRIBUTION_CHARS_MAX] for text in said.attribution[:ATTRIBUTIONS_MAX]
        ),
    )


def _line(geometry: _Polyline | _GeoJson) -> tuple[Coordinate, ...]:
    try:
        if isinstance(geometry, _GeoJson):
            return tuple(Coordinate(row[0], row[1]) for row in geometry.geojson.coordinates)
        if geometry.dims == 3:  # noqa: PLR2004 - dimensions
            return polyline.decode_3d(geometry.polyline, 6)[0]
        return polyline.decode(geometry.polyline, 6)
    except ValueError as error:
        raise BadPayload(f"the line is broken: {error}") from error
