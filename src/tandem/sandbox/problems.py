"""The provider's refusals and failures as RFC 9457 problems, with its own closed set of codes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import JSONResponse

MEDIA_TYPE: Final = "application/problem+json"
_TYPE_BASE: Final = "https://api.bikemap.example/problems/"


class Code(StrEnum):
    """Every code that the version in service answers."""

    REQUEST_MALFORMED = "request.malformed"
    REQUEST_TOO_LARGE = "request.too_large"
    REQUEST_NOT_FOUND = "request.not_found"
    REQUEST_METHOD = "request.method"
    AUTH_INVALID = "auth.invalid"
    AUTH_EXPIRED = "auth.expired"
    AUTH_SCOPE = "auth.scope"
    PLAN_FEATURE = "plan.feature"
    ROUTE_NOT_FOUND = "route.not_found"
    JOB_NOT_FOUND = "job.not_found"
    JOB_RUNNING = "job.running"
    JOB_GONE = "job.gone"
    IDEMPOTENCY_MISMATCH = "idempotency.mismatch"
    ROUTE_NO_PATH = "route.no_path"
    ROUTE_POINT_NOT_SNAPPED = "route.point_not_snapped"
    ROUTE_OUT_OF_COVERAGE = "route.out_of_coverage"
    ROUTE_TOO_LONG = "route.too_long"
    RATE_EXCEEDED = "rate.exceeded"
    QUOTA_EXHAUSTED = "quota.exhausted"
    INTERNAL = "internal"
    OVERLOADED = "overloaded"
    MAINTENANCE = "maintenance"
    COMPUTE_TIMEOUT = "compute.timeout"


_STATUS_AND_TITLE: Final[Mapping[Code, tuple[int, str]]] = {
    Code.REQUEST_MALFORMED: (400, "The request is malformed"),
    Code.REQUEST_TOO_LARGE: (413, "The request is too large"),
    Code.REQUEST_NOT_FOUND: (404, "There is no such resource"),
    Code.REQUEST_METHOD: (405, "The resource does not know this method"),
    Code.AUTH_INVALID: (401, "The credentials are not valid"),
    Code.AUTH_EXPIRED: (401, "The access token has expired"),
    Code.AUTH_SCOPE: (403, "The token does not reach so far"),
    Code.PLAN_FEATURE: (403, "The plan does not include this"),
    Code.ROUTE_NOT_FOUND: (404, "There is no such route"),
    Code.JOB_NOT_FOUND: (404, "There is no such job"),
    Code.JOB_RUNNING: (409, "The job has not ended yet"),
    Code.JOB_GONE: (410, "The job's results are kept no longer"),
    Code.IDEMPOTENCY_MISMATCH: (409, "The key was used for another body"),
    Code.ROUTE_NO_PATH: (422, "No route connects the waypoints"),
    Code.ROUTE_POINT_NOT_SNAPPED: (422, "A waypoint is too far from the network"),
    Code.ROUTE_OUT_OF_COVERAGE: (422, "A waypoint is outside the coverage"),
    Code.ROUTE_TOO_LONG: (422, "The route would be too long"),
    Code.RATE_EXCEEDED: (429, "Too many requests in a short time"),
    Code.QUOTA_EXHAUSTED: (429, "The plan's credits are used up"),
    Code.INTERNAL: (500, "The service failed"),
    Code.OVERLOADED: (503, "The service is overloaded"),
    Code.MAINTENANCE: (503, "The service is not available"),
    Code.COMPUTE_TIMEOUT: (504, "The computation took too long"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a request: where, what, and which waypoint."""

    pointer: str
    code: str
    detail: str | None = None
    point_index: int | None = None

    def members(self) -> dict[str, Any]:
        """Return the JSON members; those that are None are left out."""
        members = {
            "pointer": self.pointer,
            "code": self.code,
            "detail": self.detail,
            "point_index": self.point_index,
        }
        return {name: value for name, value in members.items() if value is not None}


@dataclass(eq=False)
class ApiProblem(Exception):  # noqa: N818 - the contract's word
    """Raise to answer with a problem."""

    code: Code
    detail: str | None = None
    faults: Sequence[Fault] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return _STATUS_AND_TITLE[self.code][0]

    def members(self, **where: str) -> dict[str, Any]:
        """Return the JSON members; `where` are those that name the request."""
        status, title = _STATUS_AND_TITLE[self.code]
        members = {
            "type": _TYPE_BASE + self.code,
            "title": title,
            "status": status,
            "detail": self.detail,
            "code": str(self.code),
            "errors": [fault.members() for fault in self.faults] or None,
            **where,
        }
        return {name: value for name, value in members.items() if value is not None}

    def response(self, *, instance: str, trace_id: str) -> JSONResponse:
        """Build the answer."""
        body = self.members(instance=instance, trace_id=trace_id)
        return JSONResponse(body, self.status, dict(self.headers), media_type=MEDIA_TYPE)


def is_old(path: str) -> bool:
    """Tell whether a path belongs to the deprecated version, which says errors in its own way."""
    return path.startswith("/v1/")


def for_status(status: int) -> Code:
    """Return a code that goes with a status; the first declared one where several do."""
    for code, (code_status, _) in _STATUS_AND_TITLE.items():
        if code_status == status:
            return code
    is_server_fault = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return Code.INTERNAL if is_server_fault else Code.REQUEST_MALFORMED
