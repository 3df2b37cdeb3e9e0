"""`POST /v1/routes:plan`, and its errors as problems."""

from typing import Any, Final

from fastapi import APIRouter, Depends

from tandem.platform.auth import Require
from tandem.platform.http.problems import HttpProblem, Problem
from tandem.resilience.deadline import Deadline
from tandem.routing.domain.errors import (
    DeadlineExceeded,
    InvalidRequest,
    NoRoute,
    NotSnapped,
    OutOfCoverage,
    Refusal,
    RoutingError,
    TooLong,
)
from tandem.routing.gateway import RoutingGateway
from tandem.routing.wire import PlanAnswer, PlanRequest, plan_answer

PERMISSION: Final = "route"

_STATUS_AND_TITLE: Final[dict[type[RoutingError], tuple[int, str]]] = {
    InvalidRequest: (400, "The request makes no sense"),
    NoRoute: (422, "No way connects the waypoints"),
    NotSnapped: (422, "A waypoint is too far from the network"),
    OutOfCoverage: (422, "A waypoint is outside the area"),
    TooLong: (422, "The route would be too long"),
    DeadlineExceeded: (504, "The deadline had passed"),
}
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": Problem, "description": "`malformed`, `invalid_request`"},
    401: {"model": Problem, "description": "`unauthenticated`"},
    403: {"model": Problem, "description": "`forbidden`"},
    422: {
        "model": Problem,
        "description": "`no_route`, `not_snapped`, `out_of_coverage`, `too_long`",
    },
    504: {"model": Problem, "description": "`deadline_exceeded`"},
}


def create_router(gateway: RoutingGateway, require: Require) -> APIRouter:
    """Build the routes; `require` makes the guard that wants a key with a permission."""
    router = APIRouter(tags=["routing"], dependencies=[Depends(require(PERMISSION))])

    @router.post(
        "/v1/routes:plan",
        summary="Plan a bicycle route",
        operation_id="plan_route",
        responses=_RESPONSES,
    )
    async def plan(request: PlanRequest) -> PlanAnswer:
        """Answer within the deadline: live, from cache, by another provider, or by estimate."""
        deadline = Deadline.after_ms(request.deadline_ms)
        try:
            result = await gateway.ask(request.to_domain(), deadline)
        except RoutingError as error:
            raise _problem(error) from error
        return plan_answer(result, request.geometry)

    return router


def _problem(error: RoutingError) -> HttpProblem:
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
    return HttpProblem(status, error.code, title, str(error))
