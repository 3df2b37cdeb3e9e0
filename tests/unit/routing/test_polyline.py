"""The polyline codec against known texts, and against broken ones."""

import pytest

from tandem.routing.domain import polyline
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.polyline import PolylineError

_LINE = (Coordinate(-120.2, 38.5), Coordinate(-120.95, 40.7), Coordinate(-126.453, 43.252))


def test_known_text() -> None:
    """The example of the format's own documentation comes out, both ways."""
    text = "_p~iF~ps|U_ulLnnqC_mqNvxq`@"
    assert polyline.encode(_LINE, 5) == text
    assert polyline.decode(text, 5) == _LINE


def test_six_digits_are_another_text() -> None:
    """Precision is part of the contract: read with the wrong one, a line is ten times off."""
    text = polyline.encode(_LINE, 6)
    assert polyline.decode(text, 6) == _LINE
    with pytest.raises(PolylineError, match="globe"):
        polyline.decode(text, 5)


def test_third_dimension() -> None:
    """Heights stand between the places and come out as they went in."""
    text = polyline.encode_3d(_LINE, [1.0, -2.55, 812.0], 6)
    assert polyline.decode_3d(text, 6) == (_LINE, (1.0, -2.55, 812.0))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("_p~iF", "within a vertex"),
        ("_p~iF~ps|", "within a number"),
        ("_p~iF ps|U", "no polyline has"),
        ("é", "no polyline has"),
        ("~~~~~~~~~~~~~~~~A?", "too large"),
        ("_ibE_seK" * 100, "leaves the globe"),
    ],
)
def test_broken_texts_are_told(text: str, reason: str) -> None:
    """Whatever is no polyline is an error of its own, never another one."""
    with pytest.raises(PolylineError, match=reason):
        polyline.decode(text, 5)


def test_length_is_bounded() -> None:
    """A line of endless vertices is given up."""
    with pytest.raises(PolylineError, match="more than"):
        polyline.decode("??" * 200_001, 6)


def test_nothing_is_a_line_of_nothing() -> None:
    """The empty text is the empty line."""
    assert polyline.decode("", 6) == ()
    assert polyline.encode((), 6) == ""
