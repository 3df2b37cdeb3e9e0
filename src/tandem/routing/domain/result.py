"""What the gateway gives: an answer, and how good an answer it is."""

from dataclasses import dataclass
from enum import StrEnum

from tandem.routing.domain.answers import DomainAnswer, Routes
from tandem.routing.domain.route import Route


class Freshness(StrEnum):
    """Where an answer comes from, best first."""

    LIVE = "live"
    FRESH_CACHE = "fresh_cache"
    REVALIDATING_CACHE = "revalidating_cache"
    """Somewhat old, while a new answer is being fetched."""
    STALE_CACHE = "stale_cache"
    """Old, because no provider answered."""
    ESTIMATE = "estimate"


@dataclass(frozen=True, slots=True)
class Result[A: DomainAnswer]:
    """An answer with its label; `degraded` unless it is the primary provider's, live or fresh.

    `age_s` is how long ago the provider gave it; `attribution` must be shown with the answer.
    """

    answer: A
    provider: str
    freshness: Freshness
    degraded: bool
    attribution: tuple[str, ...]
    age_s: float

    @property
    def route(self: "Result[Routes]") -> Route:
        """The best route of an answer that has routes."""
        return self.answer.best


type RouteResult = Result[Routes]
