"""The Python client of the routing API; everything that its users need is named here.

    async with RoutingClient("http://127.0.0.1:8650", api_key) as routes:
        result = await routes.plan([Coordinate(24.94, 60.17), Coordinate(24.95, 60.175)])

It does not retry: the gateway behind the API does, within the deadline that it is given.
"""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self, overload

from pydantic import BaseModel, ConfigDict, ValidationError

from tandem.resilience.deadline import Deadline
from tandem.routing.domain.answers import (
    CellStatus,
    Contour,
    Elevations,
    Isochrone,
    Matrix,
    MatrixCell,
    Routes,
    Snapped,
)
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.errors import (
    REFUSALS,
    AuthFailed,
    BadPayload,
    ConnectFailed,
    GatewayHtml,
    InvalidRequest,
    NoneAnswered,
    NoRoute,
    NotSnapped,
    OutOfCoverage,
    Overloaded,
    PlanForbidden,
    ReadTimeout,
    Refusal,
    RoutingError,
    ServerError,
    TooLong,
    Truncated,
)
from tandem.routing.domain.maneuver import Maneuver
from tandem.routing.domain.operation import Operation
from tandem.routing.domain.preference import Avoid, BicycleProfile, Preferences, SurfacePreference
from tandem.routing.domain.request import (
    ElevationRequest,
    Include,
    IsochroneRequest,
    MatrixRequest,
    Measure,
    Request,
    RouteRequest,
    SnapRequest,
)
from tandem.routing.domain.result import Freshness, Result, RouteResult
from tandem.routing.domain.route import Leg, Route, RouteWarning, Step
from tandem.routing.domain.segment import Segment, SegmentKind, Surface, WayType
from tandem.routing.domain.waypoint import SnappedWaypoint, Waypoint, WaypointKind
from tandem.routing.exchange import Answer, Exchange
from tandem.routing.limits import (
    CLIENT_GRACE_MS,
    CLIENT_TIMEOUT_MS,
    DEADLINE_MS_DEFAULT,
    ERROR_TEXT_CHARS_MAX,
)
from tandem.routing.wire.isochrones import IsochroneAnswer, IsochroneQuestion
from tandem.routing.wire.matrices import MatrixAnswer, MatrixQuestion
from tandem.routing.wire.places import ElevationAnswer, ElevationQuestion, SnapAnswer, SnapQuestion
from tandem.routing.wire.routes import PlanAnswer, PlanRequest

__all__ = [
    "AuthFailed",
    "Avoid",
    "BadPayload",
    "BicycleProfile",
    "CellStatus",
    "ConnectFailed",
    "Contour",
    "Coordinate",
    "ElevationRequest",
    "Elevations",
    "Freshness",
    "GatewayHtml",
    "Include",
    "InvalidRequest",
    "Isochrone",
    "IsochroneRequest",
    "Leg",
    "Maneuver",
    "Matrix",
    "MatrixCell",
    "MatrixRequest",
    "Measure",
    "NoRoute",
    "NoneAnswered",
    "NotSnapped",
    "OutOfCoverage",
    "Overloaded",
    "PlanForbidden",
    "Preferences",
    "ReadTimeout",
    "Refusal",
    "Result",
    "Route",
    "RouteRequest",
    "RouteResult",
    "RouteWarning",
    "Routes",
    "RoutingClient",
    "RoutingError",
    "Segment",
    "SegmentKind",
    "ServerError",
    "SnapRequest",
    "Snapped",
    "SnappedWaypoint",
    "Step",
    "Surface",
    "SurfacePreference",
    "TooLong",
    "Truncated",
    "WayType",
    "Waypoint",
    "WaypointKind",
]

_BY_STATUS: Final[Mapping[int, type[RoutingError]]] = {
    400: InvalidRequest,
    401: AuthFailed,
    403: PlanForbidden,
    413: InvalidRequest,
    503: Overloaded,
}


