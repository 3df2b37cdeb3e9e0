"""How far two providers' answers to one question are apart. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tandem.routing.domain.answers import DomainAnswer, Matrix, MatrixCell, Routes
from tandem.routing.domain.coordinate import EARTH_RADIUS_M, Coordinate
from tandem.routing.domain.errors import Refusal
from tandem.routing.limits import DIFFERENCE_PLACES_MAX

type Said = DomainAnswer | Refusal
"""What a provider said: an answer, or that there is none."""

_SAME: Final = 1.0


@dataclass(frozen=True, slots=True)
class Difference:
    """What the other said, measured by what the first said.

    `distance_ratio` and `duration_ratio` are the other's value divided by the first's, 1 where they
    are equal. `offset_m`: how far the lines of two routes are apart at the most, None for others.
    `disagree`: one answered and the other refused, or in a matrix the reachable cells differ; the
    ratios are 1 then.
    """

    distance_ratio: float = _SAME
    duration_ratio: float = _SAME
    offset_m: float | None = None
    disagree: bool = False


def is_comparable(said: Said) -> bool:
    """Tell whether something can be measured: routes, matrices, and refusals of any."""
    return isinstance(said, Routes | Matrix | Refusal)


def difference(first: Said, other: Said) -> Difference:
    """Measure what two providers said to one question; raises TypeError where one cannot."""
    match first, other:
        case Refusal(), Refusal():
            return Difference()
        case (Refusal(), _) | (_, Refusal()):
            return Difference(disagree=True)
        case Routes(), Routes():
            return _of_routes(first, other)
        case Matrix(), Matrix():
            return _of_matrices(first, other)
        case _:
            raise TypeError(f"{type(first).__name__} and {type(other).__name__} do not compare")


def _of_routes(first: Routes, other: Routes) -> Difference:
    one, two = first.best, other.best
    return Difference(
        _ratio(one.distance_m, two.distance_m),
        _ratio(one.duration_s, two.duration_s),
        offset_m(one.geometry, two.geometry),
    )


def _of_matrices(first: Matrix, other: Matrix) -> Difference:
    pairs = list(zip(_cells(first), _cells(other), strict=True))
    if any(one.status is not two.status for one, two in pairs):
        return Difference(disagree=True)
    sums = [
        (sum(one.distance_m or 0.0 for one in cells), sum(one.duration_s or 0.0 for one in cells))
        for cells in zip(*pairs, strict=True)
    ]
    (distance_m, duration_s), (distance_m_other, duration_s_other) = sums
    return Difference(_ratio(distance_m, distance_m_other), _ratio(duration_s, duration_s_other))


def _cells(matrix: Matrix) -> Sequence[MatrixCell]:
    return [cell for row in matrix.cells for cell in row]


def _ratio(first: float, other: float) -> float:
    # A metre or a second more changes nothing, and keeps nothing from being divided by.
    return (other + 1.0) / (first + 1.0)


def offset_m(one: Sequence[Coordinate], other: Sequence[Coordinate]) -> float:
    """Return how far two lines are apart at the most: the discrete Hausdorff distance of samples.

    Vertices are thinned out to so many that it costs little, and laid on a plane, which is as good
    as the globe for what two routes between the same places can be apart. It is symmetric, and 0
    for one line.
    """
    one, other = _thinned(one), _thinned(other)
    origin = Coordinate(min(one[0].lon, other[0].lon), (one[0].lat + other[0].lat) / 2)
    ours, theirs = _on_plane(one, origin), _on_plane(other, origin)
    squares = [[(x - u) ** 2 + (y - v) ** 2 for u, v in theirs] for x, y in ours]
    farthest = max(*map(min, squares), *map(min, zip(*squares, strict=True)))
    return math.radians(math.sqrt(farthest)) * EARTH_RADIUS_M


def _on_plane(line: Sequence[Coordinate], origin: Coordinate) -> list[tuple[float, float]]:
    """Place coordinates around an origin, in degrees of a great circle."""
    narrowing = math.cos(math.radians(origin.lat))
    return [
        (((at.lon - origin.lon + 180.0) % 360.0 - 180.0) * narrowing, at.lat - origin.lat)
        for at in line
    ]


def _thinned(line: Sequence[Coordinate]) -> Sequence[Coordinate]:
    count = min(len(line), DIFFERENCE_PLACES_MAX)
    if count == 1:
        return line[:1]
    return [line[round(index * (len(line) - 1) / (count - 1))] for index in range(count)]
