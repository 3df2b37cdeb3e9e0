"""What comparing providers has shown, in bounded memory; each process has its own report."""

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge

from tandem.routing import limits
from tandem.routing.change.difference import Difference
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.operation import Operation
from tandem.routing.domain.request import Request

_PERCENT = 100


class Pair(NamedTuple):
    """Who answered the caller, who was asked in the shadow, and what they were asked."""

    first: str
    other: str
    operation: Operation


@dataclass(frozen=True, slots=True)
class Sample:
    """One comparison: between which places (to about a hundred metres), and what it showed."""

    places: tuple[Coordinate, ...]
    found: Difference


@dataclass(frozen=True, slots=True)
class Line:
    """The report on a pair.

    `distance_off_p95`: by how much the distances of all but one in twenty of the last samples are
    off, as a share. `is_flagged`: that is too much, of samples enough to tell.
    """

    pair: Pair
    compared: int
    disagreed: int
    failed: int
    distance_off_p50: float
    distance_off_p95: float
    duration_off_p95: float
    offset_m_p95: float
    is_flagged: bool
    worst: Sequence[Sample]


@dataclass(slots=True)
class _Book:
    compared: int = 0
    disagreed: int = 0
    failed: int = 0
    last: deque[Difference] = field(default_factory=lambda: deque(maxlen=limits.REPORT_SAMPLES_MAX))
    worst: list[tuple[float, int, Sample]] = field(default_factory=list)


class Report:
    """Takes comparisons in; pairs beyond a bound are not kept, which providers never reach."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._books: dict[Pair, _Book] = {}
        self._numbers = count()
        labels = ("first", "other", "operation")
        self._outcomes = Counter(
            "tandem_routing_comparisons",
            "Answers that were held against another provider's, by what that showed",
            (*labels, "outcome"),
            registry=registry,
        )
        self._off = Gauge(
            "tandem_routing_distance_off_ratio",
            "By how much the distances of all but one in twenty samples are off",
            labels,
            registry=registry,
        )

    def failed(self, pair: Pair) -> None:
        """Count a shadow call that gave nothing to compare."""
        self._outcomes.labels(*pair, "failed").inc()
        if (book := self._book(pair)) is not None:
            book.failed += 1

    def compared(self, pair: Pair, request: Request, found: Difference) -> None:
        """Take in what a comparison showed."""
        self._outcomes.labels(*pair, "disagreed" if found.disagree else "compared").inc()
        book = self._book(pair)
        if book is None:
            return
        book.compared += 1
        book.disagreed += found.disagree
        if not found.disagree:
            book.last.append(found)
        sample = (_badness(found), next(self._numbers), Sample(_roughly(request), found))
        add = heapq.heappush if len(book.worst) < limits.REPORT_WORST_MAX else heapq.heappushpop
        add(book.worst, sample)
        self._off.labels(*pair).set_function(lambda: _p(book.last, _distance_off, 95))

    def lines(self) -> list[Line]:
        """Return the report on every pair."""
        return [_line(pair, book) for pair, book in sorted(self._books.items())]

    def _book(self, pair: Pair) -> _Book | None:
        if pair not in self._books and len(self._books) >= limits.REPORT_PAIRS_MAX:
            return None
        return self._books.setdefault(pair, _Book())


def _line(pair: Pair, book: _Book) -> Line:
    distance_off_p95 = _p(book.last, _distance_off, 95)
    is_enough = len(book.last) >= limits.REPORT_SAMPLES_MIN
    return Line(
        pair,
        book.compared,
        book.disagreed,
        book.failed,
        _p(book.last, _distance_off, 50),
        distance_off_p95,
        _p(book.last, _duration_off, 95),
        _p(book.last, lambda found: found.offset_m or 0.0, 95),
        is_enough and distance_off_p95 > limits.REPORT_DISTANCE_TOLERANCE,
        [sample for _, _, sample in sorted(book.worst, reverse=True)],
    )


def _distance_off(found: Difference) -> float:
    return abs(found.distance_ratio - 1)


def _duration_off(found: Difference) -> float:
    return abs(found.duration_ratio - 1)


def _badness(found: Difference) -> float:
    return float("inf") if found.disagree else max(_distance_off(found), _duration_off(found))


def _p(samples: Sequence[Difference], of: Callable[[Difference], float], percent: int) -> float:
    """Return a percentile, 0 of none."""
    ordered = sorted(of(sample) for sample in samples)
    return ordered[(len(ordered) - 1) * percent // _PERCENT] if ordered else 0.0


def _roughly(request: Request) -> tuple[Coordinate, ...]:
    """Where it was, but not at whose door."""
    places = request.places[: limits.REPORT_PLACES_MAX]
    return tuple(Coordinate(round(at.lon, 3), round(at.lat, 3)) for at in places)
