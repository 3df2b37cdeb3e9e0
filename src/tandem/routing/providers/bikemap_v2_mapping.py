"""What Bikemap's version 2 says, in the domain's words. Pure: an answer in, routes out."""

from typing import Annotated, Final, Literal

from pydantic import Field

from tandem.routing.domain import polyline
from tandem.routing.domain.answers import Routes
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.errors import BadPayload
from tandem.routing.domain.maneuver import Maneuver
from tandem.routing.domain.route import Leg, Route, RouteWarning, Step
from tandem.routing.domain.segment import Segment, SegmentKind, Surface, WayType
from tandem.routing.domain.waypoint import SnappedWaypoint
from tandem.routing.exchange import Answer
from tandem.routing.limits import (
    ALTERNATIVES_MAX,
    ATTRIBUTION_CHARS_MAX,
    ATTRIBUTIONS_MAX,
    INSTRUCTION_CHARS_MAX,
    LEGS_MAX,
    VERTICES_MAX,
    WARNING_CHARS_MAX,
    WARNINGS_MAX,
    WAYPOINTS_MAX,
)
from tandem.routing.providers import bikemap_v2_words as words
from tandem.routing.providers.bikemap_v2_problems import raise_problem
from tandem.routing.providers.guard import Foreign, parse

_POLYLINE_CHARS_MAX: Final = 16 * VERTICES_MAX

type _Text = Annotated[str, Field(max_length=WARNING_CHARS_MAX)]
type _Measure = Annotated[float, Field(ge=0)]
type _Index = Annotated[int, Field(ge=0, lt=VERTICES_MAX)]


class _Polyline(Foreign):
    format: Literal["polyline6"]
    dims: Literal[2, 3]
    polyline: Annotated[str, Field(max_length=_POLYLINE_CHARS_MAX)]


class _LineString(Foreign):
    type: Literal["LineString"]
    coordinates: Annotated[
        list[Annotated[list[float], Field(min_length=2, max_length=3)]],
        Field(max_length=VERTICES_MAX),
    ]


class _GeoJson(Foreign):
    format: Literal["geojson"]
    geojson: _LineString


class _Step(Foreign):
    maneuver: str
    modifier: str | None = None
    instruction: str = ""
    street_name: str = ""
    begin: _Index
    end: _Index
    distance_m: _Measure
    duration_s: _Measure


class _Leg(Foreign):
    distance_m: _Measure
    duration_s: _Measure
    begin: _Index
    end: _Index
    steps: Annotated[tuple[_Step, ...], Field(max_length=VERTICES_MAX)] = ()


class _Segment(Foreign):
    # Kinds that may come later are passed over.
    kind: str
    begin: _Index
    end: _Index
    value: str


class _Route(Foreign):
    distance_m: _Measure
    duration_s: _Measure
    # Absent where there is nothing to climb.
    ascent_m: _Measure = 0.0
    descent_m: _Measure = 0.0
    geometry: Annotated[_Polyline | _GeoJson, Field(discriminator="format")]
    legs: Annotated[list[_Leg], Field(max_length=LEGS_MAX)]
    segments: Annotated[tuple[_Segment, ...], Field(max_length=2 * VERTICES_MAX)] = ()


class _LonLat(Foreign):
    lon: float
    lat: float


class _Snapped(Foreign):
    snapped: _LonLat
    snap_distance_m: _Measure


class _Notice(Foreign):
    code: _Text
    detail: str = ""


class _Compute(Foreign):
    routes: Annotated[list[_Route], Field(min_length=1, max_length=ALTERNATIVES_MAX + 1)]
    waypoints: Annotated[tuple[_Snapped, ...], Field(max_length=WAYPOINTS_MAX)] = ()
    warnings: tuple[_Notice, ...] = ()
    attribution: tuple[str, ...] = ()
    data_version: _Text = ""


def read(answer: Answer) -> Route:
    """Read the best route of an answer, as `read_routes` does."""
    return read_routes(answer).best


