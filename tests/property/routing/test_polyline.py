"""The codec loses nothing but what its precision cannot hold."""

from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from tandem.routing.domain import polyline
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.polyline import PolylineError

_PLACES = st.builds(
    Coordinate, lon=st.floats(min_value=-180, max_value=180), lat=st.floats(-90, 90)
)
_LINES = st.lists(_PLACES, max_size=50)
_PRECISIONS: st.SearchStrategy[Literal[5, 6]] = st.sampled_from([5, 6])


@given(line=_LINES, precision=_PRECISIONS)
def test_round_trip(line: list[Coordinate], precision: Literal[5, 6]) -> None:
    """Every vertex comes back to within half of the last digit."""
    decoded = polyline.decode(polyline.encode(line, precision), precision)
    assert len(decoded) == len(line)
    error_max = 0.5001 * 10**-precision
    for place, came_back in zip(line, decoded, strict=True):
        assert abs(place.lon - came_back.lon) <= error_max
        assert abs(place.lat - came_back.lat) <= error_max


@given(line=_LINES, precision=_PRECISIONS)
def test_second_trip_changes_nothing(line: list[Coordinate], precision: Literal[5, 6]) -> None:
    """What has been rounded once stays as it is, to the letter."""
    text = polyline.encode(line, precision)
    assert polyline.encode(polyline.decode(text, precision), precision) == text


@given(
    rows=st.lists(st.tuples(_PLACES, st.floats(min_value=-500, max_value=9_000)), max_size=30),
    precision=_PRECISIONS,
)
def test_round_trip_with_heights(
    rows: list[tuple[Coordinate, float]], precision: Literal[5, 6]
) -> None:
    """Heights come back to the centimetre, and the places do not mind them."""
    line, heights_m = [row[0] for row in rows], [row[1] for row in rows]
    text = polyline.encode_3d(line, heights_m, precision)
    decoded, came_back_m = polyline.decode_3d(text, precision)
    assert decoded == polyline.decode(polyline.encode(line, precision), precision)
    for height, came_back in zip(heights_m, came_back_m, strict=True):
        assert abs(height - came_back) <= 0.00501


@given(text=st.text(max_size=60), precision=_PRECISIONS)
def test_any_text_is_a_line_or_an_error(text: str, precision: Literal[5, 6]) -> None:
    """Nothing that anybody sends makes the decoder fail in another way."""
    for decode in (polyline.decode, polyline.decode_3d):
        try:
            decode(text, precision)
        except PolylineError:
            continue
