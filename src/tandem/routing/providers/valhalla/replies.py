"""What Valhalla says, in the domain's words. Pure: an answer in, an answer or an error out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from tandem.routing.domain import polyline
from tandem.routing.domain.answers import (
    CellStatus,
    Contour,
    Elevations,
    Isochrone,
    Matrix,
    MatrixCell,
    Ring,
    Snapped,
)
from tandem.routing.domain.climb import climb_m
from tandem.routing.domain.coordinate import Coordinate, great_circle_m
from tandem.routing.domain.errors import (
    BadPayload,
    InvalidRequest,
    NoRoute,
    NotSnapped,
    Refusal,
    RoutingError,
    ServerError,
    TooLong,
)
from tandem.routing.domain.maneuver import Maneuver
from tandem.routing.domain.request import IsochroneRequest, Measure, SnapRequest
from tandem.routing.domain.route import Leg, Route, RouteWarning, Step
from tandem.routing.domain.segment import Segment, SegmentKind, Surface, WayType
from tandem.routing.domain.waypoint import SnappedWaypoint
from tandem.routing.exchange import Answer
from tandem.routing.limits import (
    ALTERNATIVES_MAX,
    CONTOURS_MAX,
    LEGS_MAX,
    MATRIX_CELLS_MAX,
    POLYGONS_MAX,
    VERTICES_MAX,
    WARNING_CHARS_MAX,
)
from tandem.routing.providers.guard import Foreign, parse
from tandem.routing.providers.status import error_of_status
from tandem.routing.providers.valhalla.words import MANEUVERS, SURFACES, way_type

type Heights = Sequence[float | None]

# 170 says that the locations lie in parts of the network that are not connected.
_REFUSALS: Final[Mapping[int, tuple[type[Refusal], str]]] = {
    154: (TooLong, "the route would be too long"),
    170: (NoRoute, "no way connects the waypoints"),
    171: (NotSnapped, "a waypoint is too far from the network"),
    442: (NoRoute, "no way connects the waypoints"),
    443: (NoRoute, "no way connects the waypoints"),
}
# The other numbers from 100 are complaints about the request, from 200 faults of its own.
_COMPLAINTS: Final = range(100, 170)
_METRES_PER_KM: Final = 1_000.0
_SECONDS_PER_MINUTE: Final = 60.0
_POLYLINE_CHARS_MAX: Final = 16 * VERTICES_MAX
_OK: Final = 200

type _Measured = Annotated[float, Field(ge=0)]
type _Text = Annotated[str, Field(max_length=10 * WARNING_CHARS_MAX)]
type _Index = Annotated[int, Field(ge=0, lt=VERTICES_MAX)]


class _Summary(Foreign):
    length: _Measured
    time: _Measured


class _Maneuver(Foreign):
    type: int
    instruction: _Text = ""
    street_names: tuple[_Text, ...] = ()
    length: _Measured
    time: _Measured
    begin_shape_index: _Index
    end_shape_index: _Index


class _Leg(Foreign):
    summary: _Summary
    shape: Annotated[str, Field(max_length=_POLYLINE_CHARS_MAX)]
    maneuvers: Annotated[tuple[_Maneuver, ...], Field(max_length=VERTICES_MAX)] = ()


class _Trip(Foreign):
    summary: _Summary
    legs: Annotated[list[_Leg], Field(min_length=1, max_length=LEGS_MAX)]
    units: Literal["kilometers"]
    # Anything but 0 is an error, under whatever status of HTTP.
    status: Literal[0]


class _Alternate(Foreign):
    trip: _Trip


class _Answer(Foreign):
    trip: _Trip
    alternates: Annotated[tuple[_Alternate, ...], Field(max_length=ALTERNATIVES_MAX)] = ()


class _Height(Foreign):
    height: Annotated[list[float | None], Field(max_length=VERTICES_MAX)]


class _Edge(Foreign):
    surface: str | None = None
    use: str | None = None
    road_class: str | None = None
    begin_shape_index: _Index
    end_shape_index: _Index


class _Ways(Foreign):
    edges: Annotated[list[_Edge], Field(max_length=VERTICES_MAX)]


type _Row = Annotated[list[float | None], Field(max_length=MATRIX_CELLS_MAX)]


class _Cells(Foreign):
    distances: Annotated[list[_Row], Field(max_length=MATRIX_CELLS_MAX)]
    durations: Annotated[list[_Row], Field(max_length=MATRIX_CELLS_MAX)]


class _Matrix(Foreign):
    sources_to_targets: _Cells
    units: Literal["kilometers"]


type _Position = Annotated[list[float], Field(min_length=2, max_length=2)]
type _Line = Annotated[list[_Position], Field(max_length=VERTICES_MAX)]


class _Polygon(Foreign):
    type: Literal["Polygon"]
    coordinates: Annotated[list[_Line], Field(max_length=POLYGONS_MAX)]


class _MultiPolygon(Foreign):
    type: Literal["MultiPolygon"]
    coordinates: Annotated[list[list[_Line]], Field(max_length=POLYGONS_MAX)]


class _ContourProperties(Foreign):
    contour: float
    metric: Literal["time", "distance"]


class _Feature(Foreign):
    properties: _ContourProperties
    geometry: Annotated[_Polygon | _MultiPolygon, Field(discriminator="type")]


class _Features(Foreign):
    features: Annotated[list[_Feature], Field(max_length=CONTOURS_MAX)]


class _Correlated(Foreign):
    correlated_lon: float
    correlated_lat: float


class _Located(Foreign):
    edges: tuple[_Correlated, ...] | None = ()


class _Error(Foreign):
    error_code: int


@dataclass(frozen=True, slots=True)
class Trip:
    """A trip whose legs have one line; `polyline6` is that line, as Valhalla takes it."""

    distance_m: float
    duration_s: float
    line: tuple[Coordinate, ...]
    legs: tuple[Leg, ...]
    warnings: tuple[RouteWarning, ...] = ()

    @property
    def polyline6(self) -> str:
        """The line as text."""
        return polyline.encode(self.line, 6)


def read_trips(answer: Answer) -> tuple[Trip, ...]:
    """Read an answer to `/route`: the best trip, then alternatives. Raises RoutingError."""
    said = _read(answer, _Answer)
    return tuple(_trip(trip) for trip in (said.trip, *(one.trip for one in said.alternates)))


def read_heights(answer: Answer) -> Heights:
    """Read an answer to `/height`: metres, or None where the terrain has no data."""
    return _read(answer, _Height).height


def read_segments(answer: Answer, trip: Trip) -> tuple[Segment, ...]:
    """Read an answer to `/trace_attributes`. Raises RoutingError where it is of another line."""
    edges = _read(answer, _Ways).edges
    ends = [(edge.begin_shape_index, edge.end_shape_index) for edge in edges]
    follow = all(one[1] == other[0] for one, other in pairwise(ends))
    if not (edges and follow and (ends[0][0], ends[-1][1]) == (0, len(trip.line) - 1)):
        raise BadPayload("the ways are not those of the line")
    surfaces = (SURFACES.get(edge.surface or "", Surface.MISSING) for edge in edges)
    types = (way_type(edge.use, edge.road_class) for edge in edges)
    return (
        *_merged(SegmentKind.SURFACE, zip(ends, surfaces, strict=True)),
        *_merged(SegmentKind.WAY_TYPE, zip(ends, types, strict=True)),
    )


def route(
    trip: Trip,
    heights_m: Heights | None,
    segments: tuple[Segment, ...] = (),
    *,
    with_heights: bool = False,
) -> Route:
    """Put a trip, the heights along its line and what it runs on together."""
    known = [height for height in heights_m or () if height is not None]
    ascent_m, descent_m = climb_m(known)
    is_whole = heights_m is not None and len(known) == len(trip.line)
    incomplete = RouteWarning("elevation.incomplete", "climb is not known for all of the route")
    return Route(
        distance_m=trip.distance_m,
        duration_s=trip.duration_s,
        ascent_m=round(ascent_m, 1),
        descent_m=round(descent_m, 1),
        geometry=trip.line,
        legs=trip.legs,
        warnings=trip.warnings if is_whole else (*trip.warnings, incomplete),
        heights_m=tuple(known) if is_whole and with_heights else None,
        segments=segments,
    )


def read_matrix(answer: Answer) -> Matrix:
    """Read an answer to `/sources_to_targets`. Raises RoutingError."""
    said = _read(answer, _Matrix).sources_to_targets
    try:
        rows = [
            tuple(_cell(*pair) for pair in zip(*rows, strict=True))
            for rows in zip(said.distances, said.durations, strict=True)
        ]
    except ValueError as error:
        raise BadPayload("distances and durations are of different shapes") from error
    return Matrix(tuple(rows))


def read_isochrone(answer: Answer, request: IsochroneRequest) -> Isochrone:
    """Read an answer to `/isochrone`; it may give the contours in another order."""
    is_time = request.measure is Measure.TIME_S
    unit = _SECONDS_PER_MINUTE if is_time else _METRES_PER_KM
    features = _read(answer, _Features).features
    known = {round(one.properties.contour * unit, 3): one.geometry for one in features}
    contours = [(limit, known.get(round(limit, 3))) for limit in request.contours]
    return Isochrone(
        tuple(Contour(limit, _polygons(said)) for limit, said in contours if said is not None)
    )


def read_snapped(answer: Answer, request: SnapRequest) -> Snapped:
    """Read an answer to `/locate`: the nearest edge of each place. Raises RoutingError."""
    located = _read_list(answer)
    if len(located) != len(request.places):
        raise BadPayload("there is not one point for each place")
    points = []
    for place, one in zip(request.places, located, strict=True):
        found = [_place(edge.correlated_lon, edge.correlated_lat) for edge in one.edges or ()]
        away = [(great_circle_m(place, at), at) for at in found]
        near = [(far_m, at) for far_m, at in away if far_m <= request.radius_m]
        best = min(near, key=lambda pair: pair[0], default=None)
        points.append(best and SnappedWaypoint(best[1], round(best[0], 1)))
    return Snapped(tuple(points))


def read_elevations(answer: Answer) -> Elevations:
    """Read an answer to `/height` as heights of places. Raises RoutingError."""
    return Elevations(tuple(read_heights(answer)))


def _read[M: Foreign](answer: Answer, model: type[M]) -> M:
    _raise_error(answer)
    return parse(answer, model)


def _read_list(answer: Answer) -> list[_Located]:
    _raise_error(answer)
    # `/locate` answers with a list, which no model reads; as a member it is read like the rest.
    wrapped = Answer(
        answer.status,
        answer.media_type,
        answer.headers,
        answer.received_at,
        b'{"located":' + answer.body + b"}",
    )
    return parse(wrapped, _AllLocated).located


class _AllLocated(Foreign):
    located: Annotated[list[_Located], Field(max_length=MATRIX_CELLS_MAX)]


def _raise_error(answer: Answer) -> None:
    code = _error_code(answer)
    if code is not None:
        raise _error(code)
    if answer.status != _OK:
        raise error_of_status(answer)


def _error_code(answer: Answer) -> int | None:
    if not answer.is_json:
        return None
    try:
        return _Error.model_validate_json(answer.body).error_code
    except ValidationError:
        return None


def _error(code: int) -> RoutingError:
    if code in _REFUSALS:
        refusal, text = _REFUSALS[code]
        return refusal(text)
    if code in _COMPLAINTS:
        return InvalidRequest(f"the engine does not accept the request ({code})")
    return ServerError(f"the engine failed ({code})")


def _trip(said: _Trip) -> Trip:
    line: list[Coordinate] = []
    legs = []
    for leg in said.legs:
        begin = max(0, len(line) - 1)
        places = _places(leg.shape)
        # The place where two legs meet is in both of their lines.
        line += places[1:] if line else places
        steps = tuple(_step(maneuver, begin) for maneuver in leg.maneuvers)
        length_m = _metres(leg.summary.length)
        legs.append(Leg(length_m, leg.summary.time, begin, len(line) - 1, steps))
    unknown = any(step.maneuver is Maneuver.UNKNOWN for leg in legs for step in leg.steps)
    warning = RouteWarning("maneuver.unknown", "the engine knows a maneuver that we do not")
    return Trip(
        _metres(said.summary.length),
        said.summary.time,
        tuple(line),
        tuple(legs),
        (warning,) if unknown else (),
    )


def _step(said: _Maneuver, begin: int) -> Step:
    return Step(
        MANEUVERS.get(said.type, Maneuver.UNKNOWN),
        said.instruction,
        begin + said.begin_shape_index,
        begin + said.end_shape_index,
        _metres(said.length),
        said.time,
        said.street_names[0] if said.street_names else "",
    )


def _merged[W: (Surface, WayType)](
    kind: SegmentKind, pieces: Iterable[tuple[tuple[int, int], W]]
) -> list[Segment]:
    """Join neighbours of one value."""
    merged: list[Segment] = []
    for (begin, end), value in pieces:
        if merged and merged[-1].value is value:
            begin = merged.pop().begin_index  # noqa: PLW2901 - the neighbour's
        merged.append(Segment(kind, begin, end, value))
    return merged


def _cell(length_km: float | None, duration_s: float | None) -> MatrixCell:
    if length_km is None or duration_s is None:
        return MatrixCell(CellStatus.UNREACHABLE)
    return MatrixCell(CellStatus.OK, _metres(length_km), duration_s)


def _polygons(said: _Polygon | _MultiPolygon) -> tuple[tuple[Ring, ...], ...]:
    polygons = [said.coordinates] if isinstance(said, _Polygon) else said.coordinates
    return tuple(
        tuple(tuple(_place(*at) for at in ring) for ring in polygon) for polygon in polygons
    )


def _places(shape: str) -> tuple[Coordinate, ...]:
    try:
        return polyline.decode(shape, 6)
    except polyline.PolylineError as error:
        raise BadPayload(f"the line is broken: {error}") from error


def _place(lon: float, lat: float) -> Coordinate:
    try:
        return Coordinate(lon, lat)
    except ValueError as error:
        raise BadPayload("a place is not on the globe") from error


def _metres(length_km: float) -> float:
    return round(length_km * _METRES_PER_KM, 1)
