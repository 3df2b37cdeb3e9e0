"""How far answers are apart: nothing for equal ones, and the same from either side."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.routing import MARKET, STATION, between

from tandem.routing.change.difference import difference, offset_m
from tandem.routing.domain.answers import CellStatus, Matrix, MatrixCell, Routes
from tandem.routing.domain.coordinate import Coordinate, great_circle_m
from tandem.routing.domain.errors import NoRoute
from tandem.routing.domain.route import Leg, Route

_PLACES = st.builds(Coordinate, st.floats(24.8, 25.0), st.floats(60.1, 60.3))
_LINES = st.lists(_PLACES, min_size=1, max_size=300)
_MEASURES = st.floats(1.0, 1e6)


def _routes(distance_m: float, duration_s: float) -> Routes:
    line = between(MARKET, STATION)
    leg = Leg(distance_m, duration_s, 0, 2)
    return Routes((Route(distance_m, duration_s, 0.0, 0.0, line, (leg,), (), ()),))


@given(_LINES, _LINES)
def test_lines_are_as_far_from_each_other(one: list[Coordinate], other: list[Coordinate]) -> None:
    """The offset is symmetric, never negative, and nothing between a line and itself."""
    assert offset_m(one, other) == offset_m(other, one) >= 0
    assert offset_m(one, one) == 0


@given(_PLACES, st.floats(0, 360), st.floats(1, 2_000))
def test_a_place_that_is_off_shows_by_how_much(
    place: Coordinate, heading: float, off_m: float
) -> None:
    """On the plane it is as far as on the globe, to a part in a thousand."""
    north_m, east_m = off_m * math.cos(heading), off_m * math.sin(heading)
    lat = place.lat + north_m / 111_195
    lon = place.lon + east_m / (111_195 * math.cos(math.radians(place.lat)))
    other = Coordinate(lon, lat)
    assert offset_m([place], [other]) == pytest.approx(great_circle_m(place, other), rel=1e-3)
    both = offset_m([place, place], [place, other])
    assert both == pytest.approx(offset_m([place], [other]), rel=1e-3)


def test_lines_on_both_sides_of_the_date_line() -> None:
    """Longitudes of 180 and -180 are one."""
    assert offset_m([Coordinate(179.9999, 60)], [Coordinate(-179.9999, 60)]) < 20


@given(_MEASURES, _MEASURES, st.floats(0.01, 100))
def test_ratios_of_routes(distance_m: float, duration_s: float, factor: float) -> None:
    """Equal routes have no difference; from the other side a ratio is its inverse."""
    one, other = _routes(distance_m, duration_s), _routes(distance_m * factor, duration_s)
    assert difference(one, one).distance_ratio == 1
    there, back = difference(one, other), difference(other, one)
    assert there.distance_ratio * back.distance_ratio == pytest.approx(1)
    assert there.duration_ratio == 1
    assert not there.disagree


def test_three_percent_and_milliseconds_are_seen() -> None:
    """Of a usual route the drift shows, and so does a unit."""
    truth = _routes(3_000, 700)
    assert difference(truth, _routes(3_090, 700)).distance_ratio == pytest.approx(1.03, abs=1e-4)
    assert difference(truth, _routes(3_000, 700_000)).duration_ratio > 900


def test_a_refusal_beside_an_answer() -> None:
    """One of two who say no disagrees; two of them agree."""
    refusal, answer = NoRoute("none"), _routes(3_000, 700)
    assert difference(refusal, answer).disagree
    assert difference(answer, refusal).disagree
    assert not difference(refusal, NoRoute("no")).disagree


def test_matrices_by_their_sums_and_by_what_can_be_reached() -> None:
    """All cells count; one that only one of them can reach is a disagreement."""
    cell = MatrixCell(CellStatus.OK, 1_000.0, 200.0)
    lost = MatrixCell(CellStatus.UNREACHABLE)
    one = Matrix(((cell, lost), (cell, cell)))
    longer = replace(cell, distance_m=1_300.0)
    found = difference(one, Matrix(((longer, lost), (cell, cell))))
    assert found.distance_ratio == pytest.approx(1.1, abs=1e-3)
    assert difference(one, Matrix(((cell, cell), (cell, cell)))).disagree


def test_what_does_not_compare() -> None:
    """Two kinds of answers are a mistake of ours."""
    with pytest.raises(TypeError):
        difference(_routes(1, 1), Matrix(()))