def read_routes(answer: Answer) -> Routes:
    """Read an answer to `routes:compute`: by its body first, by its status where that fails.

    Raises:
        RoutingError: It is a refusal or a failure, or not to be believed.
    """
    raise_problem(answer)
    said = parse(answer, _Compute)
    snapped = (
        SnappedWaypoint(place_of(one.snapped.lon, one.snapped.lat), one.snap_distance_m)
        for one in said.waypoints
    )
    return Routes(tuple(_route(route, said) for route in said.routes), tuple(snapped))


def _route(route: _Route, said: _Compute) -> Route:
    line, heights_m = _line(route.geometry)
    legs = tuple(_leg(leg) for leg in route.legs)
    segments, unknown = _segments(route.segments)
    if any(step.maneuver is Maneuver.UNKNOWN for leg in legs for step in leg.steps):
        unknown.add("maneuver")
    return Route(
        distance_m=route.distance_m,
        duration_s=route.duration_s,
        ascent_m=route.ascent_m,
        descent_m=route.descent_m,
        geometry=line,
        legs=legs,
        warnings=(*_unknown(unknown), *_warnings(said)),
        attribution=tuple(
            text[:ATTRIBUTION_CHARS_MAX] for text in said.attribution[:ATTRIBUTIONS_MAX]
        ),
        heights_m=heights_m,
        segments=segments,
        data_version=said.data_version,
    )


def _leg(leg: _Leg) -> Leg:
    steps = (
        Step(
            words.maneuver(step.maneuver, step.modifier),
            step.instruction[:INSTRUCTION_CHARS_MAX],
            step.begin,
            step.end,
            step.distance_m,
            step.duration_s,
            step.street_name[:INSTRUCTION_CHARS_MAX],
        )
        for step in leg.steps
    )
    return Leg(leg.distance_m, leg.duration_s, leg.begin, leg.end, tuple(steps))


def _segments(said: tuple[_Segment, ...]) -> tuple[tuple[Segment, ...], set[str]]:
    """Return the stretches, and of which kinds some had a word that we do not know."""
    segments, unknown = [], set[str]()
    for one in said:
        if one.kind not in SegmentKind:
            continue
        kind = SegmentKind(one.kind)
        value = words.segment_value(kind, one.value)
        if value is None:
            unknown.add(one.kind)
            value = Surface.OTHER if kind is SegmentKind.SURFACE else WayType.OTHER
        segments.append(Segment(kind, one.begin, one.end, value))
    return tuple(segments), unknown


def _unknown(kinds: set[str]) -> list[RouteWarning]:
    detail = "the provider has a word for it that we do not know"
    return [RouteWarning(f"{kind}.unknown", detail) for kind in sorted(kinds)]


def _warnings(said: _Compute) -> list[RouteWarning]:
    return [
        RouteWarning(item.code, item.detail[:WARNING_CHARS_MAX])
        for item in said.warnings[:WARNINGS_MAX]
    ]


def _line(
    geometry: _Polyline | _GeoJson,
) -> tuple[tuple[Coordinate, ...], tuple[float, ...] | None]:
    """Return the line, and its heights where it has three dimensions."""
    if isinstance(geometry, _GeoJson):
        rows = geometry.geojson.coordinates
        is_3d = all(len(row) == 3 for row in rows)  # noqa: PLR2004 - dimensions
        heights_m = tuple(row[2] for row in rows) if is_3d else None
        return tuple(place_of(row[0], row[1]) for row in rows), heights_m
    try:
        if geometry.dims == 3:  # noqa: PLR2004 - dimensions
            return polyline.decode_3d(geometry.polyline, 6)
        return polyline.decode(geometry.polyline, 6), None
    except ValueError as error:
        raise BadPayload(f"the line is broken: {error}") from error


def place_of(lon: float, lat: float) -> Coordinate:
    """Return a place; raises BadPayload where it is not on the globe."""
    try:
        return Coordinate(lon, lat)
    except ValueError as error:
        raise BadPayload("a place is not on the globe") from error
