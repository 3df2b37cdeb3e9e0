"""Every form in which answers leave us has an inverse, or is read by somebody else's parser."""

import json
from xml.etree import ElementTree as ET

from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.routing_answers import (
    ANSWERS,
    COORDINATES,
    ELEVATIONS,
    ISOCHRONES,
    MATRICES,
    ROUTES,
    SNAPPED,
    TEXTS,
    routes_of,
)

from tandem.routing.cache.kept import CODEC, KeptAnswer
from tandem.routing.domain.answers import (
    DomainAnswer,
    Elevations,
    Isochrone,
    Matrix,
    Routes,
    Snapped,
)
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.formats.geojson import isochrone_collection, route_collection
from tandem.routing.domain.formats.gpx import gpx
from tandem.routing.domain.request import Measure
from tandem.routing.domain.result import Freshness, Result
from tandem.routing.domain.route import Route
from tandem.routing.wire.geometry import GeometryFormat
from tandem.routing.wire.isochrones import IsochroneAnswer, isochrone_answer
from tandem.routing.wire.matrices import MatrixAnswer, matrix_answer
from tandem.routing.wire.places import (
    ElevationAnswer,
    SnapAnswer,
    elevation_answer,
    snap_answer,
)
from tandem.routing.wire.routes import PlanAnswer, plan_answer

_LABEL = {
    "provider": "bikemap",
    "freshness": "fresh_cache",
    "degraded": False,
    "attribution": ["© Test"],
    "age_s": 1.5,
}
_EAST_END = Coordinate(180.0, 10.0)
_DATE_LINE = Route(1.0, 1.0, 0.0, 0.0, (_EAST_END, Coordinate(179.0, 10.0)), ())
_GPX = "{http://www.topografix.com/GPX/1/1}"


def _labelled[A: DomainAnswer](answer: A) -> Result[A]:
    return Result(answer, "bikemap", Freshness.FRESH_CACHE, False, ("© Test",), 1.5)


@given(ANSWERS, TEXTS, st.lists(TEXTS, max_size=2), st.booleans())
def test_what_is_kept_comes_back(
    answer: DomainAnswer, provider: str, attribution: list[str], is_primary: bool
) -> None:
    """The bytes of the shared cache read as what was kept."""
    kept = KeptAnswer(answer, provider, tuple(attribution), is_primary)
    assert CODEC.load(CODEC.dump(kept)) == kept


@given(ROUTES, st.sampled_from([GeometryFormat.POLYLINE6, GeometryFormat.GEOJSON]))
def test_routes_come_through_the_wire(routes: Routes, form: GeometryFormat) -> None:
    """In three dimensions and six decimals nothing is lost."""
    result = _labelled(routes)
    written = plan_answer(result, form, 3).model_dump_json()
    assert PlanAnswer.model_validate_json(written).to_domain() == result


@given(routes_of())
def test_five_decimals_lose_no_more_than_that(route: Route) -> None:
    """G15: within 1e-5 degrees, and half of that."""
    written = plan_answer(_labelled(Routes((route,))), GeometryFormat.POLYLINE5, 2)
    line, heights_m = written.route.geometry.line()
    assert heights_m is None
    for there, here in zip(line, route.geometry, strict=True):
        assert abs(there.lon - here.lon) <= 0.51e-5
        assert abs(there.lat - here.lat) <= 0.51e-5


@given(MATRICES, ISOCHRONES, SNAPPED, ELEVATIONS)
def test_the_others_come_through_too(
    matrix: Matrix, isochrone: Isochrone, snapped: Snapped, elevations: Elevations
) -> None:
    """Matrices, isochrones, points and heights."""
    told = matrix_answer(_labelled(matrix)).model_dump_json()
    assert MatrixAnswer.model_validate_json(told).to_domain().answer == matrix
    told = isochrone_answer(_labelled(isochrone)).model_dump_json()
    assert IsochroneAnswer.model_validate_json(told).to_domain().answer == isochrone
    told = snap_answer(_labelled(snapped)).model_dump_json()
    assert SnapAnswer.model_validate_json(told).to_domain().answer == snapped
    told = elevation_answer(_labelled(elevations)).model_dump_json()
    assert ElevationAnswer.model_validate_json(told).to_domain().answer == elevations


@given(
    routes_of(),
    st.lists(COORDINATES, max_size=3),
    st.lists(TEXTS, max_size=2),
    TEXTS,
    st.sampled_from(Freshness),
)
@example(_DATE_LINE, [_EAST_END], [], "", Freshness.ESTIMATE)
def test_gpx_is_xml_that_says_the_line(
    route: Route, stops: list[Coordinate], attribution: list[str], name: str, freshness: Freshness
) -> None:
    """Whatever characters a name has, a parser reads the file; each vertex and the label is in it.

    Longitudes are those of the schema: from -180 to below 180.
    """
    routes, credit = Routes((route,)), tuple(attribution)
    result = Result(routes, "bikemap", freshness, degraded=True, attribution=credit, age_s=1.5)
    root = ET.fromstring(gpx(result, stops, name))  # noqa: S314 - our own file
    points = root.findall(f"{_GPX}trk/{_GPX}trkseg/{_GPX}trkpt")
    read = [Coordinate(float(one.attrib["lon"]), float(one.attrib["lat"])) for one in points]
    assert all(one.lon < 180 for one in read)
    assert read == [Coordinate(-180.0, at.lat) if at.lon == 180 else at for at in route.geometry]
    track = root.find(f"{_GPX}trk")
    assert track is not None
    assert track.findtext(f"{_GPX}desc") == f"{freshness.value}, degraded, 2 s old"
    assert track.findtext(f"{_GPX}src") == "bikemap"
    assert len(root.findall(f"{_GPX}wpt")) == len(stops)
    heights = [one.findtext(f"{_GPX}ele") for one in points]
    assert all(heights) if route.heights_m else not any(heights)


@given(ROUTES, ISOCHRONES)
def test_geojson_has_longitude_first(routes: Routes, isochrone: Isochrone) -> None:
    """Features whose positions are those of the answer, and that JSON can say."""
    drawn = json.loads(json.dumps(route_collection(_labelled(routes))))
    assert {name: drawn[name] for name in _LABEL} == _LABEL
    for feature, route in zip(drawn["features"], routes.routes, strict=True):
        rows = feature["geometry"]["coordinates"]
        assert [(row[0], row[1]) for row in rows] == [(at.lon, at.lat) for at in route.geometry]
        assert all(len(row) == (2 if route.heights_m is None else 3) for row in rows)
        corners = [*map(min, zip(*rows, strict=True)), *map(max, zip(*rows, strict=True))]
        assert feature["bbox"] == corners
    drawn = json.loads(json.dumps(isochrone_collection(_labelled(isochrone), Measure.TIME_S)))
    assert {name: drawn[name] for name in _LABEL} == _LABEL
    limits = [feature["properties"]["time_s"] for feature in drawn["features"]]
    assert limits == [contour.limit for contour in isochrone.contours]
