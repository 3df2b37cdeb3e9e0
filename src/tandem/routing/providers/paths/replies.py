"""What the API of paths says, in the domain's words. Pure: an answer in, an answer or error out."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import Field

from tandem.routing.domain import polyline
from tandem.routing.domain.answers import (
    CellStatus,
    Contour,
    Matrix,
    MatrixCell,
    Ring,
    Routes,
)
from tandem.routing.domain.coordinate import Coordinate, great_circle_m
from tandem.routing.domain.errors import BadPayload
from tandem.routing.domain.maneuver import Maneuver
from tandem.routing.domain.polyline import Precision
from tandem.routing.domain.request import MatrixRequest, RouteRequest
from tandem.routing.domain.route import Leg, Route, RouteWarning, Step
from tandem.routing.domain.segment import Segment, SegmentKind, Surface, WayType
from tandem.routing.domain.waypoint import SnappedWaypoint, WaypointKind
from tandem.routing.exchange import Answer
from tandem.routing.limits import (
    ALTERNATIVES_MAX,
    ATTRIBUTION_CHARS_MAX,
    ATTRIBUTIONS_MAX,
    INSTRUCTION_CHARS_MAX,
    MATRIX_CELLS_MAX,
    POLYGONS_MAX,
    VERTICES_MAX,
    WARNING_CHARS_MAX,
)
from tandem.routing.providers.guard import Foreign, parse
from tandem.routing.providers.paths import words
from tandem.routing.providers.paths.faults import error_of
from tandem.routing.providers.paths.words import Dialect

_POLYLINE_CHARS_MAX: Final = 16 * VERTICES_MAX
_MS_PER_S: Final = 1_000.0
_PRECISIONS: Final[dict[float, Precision]] = {1e5: 5, 1e6: 6}
# Engines write the largest number that they have where there is no way; a value of -1 is another.
_SENTINEL: Final = 214_748_364.0

type _Measure = Annotated[float, Field(ge=0)]
type _Index = Annotated[int, Field(ge=0, lt=VERTICES_MAX)]
type _Position = Annotated[list[float], Field(min_length=2, max_length=3)]
type _Positions = Annotated[list[_Position], Field(max_length=VERTICES_MAX)]
type _Row = Annotated[list[float | None], Field(max_length=MATRIX_CELLS_MAX)]
type _Line = tuple[tuple[Coordinate, ...], tuple[float, ...] | None]


class _LineString(Foreign):
    coordinates: _Positions


class _Instruction(Foreign):
    text: str = ""
    street_name: str = ""
    distance: _Measure
    time: _Measure
    interval: tuple[_Index, _Index]
    sign: int


type _Points = Annotated[str, Field(max_length=_POLYLINE_CHARS_MAX)] | _LineString


class _Path(Foreign):
    distance: _Measure
    time: _Measure
    # Absent where there is nothing to climb.
    ascend: _Measure = 0.0
    descend: _Measure = 0.0
    points: _Points
    points_encoded_multiplier: float = 1e5
    snapped_waypoints: _Points = ""
    instructions: Annotated[tuple[_Instruction, ...], Field(max_length=VERTICES_MAX)] = ()
    details: dict[
        str,
        Annotated[
            list[tuple[_Index, _Index, str | float | bool | None]], Field(max_length=VERTICES_MAX)
        ],
    ] = {}  # noqa: RUF012 - pydantic copies it


class _Info(Foreign):
    copyrights: tuple[str, ...] = ()
    road_data_timestamp: Annotated[str, Field(max_length=WARNING_CHARS_MAX)] = ""


class _Paths(Foreign):
    paths: Annotated[list[_Path], Field(min_length=1, max_length=ALTERNATIVES_MAX + 1)]
    info: _Info = _Info()


class _MatrixHint(Foreign):
    invalid_from_points: frozenset[int] = frozenset()
    invalid_to_points: frozenset[int] = frozenset()


class _Matrix(Foreign):
    distances: Annotated[list[_Row], Field(max_length=MATRIX_CELLS_MAX)]
    times: Annotated[list[_Row], Field(max_length=MATRIX_CELLS_MAX)]
    hints: tuple[_MatrixHint, ...] = ()


class _Polygon(Foreign):
    type: Literal["Polygon"]
    coordinates: Annotated[list[_Positions], Field(max_length=POLYGONS_MAX)]


class _MultiPolygon(Foreign):
    type: Literal["MultiPolygon"]
    coordinates: Annotated[list[list[_Positions]], Field(max_length=POLYGONS_MAX)]


class _Feature(Foreign):
    geometry: Annotated[_Polygon | _MultiPolygon, Field(discriminator="type")]


class _Isochrone(Foreign):
    polygons: Annotated[list[_Feature], Field(min_length=1, max_length=1)]


class _Nearest(Foreign):
    coordinates: _Position


def read_routes(answer: Answer, request: RouteRequest, dialect: Dialect) -> Routes:
    """Read an answer to `/route`. Raises RoutingError."""
    said = _read(answer, _Paths, request.places)
    places, _heights = _line(said.paths[0].snapped_waypoints, said.paths[0])
    snapped = (
        SnappedWaypoint(place, round(great_circle_m(wanted, place), 1))
        for wanted, place in zip(request.places, places, strict=False)
    )
    routes = (_route(path, said.info, request, dialect) for path in said.paths)
    return Routes(tuple(routes), tuple(snapped))


def read_matrix(answer: Answer, request: MatrixRequest) -> Matrix:
    """Read an answer to `/matrix`, whose times are seconds. Raises RoutingError."""
    said = _read(answer, _Matrix, request.places)
    rows_off = frozenset[int]().union(*(hint.invalid_from_points for hint in said.hints))
    columns_off = frozenset[int]().union(*(hint.invalid_to_points for hint in said.hints))
    try:
        return Matrix(
            tuple(
                tuple(
                    _cell(*pair, is_off=row in rows_off or column in columns_off)
                    for column, pair in enumerate(zip(*both, strict=True))
                )
                for row, both in enumerate(zip(said.distances, said.times, strict=True))
            )
        )
    except ValueError as error:
        raise BadPayload("distances and times are of different shapes") from error


def read_contour(answer: Answer, center: Coordinate, limit: float) -> Contour:
    """Read an answer to `/isochrone` of one bucket. Raises RoutingError."""
    shape = _read(answer, _Isochrone, (center,)).polygons[0].geometry
    polygons = [shape.coordinates] if isinstance(shape, _Polygon) else shape.coordinates
    return Contour(limit, tuple(tuple(map(_ring, polygon)) for polygon in polygons))


def read_nearest(answer: Answer, place: Coordinate, radius_m: float) -> SnappedWaypoint | None:
    """Read an answer to `/nearest`; None where that is too far off. Raises RoutingError."""
    said = _read(answer, _Nearest, (place,))
    found = _place(said.coordinates)
    away_m = great_circle_m(place, found)
    return SnappedWaypoint(found, round(away_m, 1)) if away_m <= radius_m else None


def _read[M: Foreign](answer: Answer, model: type[M], places: Sequence[Coordinate]) -> M:
    error = error_of(answer, places)
    if error is not None:
        raise error
    return parse(answer, model)


def _route(path: _Path, info: _Info, request: RouteRequest, dialect: Dialect) -> Route:
    line, heights_m = _line(path.points, path)
    segments, unknown = _segments(path, dialect)
    legs = _legs(path, request)
    if any(step.maneuver is Maneuver.UNKNOWN for leg in legs for step in leg.steps):
        unknown.add("maneuver")
    detail = "the provider has a word for it that we do not know"
    return Route(
        distance_m=path.distance,
        duration_s=path.time / _MS_PER_S,
        ascent_m=path.ascend,
        descent_m=path.descend,
        geometry=line,
        legs=legs,
        warnings=tuple(RouteWarning(f"{kind}.unknown", detail) for kind in sorted(unknown)),
        attribution=tuple(
            text[:ATTRIBUTION_CHARS_MAX] for text in info.copyrights[:ATTRIBUTIONS_MAX]
        ),
        heights_m=heights_m,
        segments=segments,
        data_version=info.road_data_timestamp,
    )


def _legs(path: _Path, request: RouteRequest) -> tuple[Leg, ...]:
    """Cut the instructions into legs: one ends where a waypoint that is a stop is reached."""
    legs: list[Leg] = []
    steps: list[Step] = []
    reached = 0
    for said in path.instructions:
        is_via = False
        if said.sign == words.SIGN_VIA:
            reached += 1
            inner = request.waypoints[min(reached, len(request.waypoints) - 1)]
            is_via = inner.kind is WaypointKind.VIA
        ends_leg = said.sign == words.SIGN_FINISH or (said.sign == words.SIGN_VIA and not is_via)
        steps.append(_step(said, is_first=not steps, ends_leg=ends_leg))
        if ends_leg:
            legs.append(_leg(steps))
            steps = []
    # Instructions that end without an arrival are of no whole leg; the guard will say so.
    return tuple(legs)


def _leg(steps: Sequence[Step]) -> Leg:
    return Leg(
        round(sum(step.distance_m for step in steps), 3),
        round(sum(step.duration_s for step in steps), 3),
        steps[0].begin_index,
        steps[-1].end_index,
        tuple(steps),
    )


def _step(said: _Instruction, *, is_first: bool, ends_leg: bool) -> Step:
    maneuver = words.SIGNS.get(said.sign, Maneuver.UNKNOWN)
    if ends_leg:
        maneuver = Maneuver.ARRIVE
    elif is_first and maneuver is Maneuver.CONTINUE:
        maneuver = Maneuver.DEPART
    return Step(
        maneuver,
        said.text[:INSTRUCTION_CHARS_MAX],
        *said.interval,
        said.distance,
        said.time / _MS_PER_S,
        said.street_name[:INSTRUCTION_CHARS_MAX],
    )


def _segments(path: _Path, dialect: Dialect) -> tuple[tuple[Segment, ...], set[str]]:
    """Return the stretches, and of which kinds some had a word that we do not know."""
    segments, unknown = [], set[str]()
    for begin, end, value in path.details.get(dialect.surface_detail, ()):
        surface = Surface.MISSING if value is None else words.surface(str(value).lower())
        if surface is None:
            unknown.add("surface")
        segments.append(Segment(SegmentKind.SURFACE, begin, end, surface or Surface.OTHER))
    for begin, end, value in path.details.get(dialect.way_type_detail, ()):
        way_type = WayType.MISSING if value is None else words.way_type(str(value).lower())
        if way_type is None:
            unknown.add("way_type")
        segments.append(Segment(SegmentKind.WAY_TYPE, begin, end, way_type or WayType.OTHER))
    return tuple(segments), unknown


def _cell(distance_m: float | None, time_s: float | None, *, is_off: bool) -> MatrixCell:
    if is_off:
        return MatrixCell(CellStatus.NOT_SNAPPED)
    if distance_m is None or time_s is None:
        return MatrixCell(CellStatus.UNREACHABLE)
    if min(distance_m, time_s) < 0 or max(distance_m, time_s) >= _SENTINEL:
        return MatrixCell(CellStatus.UNREACHABLE)
    return MatrixCell(CellStatus.OK, distance_m, time_s)


def _line(points: _Points, path: _Path) -> _Line:
    """Return a line and its heights; encoded ones are of three dimensions, as was asked for."""
    if isinstance(points, _LineString):
        rows = points.coordinates
        is_3d = all(len(row) == 3 for row in rows)  # noqa: PLR2004 - dimensions
        return tuple(map(_place, rows)), tuple(row[2] for row in rows) if is_3d else None
    precision = _PRECISIONS.get(path.points_encoded_multiplier)
    if precision is None:
        raise BadPayload("the line is of a precision that nobody agreed on")
    try:
        return polyline.decode_3d(points, precision)
    except polyline.PolylineError as error:
        raise BadPayload(f"the line is broken: {error}") from error


def _ring(rows: _Positions) -> Ring:
    return tuple(map(_place, rows))


def _place(row: _Position) -> Coordinate:
    try:
        return Coordinate(row[0], row[1])
    except ValueError as error:
        raise BadPayload("a place is not on the globe") from error
