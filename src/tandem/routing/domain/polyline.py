"""The polyline format: latitude, longitude and perhaps a height as text, delta by delta.

Precision and dimensions are never guessed: they are part of the contract that a text comes from.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.limits import VERTICES_MAX

type Precision = Literal[5, 6]

_HEIGHT_FACTOR: Final = 100
_CHUNK_BITS: Final = 5
_CHUNK_MASK: Final = 0x1F
_MORE: Final = 0x20
_FIRST_CHARACTER: Final = 63
# Seven chunks hold every difference of two coordinates with six digits, and of two heights.
_CHUNKS_MAX: Final = 7


class PolylineError(ValueError):
    """The text is no polyline of the expected precision and dimensions."""


def encode(line: Sequence[Coordinate], precision: Precision) -> str:
    """Encode a line with 5 or 6 decimals."""
    factor = 10**precision
    return _encode_rows((round(place.lat * factor), round(place.lon * factor)) for place in line)


def encode_3d(line: Sequence[Coordinate], heights_m: Sequence[float], precision: Precision) -> str:
    """Encode a line with a height for each vertex (kept to the centimetre)."""
    factor = 10**precision
    return _encode_rows(
        (round(place.lat * factor), round(place.lon * factor), round(height * _HEIGHT_FACTOR))
        for place, height in zip(line, heights_m, strict=True)
    )


def decode(text: str, precision: Precision) -> tuple[Coordinate, ...]:
    """Decode a line of two dimensions.

    Raises:
        PolylineError: The text is broken, too long, or leaves the globe.
    """
    factor = 10**precision
    return tuple(_place(row, factor) for row in _decode_rows(text, 2))


def decode_3d(text: str, precision: Precision) -> tuple[tuple[Coordinate, ...], tuple[float, ...]]:
    """Decode a line of three dimensions into its places and its heights in metres.

    Raises:
        PolylineError: The text is broken, too long, or leaves the globe.
    """
    factor = 10**precision
    rows = list(_decode_rows(text, 3))
    heights_m = tuple(row[2] / _HEIGHT_FACTOR for row in rows)
    return tuple(_place(row, factor) for row in rows), heights_m


def _place(row: Sequence[int], factor: int) -> Coordinate:
    try:
        return Coordinate(lon=row[1] / factor, lat=row[0] / factor)
    except ValueError as error:
        raise PolylineError("the line leaves the globe") from error


def _encode_rows(rows: Iterable[tuple[int, ...]]) -> str:
    characters: list[str] = []
    before: tuple[int, ...] | None = None
    for row in rows:
        for value, previous in zip(row, before or (0,) * len(row), strict=True):
            characters += _encode_number(value - previous)
        before = row
    return "".join(characters)


def _encode_number(value: int) -> Iterator[str]:
    rest = ~(value << 1) if value < 0 else value << 1
    while rest >= _MORE:
        yield chr((_MORE | (rest & _CHUNK_MASK)) + _FIRST_CHARACTER)
        rest >>= _CHUNK_BITS
    yield chr(rest + _FIRST_CHARACTER)


def _decode_rows(text: str, dimensions: int) -> Iterator[tuple[int, ...]]:
    row = [0] * dimensions
    column = count = 0
    for delta in _decode_numbers(text):
        row[column] += delta
        column += 1
        if column == dimensions:
            column = 0
            count += 1
            if count > VERTICES_MAX:
                raise PolylineError(f"the line has more than {VERTICES_MAX} vertices")
            yield tuple(row)
    if column:
        raise PolylineError("the line ends within a vertex")


def _decode_numbers(text: str) -> Iterator[int]:
    value = chunks = 0
    for character in text:
        chunk = ord(character) - _FIRST_CHARACTER
        if not 0 <= chunk < 2 * _MORE:
            raise PolylineError("the line holds a character that no polyline has")
        value |= (chunk & _CHUNK_MASK) << (_CHUNK_BITS * chunks)
        chunks += 1
        if chunks > _CHUNKS_MAX:
            raise PolylineError("the line holds a number that is too large")
        if chunk < _MORE:
            yield ~(value >> 1) if value & 1 else value >> 1
            value = chunks = 0
    if chunks:
        raise PolylineError("the line ends within a number")