class RoutingClient:
    """Plans routes over HTTP; an asynchronous context manager."""

    def __init__(self, base_url: str, api_key: str, *, timeout_ms: int = CLIENT_TIMEOUT_MS) -> None:
        """Prepare; no call takes longer than `timeout_ms`, whatever its own deadline."""
        self._exchange = Exchange(base_url)
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._timeout_ms = timeout_ms

    async def __aenter__(self) -> Self:
        await self._exchange.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._exchange.__aexit__(exc_type, exc_value, traceback)

    async def plan(
        self,
        waypoints: Sequence[Coordinate],
        *,
        profile: str = BicycleProfile.TOURING,
        deadline_ms: int = DEADLINE_MS_DEFAULT,
    ) -> RouteResult:
        """Plan a bicycle route with a stop at every place, in their order.

        The server answers within `deadline_ms`, if need be with a degraded route; a grace for the
        way there and back comes on top.

        Raises:
            InvalidRequest: The request makes no sense.
            NoRoute, NotSnapped, OutOfCoverage, TooLong: There is no such route.
            AuthFailed, PlanForbidden: The API key is unknown, or not for routes.
            ConnectFailed, ReadTimeout, Truncated, BadPayload: No whole, sane answer came.
            Overloaded, ServerError, GatewayHtml: The server could not answer.
        """
        try:
            known = BicycleProfile(profile)
        except ValueError as error:
            raise InvalidRequest(f"profile: there is no {profile!r}", field="profile") from error
        request = RouteRequest.through(*waypoints, profile=known)
        return await self.ask(request, deadline_ms=deadline_ms)

    @overload
    async def ask(self, request: RouteRequest, *, deadline_ms: int = ...) -> Result[Routes]: ...
    @overload
    async def ask(self, request: MatrixRequest, *, deadline_ms: int = ...) -> Result[Matrix]: ...
    @overload
    async def ask(
        self, request: IsochroneRequest, *, deadline_ms: int = ...
    ) -> Result[Isochrone]: ...
    @overload
    async def ask(self, request: SnapRequest, *, deadline_ms: int = ...) -> Result[Snapped]: ...
    @overload
    async def ask(
        self, request: ElevationRequest, *, deadline_ms: int = ...
    ) -> Result[Elevations]: ...

    async def ask(self, request: Request, *, deadline_ms: int = DEADLINE_MS_DEFAULT) -> Result[Any]:
        """Ask any of the five questions.

        Raises:
            As `plan`; NoneAnswered too: nobody could answer, and nothing could be estimated.
        """
        question, answer_kind = _QUESTIONS[request.operation]
        try:
            content = question.of(request, deadline_ms).model_dump_json().encode()
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            field = ".".join(str(step) for step in first["loc"])
            raise InvalidRequest(f"{field}: {first['msg']}", field=field) from error
        answer = await self._exchange.post(
            _PATHS[request.operation],
            content,
            media_type="application/json",
            headers=self._headers,
            deadline=Deadline.after_ms(min(self._timeout_ms, deadline_ms + CLIENT_GRACE_MS)),
        )
        if answer.status != 200:  # noqa: PLR2004 - the HTTP status OK
            raise read_error(answer)
        try:
            result: Result[Any] = answer_kind.model_validate_json(answer.body).to_domain()
        except ValueError as error:
            raise BadPayload("the server's answer is not as documented") from error
        return result


_PATHS: Final[Mapping[Operation, str]] = {
    Operation.ROUTE: "/v1/routes:plan",
    Operation.MATRIX: "/v1/matrices:compute",
    Operation.ISOCHRONE: "/v1/isochrones:compute",
    Operation.SNAP: "/v1/places:snap",
    Operation.ELEVATION: "/v1/places:elevate",
}
# Each pair has `of` and `to_domain`; which belong together the overloads of `ask` say.
_QUESTIONS: Final[Mapping[Operation, tuple[Any, Any]]] = {
    Operation.ROUTE: (PlanRequest, PlanAnswer),
    Operation.MATRIX: (MatrixQuestion, MatrixAnswer),
    Operation.ISOCHRONE: (IsochroneQuestion, IsochroneAnswer),
    Operation.SNAP: (SnapQuestion, SnapAnswer),
    Operation.ELEVATION: (ElevationQuestion, ElevationAnswer),
}


class _Problem(BaseModel):
    """What is read of a problem; all of it may be missing."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    code: str = ""
    title: str = ""
    detail: str = ""
    field: str | None = None
    point_index: int | None = None


def read_error(answer: Answer) -> RoutingError:
    """Name what the server answered in the place of what was asked for."""
    try:
        problem = _Problem.model_validate_json(answer.body if answer.is_json else b"")
    except ValidationError:
        return GatewayHtml(f"something answered {answer.status} in place of the server")
    message = (problem.detail or problem.title or f"status {answer.status}")[:ERROR_TEXT_CHARS_MAX]
    if problem.code == NoneAnswered.code:
        return NoneAnswered(message)
    kind: type[RoutingError] | None = REFUSALS.get(problem.code)
    if kind is None:
        kind = _BY_STATUS.get(answer.status, ServerError)
    if issubclass(kind, Refusal):
        return kind(message, field=problem.field, point_index=problem.point_index)
    return kind(message)
