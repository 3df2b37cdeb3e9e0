"""Lines: what is encoded comes back, climbs add up, the nearest place is near."""

from hypothesis import given
from hypothesis import strategies as st

from tandem.platform.engine.geography import Place, distance_m
from tandem.sandbox.geometry import (
    bounding_box,
    climb_m,
    decode_polyline6,
    encode_polyline6,
    nearest_on_line,
)

_PLACES = st.builds(
    Place,
    st.floats(-180, 180).map(lambda value: round(value, 6)),
    st.floats(-90, 90).map(lambda value: round(value, 6)),
)
_CITY_PLACES = st.builds(Place, st.floats(24.93, 24.96), st.floats(60.16, 60.18))
_HEIGHTS = st.lists(st.floats(0, 80).map(lambda value: round(value, 1)), max_size=40)


@given(st.lists(_PLACES, max_size=30))
def test_line_survives_encoding(line: list[Place]) -> None:
    """Six digits come back exactly, wherever on the globe."""
    assert decode_polyline6(encode_polyline6(line)) == line


@given(_HEIGHTS, st.floats(0, 3))
def test_climb_balances(heights_m: list[float], noise_m: float) -> None:
    """Ascent less descent is the difference of the ends, but for the noise left out."""
    ascent, descent = climb_m(heights_m, noise_m)
    assert ascent >= 0
    assert descent >= 0
    change = heights_m[-1] - heights_m[0] if heights_m else 0
    assert abs((ascent - descent) - change) <= noise_m + 1e-9


@given(_HEIGHTS, st.floats(0.1, 3))
def test_noise_is_no_climb(heights_m: list[float], noise_m: float) -> None:
    """Without tolerance there is never less climb than with it."""
    assert climb_m(heights_m, noise_m)[0] <= climb_m(heights_m, 0)[0] + 1e-9


@given(st.lists(_CITY_PLACES, min_size=2, max_size=20), _CITY_PLACES)
def test_nearest_place_beats_every_vertex(line: list[Place], place: Place) -> None:
    """No vertex is nearer than the nearest place of the line, which lies in the line's box."""
    found = nearest_on_line(line, place)
    least_m = min(distance_m(place, vertex) for vertex in line)
    assert distance_m(place, found) <= least_m * 1.001 + 0.01
    west, south, east, north = bounding_box(line)
    assert west - 1e-9 <= found.lon <= east + 1e-9
    assert south - 1e-9 <= found.lat <= north + 1e-9
