"""Which form of a route a caller gets."""

import pytest

from tandem.routing.http.accept import preferred

_GPX, _GEOJSON = "application/gpx+xml", "application/geo+json"


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("*/*", None),
        ("", None),
        ("application/json", None),
        (_GPX, _GPX),
        (_GPX.upper(), _GPX),
        (f"{_GPX}, */*", _GPX),
        (f"*/*, {_GPX}", _GPX),
        (f"{_GEOJSON}; q=0.9, {_GPX};q=0.8", _GEOJSON),
        (f"{_GPX};q=0.8, {_GEOJSON};charset=utf-8;q=0.9", _GEOJSON),
        (f"application/json, {_GPX}", None),
        (f"{_GPX}, application/json", _GPX),
        (f"application/json, {_GPX};q=0.5", None),
        (f"*/*, {_GPX};q=0.5", None),
        (f"{_GPX};q=0", None),
        (f"{_GPX};q=junk", None),
        ("application/gpx+xml-not", None),
        ("text/html, image/*;q=0.8", None),
    ],
)
def test_the_heaviest_name_wins(accept: str, wanted: str | None) -> None:
    """Weights decide, then names before wildcards, then the order; what is unknown is JSON."""
    assert preferred(accept, (_GPX, _GEOJSON)) == wanted
