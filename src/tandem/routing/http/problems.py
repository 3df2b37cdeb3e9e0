"""Errors as problems (RFC 9457)."""

from typing import Any, Final

from tandem.platform.http.problems import HttpProblem, Problem
from tandem.routing.domain.errors import (
    DeadlineExceeded,
    InvalidRequest,
    NoneAnswered,
    NoRoute,
    NotSnapped,
    OutOfCoverage,
    Refusal,
    RoutingError,
    TooLong,
)
from tandem.routing.limits import UNAVAILABLE_RETRY_AFTER_S

_STATUS_AND_TITLE: Final[dict[type[RoutingError], tuple[int, str]]] = {
    InvalidRequest: (400, "The request makes no sense"),
    NoRoute: (422, "No way connects the waypoints"),
    NotSnapped: (422, "A waypoint is too far from the network"),
    OutOfCoverage: (422, "A waypoint is outside the area"),
    TooLong: (422, "The route would be too long"),
    NoneAnswered: (503, "No provider answered"),
    DeadlineExceeded: (504, "The deadline had passed"),
}
RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": Problem, "description": "`malformed`, `invalid_request`"},
    401: {"model": Problem, "description": "`unauthenticated`"},
    403: {"model": Problem, "description": "`forbidden`"},
    422: {
        "model": Problem,
        "description": "`no_route`, `not_snapped`, `out_of_coverage`, `too_long`",
    },
    503: {"model": Problem, "description": "`none_answered`, `unavailable`"},
    504: {"model": Problem, "description": "`deadline_exceeded`"},
}


def problem(error: RoutingError) -> HttpProblem:
    """Say an error of the gateway as a problem."""
    status, title = _STATUS_AND_TITLE[type(error)]
    if isinstance(error, Refusal):
        return HttpProblem(
            status,
            error.code,
            title,
            str(error),
            field=error.field,
            point_index=error.point_index,
        )
    headers = {}
    if isinstance(error, NoneAnswered):
        headers["Retry-After"] = str(UNAVAILABLE_RETRY_AFTER_S)
    return HttpProblem(status, error.code, title, str(error), headers=headers)
