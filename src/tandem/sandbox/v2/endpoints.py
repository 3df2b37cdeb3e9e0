"""The routes of version 2 and what stands behind each."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tandem.sandbox import limits
from tandem.sandbox.keys import Keyring
from tandem.sandbox.requests import read_model
from tandem.sandbox.v2.answers import Answer
from tandem.sandbox.v2.compute import ATTRIBUTION, RouteComputer, cost_credits, coverage
from tandem.sandbox.v2.gate import Gate, Pass
from tandem.sandbox.v2.jobs.endpoints import JOB_PATH, JOBS_PATH, RESULTS_PATH
from tandem.sandbox.v2.requests import (
    Avoidance,
    ComputeRequest,
    GeometryFormat,
    Include,
    Profile,
    SurfacePreference,
)
from tandem.sandbox.v2.saved import ROUTE_PATH, ROUTES_PATH, RouteBook
from tandem.sandbox.v2.survey import Surveyor
from tandem.sandbox.v2.surveys import (
    ElevationRequest,
    IsochroneRequest,
    MatrixRequest,
    SnapRequest,
)
from tandem.sandbox.v2.token import TokenEndpoint

PREFIX: Final = "/v2/"
TOKEN_PATH: Final = "/v2/oauth2/token"  # noqa: S105 - a path, not a token
COMPUTE_PATH: Final = "/v2/routes:compute"
CAPABILITIES_PATH: Final = "/v2/capabilities"
QUOTA_PATH: Final = "/v2/quota"
MATRIX_PATH: Final = "/v2/matrix:compute"
ISOCHRONES_PATH: Final = "/v2/isochrones:compute"
SNAP_PATH: Final = "/v2/points:snap"
ELEVATION_PATH: Final = "/v2/elevation:sample"
_COMPUTATIONS: Final = (COMPUTE_PATH, MATRIX_PATH, ISOCHRONES_PATH, SNAP_PATH, ELEVATION_PATH)
PATHS: Final = (
    *(TOKEN_PATH, *_COMPUTATIONS, CAPABILITIES_PATH, QUOTA_PATH),
    *(JOBS_PATH, JOB_PATH, RESULTS_PATH, ROUTES_PATH, ROUTE_PATH),
)

_CACHE_ROUTES: Final = "private, max-age=300, stale-while-revalidate=3600, stale-if-error=86400"


class Endpoints:
    """Version 2 on an engine, for the clients of a keyring."""

    def __init__(
        self,
        keyring: Keyring,
        gate: Gate,
        computer: RouteComputer,
        surveyor: Surveyor,
        book: RouteBook,
    ) -> None:
        self._book = book
        self._keyring = keyring
        self._gate = gate
        self._computer = computer
        self._surveyor = surveyor

    def routes(self) -> list[Route]:
        """Return the HTTP routes."""
        guard, survey, surveyor = self._gate.guard, self._survey, self._surveyor
        surveys = {
            MATRIX_PATH: survey(MatrixRequest, surveyor.matrix),
            ISOCHRONES_PATH: survey(IsochroneRequest, surveyor.isochrones),
            SNAP_PATH: survey(SnapRequest, surveyor.snap),
            ELEVATION_PATH: survey(ElevationRequest, surveyor.elevation),
        }
        return [
            *(Route(path, handle, methods=["POST"]) for path, handle in surveys.items()),
            Route(TOKEN_PATH, TokenEndpoint(self._keyring).answer, methods=["POST"]),
            Route(COMPUTE_PATH, guard(self._compute), methods=["POST"]),
            Route(CAPABILITIES_PATH, guard(self._capabilities), methods=["GET"]),
            Route(QUOTA_PATH, guard(self._quota), methods=["GET"]),
        ]

    async def _compute(self, request: Request, admitted: Pass) -> Response:
        wanted = await read_model(request, ComputeRequest)
        self._gate.charge(admitted, cost_credits(wanted))
        try:
            answer = await self._computer.compute(wanted)
        except BaseException:
            self._gate.refund(admitted)
            raise
        self._book.keep(admitted.account.client.id, answer.routes)
        headers = {"Cache-Control": _CACHE_ROUTES}
        return Response(answer.model_dump_json(), media_type="application/json", headers=headers)

    def _survey[Q: (MatrixRequest, IsochroneRequest, SnapRequest, ElevationRequest)](
        self, model: type[Q], answer: Callable[[Q], Awaitable[Answer]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Make the handler of a question other than for routes."""

        async def handle(request: Request, admitted: Pass) -> Response:
            wanted = await read_model(request, model)
            self._gate.charge(admitted, wanted.credits())
            try:
                answered = await answer(wanted)
            except BaseException:
                self._gate.refund(admitted)
                raise
            body = answered.model_dump_json(exclude_none=True)
            headers = {"Cache-Control": _CACHE_ROUTES}
            return Response(body, media_type="application/json", headers=headers)

        return self._gate.guard(handle)

    async def _capabilities(self, _request: Request, admitted: Pass) -> Response:
        return JSONResponse(capabilities(admitted))

    async def _quota(self, _request: Request, admitted: Pass) -> Response:
        return JSONResponse(self._gate.quota(admitted))


def capabilities(admitted: Pass) -> dict[str, Any]:
    """Say what the service and the caller's plan can do."""
    area, plan = coverage(), admitted.account.client.plan
    west, south, east, north = area.lon_min, area.lat_min, area.lon_max, area.lat_max
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "version": limits.API_VERSION,
        "plan": plan.name,
        "profiles": list(Profile),
        "operations": [path.removeprefix(PREFIX) for path in _COMPUTATIONS],
        "avoid": list(Avoidance),
        "surface_preferences": list(SurfacePreference),
        "geometry_formats": list(GeometryFormat),
        "include": list(Include),
        "limits": {
            "waypoints": limits.WAYPOINTS_MAX,
            "alternatives": limits.ALTERNATIVES_MAX,
            "great_circle_m": limits.ROUTE_GREAT_CIRCLE_M_MAX,
            "snap_radius_m": limits.SNAP_RADIUS_M_MAX,
            "matrix_side": limits.MATRIX_SIDE_MAX,
            "contours": limits.CONTOURS_MAX,
            "snap_points": limits.SNAP_POINTS_MAX,
            "elevation_points": limits.ELEVATION_POINTS_MAX,
            "body_bytes": limits.BODY_BYTES_MAX,
            "job_items": limits.JOB_ITEMS_MAX if plan.has_jobs else 0,
        },
        "costs": {
            "route_credits": limits.CREDITS_PER_ROUTE,
            "vias_per_credit": limits.VIAS_PER_CREDIT,
            "alternatives_credits": limits.CREDITS_FOR_ALTERNATIVES,
        },
        "coverage": {"type": "Polygon", "coordinates": [ring]},
        "attribution": list(ATTRIBUTION),
    }
