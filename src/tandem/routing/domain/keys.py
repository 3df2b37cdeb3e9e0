"""What equal questions have in common."""

from collections.abc import Hashable

from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.limits import KEY_DECIMALS

type RequestKey = tuple[Hashable, ...]
"""Only text, numbers, None and tuples of them, so that it reads the same in every process."""


def place_key(place: Coordinate) -> tuple[float, float]:
    """Return a place rounded to about ten centimetres."""
    # Adding zero makes 0.0 of -0.0; the two are equal, but a key should also look the same.
    return (round(place.lon, KEY_DECIMALS) + 0.0, round(place.lat, KEY_DECIMALS) + 0.0)
