"""Hypothesis strategies for every answer of the routing domain."""

from hypothesis import strategies as st

from tandem.routing.domain.answers import (
    CellStatus,
    Contour,
    DomainAnswer,
    Elevations,
    Isochrone,
    Matrix,
    MatrixCell,
    Routes,
    Snapped,
)
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.maneuver import Maneuver
from tandem.routing.domain.route import Leg, Route, RouteWarning, Step
from tandem.routing.domain.segment import Segment, SegmentKind, Surface, WayType
from tandem.routing.domain.waypoint import SnappedWaypoint

MEASURES = st.integers(0, 10**7).map(lambda tenths: tenths / 10)
HEIGHTS = st.integers(-50_000, 900_000).map(lambda centimetres: centimetres / 100)
TEXTS = st.text(max_size=20)
COORDINATES = st.builds(
    lambda lon, lat: Coordinate(lon / 10**6, lat / 10**6),
    st.integers(-180 * 10**6, 180 * 10**6),
    st.integers(-90 * 10**6, 90 * 10**6),
)
_INDEXES = st.integers(0, 9)
_STEPS = st.builds(
    Step, st.sampled_from(Maneuver), TEXTS, _INDEXES, _INDEXES, MEASURES, MEASURES, TEXTS
)
_LEGS = st.builds(
    Leg, MEASURES, MEASURES, _INDEXES, _INDEXES, st.lists(_STEPS, max_size=2).map(tuple)
)
_SEGMENTS = st.one_of(
    st.builds(Segment, st.just(SegmentKind.SURFACE), _INDEXES, _INDEXES, st.sampled_from(Surface)),
    st.builds(Segment, st.just(SegmentKind.WAY_TYPE), _INDEXES, _INDEXES, st.sampled_from(WayType)),
)
_SNAPPED = st.builds(SnappedWaypoint, COORDINATES, MEASURES)


@st.composite
def routes_of(draw: st.DrawFn, attribution: tuple[str, ...] = ("© Test",)) -> Route:
    """Draw a route; its line need not be believable."""
    line = draw(st.lists(COORDINATES, min_size=2, max_size=10))
    heights = st.lists(HEIGHTS, min_size=len(line), max_size=len(line)).map(tuple)
    return Route(
        draw(MEASURES),
        draw(MEASURES),
        draw(MEASURES),
        draw(MEASURES),
        tuple(line),
        draw(st.lists(_LEGS, max_size=2).map(tuple)),
        draw(st.lists(st.builds(RouteWarning, TEXTS, TEXTS), max_size=2).map(tuple)),
        attribution,
        draw(st.none() | heights),
        draw(st.lists(_SEGMENTS, max_size=3).map(tuple)),
        draw(TEXTS),
    )


ROUTES = st.builds(
    Routes,
    st.lists(routes_of(), min_size=1, max_size=2).map(tuple),
    st.lists(_SNAPPED, max_size=2).map(tuple),
)
_CELLS = st.one_of(
    st.builds(MatrixCell, st.just(CellStatus.OK), MEASURES, MEASURES),
    st.builds(MatrixCell, st.sampled_from([CellStatus.UNREACHABLE, CellStatus.NOT_SNAPPED])),
)
MATRICES = st.builds(
    Matrix, st.lists(st.lists(_CELLS, min_size=1, max_size=3).map(tuple), max_size=3).map(tuple)
)
_RINGS = st.lists(COORDINATES, min_size=3, max_size=5).map(lambda ring: (*ring, ring[0]))
_POLYGONS = st.lists(_RINGS, min_size=1, max_size=2).map(tuple)
ISOCHRONES = st.builds(
    Isochrone,
    st.lists(
        st.builds(Contour, MEASURES, st.lists(_POLYGONS, max_size=2).map(tuple)), max_size=2
    ).map(tuple),
)
SNAPPED = st.builds(Snapped, st.lists(st.none() | _SNAPPED, max_size=3).map(tuple))
ELEVATIONS = st.builds(Elevations, st.lists(st.none() | HEIGHTS, max_size=3).map(tuple))
ANSWERS: st.SearchStrategy[DomainAnswer] = st.one_of(
    ROUTES, MATRICES, ISOCHRONES, SNAPPED, ELEVATIONS
)
