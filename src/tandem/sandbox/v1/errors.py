"""Refusals and failures as version 1 says them: a message, and hints with a class of Java."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import JSONResponse

from tandem.sandbox.problems import ApiProblem, Code

_PACKAGE: Final = "com.graphhopper.util.exceptions."
_REFUSALS: Final[Mapping[Code, tuple[int, str, str]]] = {
    Code.REQUEST_MALFORMED: (400, "java.lang.IllegalArgumentException", "Cannot read the request"),
    Code.REQUEST_TOO_LARGE: (413, "java.lang.IllegalArgumentException", "Too many parameters"),
    Code.ROUTE_NO_PATH: (
        400,
        f"{_PACKAGE}ConnectionNotFoundException",
        "Connection between locations not found",
    ),
    Code.ROUTE_POINT_NOT_SNAPPED: (
        400,
        f"{_PACKAGE}PointNotFoundException",
        "Cannot find point",
    ),
    Code.ROUTE_OUT_OF_COVERAGE: (
        400,
        f"{_PACKAGE}PointOutOfBoundsException",
        "Point is out of bounds",
    ),
    Code.ROUTE_TOO_LONG: (
        400,
        f"{_PACKAGE}PointDistanceExceededException",
        "The distance between the points is too large",
    ),
}
_FAILURES: Final[Mapping[Code, tuple[int, str]]] = {
    Code.REQUEST_NOT_FOUND: (404, "Not found"),
    Code.JOB_NOT_FOUND: (404, "No job has this id"),
    Code.REQUEST_METHOD: (405, "Method not allowed"),
    Code.AUTH_INVALID: (401, "Wrong credentials. Register and get a valid API key"),
    Code.AUTH_EXPIRED: (401, "Wrong credentials. Register and get a valid API key"),
    Code.PLAN_FEATURE: (403, "This feature is not included in your package"),
    Code.RATE_EXCEEDED: (429, "Minutely API limit reached. Please wait or upgrade"),
    Code.QUOTA_EXHAUSTED: (429, "API limit heavily violated: your daily credits are used up"),
    Code.OVERLOADED: (503, "The service is overloaded"),
    Code.MAINTENANCE: (503, "The service is in maintenance"),
    Code.COMPUTE_TIMEOUT: (504, "The request took too long"),
}
# What an unknown profile was answered; later versions call it malformed.
NOT_IMPLEMENTED: Final = 501


class UnknownProfile(Exception):  # noqa: N818 - the old contract's own kind of no
    """The profile is none of ours."""


def error_response(problem: ApiProblem, status: int | None = None) -> JSONResponse:
    """Say a problem of the new contract in the old one's words."""
    if problem.code in _REFUSALS:
        own_status, details, message = _REFUSALS[problem.code]
        indexes = [fault.point_index for fault in problem.faults]
        hints = [_hint(message, details, index) for index in indexes or [None]]
        body: dict[str, Any] = {"message": hints[0]["message"], "hints": hints}
    else:
        own_status, message = _FAILURES.get(problem.code, (problem.status, "Internal error"))
        body = {"message": message}
    # The old contract knows no Retry-After.
    return JSONResponse(body, status or own_status)


def unknown_profile(name: str) -> JSONResponse:
    """Refuse a profile."""
    message = f"The requested profile '{name}' does not exist"
    hints = [{"message": message, "details": "java.lang.IllegalArgumentException"}]
    return JSONResponse({"message": message, "hints": hints}, NOT_IMPLEMENTED)


def _hint(message: str, details: str, point_index: int | None) -> dict[str, Any]:
    if point_index is None:
        return {"message": message, "details": details}
    return {"message": f"{message} {point_index}", "details": details, "point_index": point_index}
