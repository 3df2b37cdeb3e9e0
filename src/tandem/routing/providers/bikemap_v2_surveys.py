"""Matrices, isochrones, points and heights of Bikemap's version 2, there and back. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from tandem.routing.domain.answers import (
    CellStatus,
    Contour,
    DomainAnswer,
    Elevations,
    Isochrone,
    Matrix,
    MatrixCell,
    Snapped,
)
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.errors import BadPayload
from tandem.routing.domain.operation import Operation
from tandem.routing.domain.request import (
    ElevationRequest,
    IsochroneRequest,
    MatrixRequest,
    Measure,
    Request,
    RouteRequest,
    SnapRequest,
)
from tandem.routing.domain.waypoint import SnappedWaypoint
from tandem.routing.exchange import Answer
from tandem.routing.limits import (
    CONTOURS_MAX,
    ELEVATION_PLACES_MAX,
    MATRIX_CELLS_MAX,
    POLYGONS_MAX,
    SNAP_PLACES_MAX,
    VERTICES_MAX,
    WAYPOINTS_MIN,
)
from tandem.routing.providers.bikemap_v2_mapping import place_of
from tandem.routing.providers.bikemap_v2_problems import raise_problem
from tandem.routing.providers.guard import Foreign, parse

PATHS: Final[Mapping[Operation, str]] = {
    Operation.MATRIX: "/v2/matrix:compute",
    Operation.ISOCHRONE: "/v2/isochrones:compute",
    Operation.SNAP: "/v2/points:snap",
    Operation.ELEVATION: "/v2/elevation:sample",
}
_VIAS_PER_CREDIT: Final = 10
_CREDITS_ALTERNATIVES: Final = 2.0
_MATRIX_SIDE_BIG: Final = 20
_CREDITS_ISOCHRONE_MIN: Final = 10.0
_CREDITS_ISOCHRONE_PER_MINUTE: Final = 5.0

type _Survey = MatrixRequest | IsochroneRequest | SnapRequest | ElevationRequest
type _Measured = Annotated[float, Field(ge=0)]
type _Position = Annotated[list[float], Field(min_length=2, max_length=2)]
type _Ring = Annotated[list[_Position], Field(max_length=VERTICES_MAX)]


class _Cell(Foreign):
    status: CellStatus
    distance_m: _Measured | None = None
    duration_s: _Measured | None = None


type _Row = Annotated[list[_Cell], Field(max_length=MATRIX_CELLS_MAX)]


class _Matrix(Foreign):
    cells: Annotated[list[_Row], Field(max_length=MATRIX_CELLS_MAX)]


class _MultiPolygon(Foreign):
    type: Literal["MultiPolygon"]
    coordinates: Annotated[list[list[_Ring]], Field(max_length=POLYGONS_MAX)]


class _Contour(Foreign):
    limit: float
    geojson: _MultiPolygon


class _Isochrone(Foreign):
    contours: Annotated[list[_Contour], Field(max_length=CONTOURS_MAX)]


class _LonLat(Foreign):
    lon: float
    lat: float


class _Point(Foreign):
    status: Literal["ok", "not_snapped"]
    snapped: _LonLat | None = None
    snap_distance_m: _Measured | None = None


class _Snapped(Foreign):
    points: Annotated[list[_Point], Field(max_length=SNAP_PLACES_MAX)]


class _Elevations(Foreign):
    heights_m: Annotated[list[float | None], Field(max_length=ELEVATION_PLACES_MAX)]


def credits_of(request: Request) -> float:
    """Return what an answer costs, as the contract prices it."""
    match request:
        case RouteRequest():
            vias = len(request.waypoints) - WAYPOINTS_MIN
            extra = _CREDITS_ALTERNATIVES if request.alternatives else 0.0
            return 1.0 + vias // _VIAS_PER_CREDIT + extra
        case MatrixRequest():
            sides = len(request.sources), len(request.targets)
            is_big = min(sides) >= _MATRIX_SIDE_BIG
            return 10.0 * max(sides) if is_big else float(math.ceil(request.cells / 2))
        case IsochroneRequest():
            minutes = max(request.contours) / 60 if request.measure is Measure.TIME_S else 0.0
            return max(_CREDITS_ISOCHRONE_MIN, math.ceil(_CREDITS_ISOCHRONE_PER_MINUTE * minutes))
        case SnapRequest():
            return float(math.ceil(len(request.places) / 10))
        case ElevationRequest():
            return float(math.ceil(len(request.places) / 100))


def body(request: _Survey) -> dict[str, Any]:
    """Say a request in the contract's words."""
    match request:
        case MatrixRequest():
            return {
                "sources": _points(request.sources),
                "targets": _points(request.targets),
                "profile": request.profile.value,
            }
        case IsochroneRequest():
            return {
                "center": _points((request.center,))[0],
                "contours": list(request.contours),
                "measure": request.measure.value,
                "profile": request.profile.value,
                "reverse": request.reverse,
            }
        case SnapRequest():
            return {
                "points": _points(request.places),
                "profile": request.profile.value,
                "radius_m": request.radius_m,
            }
        case ElevationRequest():
            return {"points": _points(request.places)}


def read(answer: Answer, request: _Survey) -> DomainAnswer:
    """Read the answer to a request.

    Raises:
        RoutingError: It is a refusal or a failure, or not of the agreed shape.
    """
    raise_problem(answer)
    match request:
        case MatrixRequest():
            rows = parse(answer, _Matrix).cells
            return Matrix(tuple(tuple(map(_cell, row)) for row in rows))
        case IsochroneRequest():
            return Isochrone(tuple(map(_contour, parse(answer, _Isochrone).contours)))
        case SnapRequest():
            return Snapped(tuple(map(_point, parse(answer, _Snapped).points)))
        case ElevationRequest():
            return Elevations(tuple(parse(answer, _Elevations).heights_m))


def _points(places: Sequence[Coordinate]) -> list[dict[str, float]]:
    return [{"lon": place.lon, "lat": place.lat} for place in places]


def _cell(said: _Cell) -> MatrixCell:
    return MatrixCell(said.status, said.distance_m, said.duration_s)


def _contour(said: _Contour) -> Contour:
    return Contour(
        said.limit,
        tuple(
            tuple(tuple(place_of(*at) for at in ring) for ring in polygon)
            for polygon in said.geojson.coordinates
        ),
    )


def _point(said: _Point) -> SnappedWaypoint | None:
    if said.status == "not_snapped":
        return None
    if said.snapped is None or said.snap_distance_m is None:
        raise BadPayload("a point lacks its place")
    return SnappedWaypoint(place_of(said.snapped.lon, said.snapped.lat), said.snap_distance_m)
