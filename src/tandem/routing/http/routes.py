"""The questions, one POST each, version 1. All are answered within their own deadline."""

import json
from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Response

from tandem.platform.auth import Principal, Require
from tandem.resilience.caller import CALLER, Caller
from tandem.resilience.deadline import Deadline
from tandem.routing.domain.answers import Routes
from tandem.routing.domain.errors import RoutingError
from tandem.routing.domain.formats import geojson, gpx
from tandem.routing.domain.request import RouteRequest
from tandem.routing.domain.result import Result
from tandem.routing.gateway import RoutingGateway
from tandem.routing.http.accept import preferred
from tandem.routing.http.problems import RESPONSES, problem
from tandem.routing.wire.isochrones import IsochroneAnswer, IsochroneQuestion, isochrone_answer
from tandem.routing.wire.matrices import MatrixAnswer, MatrixQuestion, matrix_answer
from tandem.routing.wire.places import (
    ElevationAnswer,
    ElevationQuestion,
    SnapAnswer,
    SnapQuestion,
    elevation_answer,
    snap_answer,
)
from tandem.routing.wire.routes import PlanAnswer, PlanRequest, plan_answer

PERMISSION: Final = "route"
_PLANNED: Final[dict[int | str, dict[str, Any]]] = {
    **RESPONSES,
    200: {
        "description": "The route with its label; as GPX or GeoJSON where `Accept` asks for it",
        "content": {
            gpx.MEDIA_TYPE: {"schema": {"type": "string"}},
            geojson.MEDIA_TYPE: {"schema": {"type": "object"}},
        },
    },
}


def create_router(gateway: RoutingGateway, require: Require) -> APIRouter:
    """Build the routes; `require` makes the guard that wants a key with a permission."""
    guard = require(PERMISSION)

    async def caller(principal: Annotated[Principal, Depends(guard)]) -> None:
        CALLER.set(Caller(tenant=principal.key_id))

    router = APIRouter(tags=["routing"], dependencies=[Depends(caller)])
    _add_plan(router, gateway)
    _add_computations(router, gateway)
    _add_places(router, gateway)
    return router


def _add_plan(router: APIRouter, gateway: RoutingGateway) -> None:
    @router.post(
        "/v1/routes:plan",
        summary="Plan a bicycle route",
        operation_id="plan_route",
        responses=_PLANNED,
        response_model=PlanAnswer,
    )
    async def plan(
        request: PlanRequest, accept: Annotated[str, Header()] = "*/*"
    ) -> PlanAnswer | Response:
        """Answer within the deadline: live, from cache, by another provider, or by estimate."""
        with _Problems():
            asked = request.to_domain()
            result = await gateway.ask(asked, Deadline.after_ms(request.deadline_ms))
        media_type = preferred(accept, _FILES)
        if media_type is not None:
            return Response(_FILES[media_type](asked, result), media_type=media_type)
        return plan_answer(result, request.geometry, request.dims)


def _add_computations(router: APIRouter, gateway: RoutingGateway) -> None:
    @router.post(
        "/v1/matrices:compute",
        summary="Compute distances and times from all sources to all targets",
        operation_id="compute_matrix",
        responses=RESPONSES,
    )
    async def matrix(question: MatrixQuestion) -> MatrixAnswer:
        """Answer within the deadline; cells that cannot be reached say so."""
        with _Problems():
            deadline = Deadline.after_ms(question.deadline_ms)
            return matrix_answer(await gateway.ask(question.to_domain(), deadline))

    @router.post(
        "/v1/isochrones:compute",
        summary="Compute how far one gets",
        operation_id="compute_isochrones",
        responses=RESPONSES,
    )
    async def isochrones(question: IsochroneQuestion) -> IsochroneAnswer:
        """Answer within the deadline; there is no estimate, so it may be unavailable."""
        with _Problems():
            deadline = Deadline.after_ms(question.deadline_ms)
            return isochrone_answer(await gateway.ask(question.to_domain(), deadline))


def _add_places(router: APIRouter, gateway: RoutingGateway) -> None:
    @router.post(
        "/v1/places:snap",
        summary="Find the nearest points of the network",
        operation_id="snap_places",
        responses=RESPONSES,
    )
    async def snap(question: SnapQuestion) -> SnapAnswer:
        """Answer within the deadline; there is no estimate, so it may be unavailable."""
        with _Problems():
            deadline = Deadline.after_ms(question.deadline_ms)
            return snap_answer(await gateway.ask(question.to_domain(), deadline))

    @router.post(
        "/v1/places:elevate",
        summary="Tell the heights of places",
        operation_id="elevate_places",
        responses=RESPONSES,
    )
    async def elevate(question: ElevationQuestion) -> ElevationAnswer:
        """Answer within the deadline; there is no estimate, so it may be unavailable."""
        with _Problems():
            deadline = Deadline.after_ms(question.deadline_ms)
            return elevation_answer(await gateway.ask(question.to_domain(), deadline))


class _Problems:
    """Says the gateway's errors as problems."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        """End."""
        if isinstance(error, RoutingError):
            raise problem(error) from error


type _Write = Callable[[RouteRequest, Result[Routes]], bytes]


def _gpx(asked: RouteRequest, result: Result[Routes]) -> bytes:
    return gpx.gpx(result, asked.stops)


def _geojson(_asked: RouteRequest, result: Result[Routes]) -> bytes:
    return json.dumps(geojson.route_collection(result)).encode()


_FILES: Final[dict[str, _Write]] = {gpx.MEDIA_TYPE: _gpx, geojson.MEDIA_TYPE: _geojson}
