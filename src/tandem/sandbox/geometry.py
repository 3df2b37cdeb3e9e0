"""Lines: encoding, climbs, boxes and the nearest place on them. Pure."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Final

from tandem.platform.engine.geography import Place, distance_m

_DEGREE_FACTOR: Final = 1_000_000
_HEIGHT_FACTOR: Final = 100
_CHUNK_BITS: Final = 5
_CHUNK_MASK: Final = 0x1F
_MORE: Final = 0x20
_FIRST_CHARACTER: Final = 63


def encode_polyline6(places: Sequence[Place], heights_m: Sequence[float] | None = None) -> str:
    """Encode a line: latitude and longitude with six digits, then the height in centimetres."""
    return _encode(places, heights_m, _DEGREE_FACTOR)


def encode_polyline5(places: Sequence[Place], heights_m: Sequence[float] | None = None) -> str:
    """Encode a line with five digits, as the deprecated version does."""
    return _encode(places, heights_m, _DEGREE_FACTOR // 10)


def _encode(places: Sequence[Place], heights_m: Sequence[float] | None, factor: int) -> str:
    rows = [(round(place.lat * factor), round(place.lon * factor)) for place in places]
    if heights_m is None:
        return _encode_deltas(rows)
    columns = [round(height * _HEIGHT_FACTOR) for height in heights_m]
    return _encode_deltas([(*row, height) for row, height in zip(rows, columns, strict=True)])


def decode_polyline6(text: str) -> list[Place]:
    """Decode a line of two dimensions."""
    return [Place(lon, lat) for lon, lat in decode_rows(text, 2)]


def decode_rows(text: str, dims: int) -> list[list[float]]:
    """Decode a line of so many dimensions: longitude, latitude, height in metres."""
    columns = [accumulate(column) for column in zip(*_rows_of(text, dims), strict=True)]
    factors = (_DEGREE_FACTOR, _DEGREE_FACTOR, _HEIGHT_FACTOR)
    rows = zip(*columns, strict=True)
    scaled = ([one / by for one, by in zip(row, factors, strict=False)] for row in rows)
    return [[lon, lat, *height] for lat, lon, *height in scaled]


def _rows_of(text: str, dims: int) -> Iterator[tuple[int, ...]]:
    """Return the differences from vertex to vertex; raises ValueError for other dimensions."""
    return zip(*[_decode_numbers(text)] * dims, strict=True)


def swap_axes(text: str, dims: int) -> str:
    """Return an encoded line of so many dimensions with latitude and longitude exchanged.

    Raises:
        ValueError: It is of another number of dimensions.
    """
    mixed = [number for row in _rows_of(text, dims) for number in (row[1], row[0], *row[2:])]
    return "".join(character for number in mixed for character in _encode_number(number))


def _encode_deltas(rows: Iterable[tuple[int, ...]]) -> str:
    before: tuple[int, ...] | None = None
    characters: list[str] = []
    for row in rows:
        for value, previous in zip(row, before or (0,) * len(row), strict=True):
            characters += _encode_number(value - previous)
        before = row
    return "".join(characters)


def _encode_number(value: int) -> list[str]:
    rest = ~(value << 1) if value < 0 else value << 1
    characters = []
    while rest >= _MORE:
        characters.append(chr((_MORE | (rest & _CHUNK_MASK)) + _FIRST_CHARACTER))
        rest >>= _CHUNK_BITS
    characters.append(chr(rest + _FIRST_CHARACTER))
    return characters


def _decode_numbers(text: str) -> Iterator[int]:
    value = shift = 0
    for character in text:
        chunk = ord(character) - _FIRST_CHARACTER
        value |= (chunk & _CHUNK_MASK) << shift
        shift += _CHUNK_BITS
        if chunk < _MORE:
            yield ~(value >> 1) if value & 1 else value >> 1
            value = shift = 0


def climb_m(heights_m: Sequence[float], noise_m: float) -> tuple[float, float]:
    """Return ascent and descent in metres; reversals smaller than `noise_m` are not counted."""
    if not heights_m:
        return 0.0, 0.0
    ascent = descent = 0.0
    reference = heights_m[0]
    for height in heights_m[1:]:
        change = height - reference
        if abs(change) < noise_m:
            continue
        ascent += max(change, 0.0)
        descent += max(-change, 0.0)
        reference = height
    return ascent, descent


def bounding_box(places: Sequence[Place]) -> tuple[float, float, float, float]:
    """Return west, south, east, north."""
    lons, lats = [place.lon for place in places], [place.lat for place in places]
    return min(lons), min(lats), max(lons), max(lats)


def length_m(places: Sequence[Place]) -> float:
    """Return the length of the line through the places."""
    return sum(distance_m(one, other) for one, other in pairwise(places))


def nearest_on_line(line: Sequence[Place], place: Place) -> Place:
    """Return the place on the line that is nearest to a place (flat-earth, for short segments)."""
    scale = math.cos(math.radians(place.lat))
    best, best_square = line[0], math.inf
    for one, other in pairwise(line):
        run, rise = (other.lon - one.lon) * scale, other.lat - one.lat
        offset = (place.lon - one.lon) * scale * run + (place.lat - one.lat) * rise
        square = run * run + rise * rise
        share = min(1.0, max(0.0, offset / square)) if square else 0.0
        found = Place(
            one.lon + share * (other.lon - one.lon), one.lat + share * (other.lat - one.lat)
        )
        found_square = ((found.lon - place.lon) * scale) ** 2 + (found.lat - place.lat) ** 2
        if found_square < best_square:
            best, best_square = found, found_square
    return best
