"""What is answered: a route, and how good an answer it is.

Distances and heights are metres, durations seconds. Indexes count vertices of the geometry.
"""

from dataclasses import dataclass
from enum import StrEnum

from tandem.routing.domain.coordinate import Coordinate


class Freshness(StrEnum):
    """Where an answer comes from, best first."""

    LIVE = "live"
    FRESH_CACHE = "fresh_cache"
    STALE_CACHE = "stale_cache"
    ESTIMATE = "estimate"


@dataclass(frozen=True, slots=True)
class Leg:
    """The way from one waypoint to the next; `end_index` is its last vertex, included."""

    distance_m: float
    duration_s: float
    begin_index: int
    end_index: int


@dataclass(frozen=True, slots=True)
class RouteWarning:
    """Something that was asked for and not quite given; `code` is for programs."""

    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """A bicycle route through all waypoints of its request."""

    distance_m: float
    duration_s: float
    ascent_m: float
    descent_m: float
    geometry: tuple[Coordinate, ...]
    legs: tuple[Leg, ...]
    warnings: tuple[RouteWarning, ...] = ()
    attribution: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RouteResult:
    """A route with its label; `degraded` unless it is the primary provider's, live or fresh.

    `age_s` is how long ago the provider gave it; `attribution` must be shown with the route.
    """

    route: Route
    provider: str
    freshness: Freshness
    degraded: bool
    attribution: tuple[str, ...]
    age_s: float
