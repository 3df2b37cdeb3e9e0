"""How long an answer is worth something: pure, told the time and given its chance.

The four ages are those of RFC 9111 and RFC 5861: fresh; stale, but shown while a new one is fetched
(`stale-while-revalidate`); stale, but better than an error (`stale-if-error`); and over.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tandem.routing.limits import CACHE_JITTER


class Age(StrEnum):
    """What an entry may still be used for."""

    FRESH = "fresh"
    REVALIDATE = "revalidate"
    ON_ERROR = "on_error"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Lifetime:
    """When an entry was stored, and until when it may be used for what: seconds since the epoch.

    Wall time, because entries outlive a process and are shared between hosts.
    """

    stored_s: float
    fresh_until_s: float
    revalidate_until_s: float
    keep_until_s: float

    @classmethod
    def beginning(
        cls,
        now_s: float,
        *,
        fresh_s: float,
        revalidate_s: float,
        on_error_s: float,
        chance: Callable[[], float],
    ) -> "Lifetime":
        """Begin now; every span counts from the end of freshness, which is jittered.

        Entries that were filled together must not end together: the fresh time is spread evenly
        over one plus or minus `CACHE_JITTER`.
        """
        fresh_until_s = now_s + fresh_s * (1 + CACHE_JITTER * (2 * chance() - 1))
        revalidate_until_s = fresh_until_s + revalidate_s
        return cls(
            now_s,
            fresh_until_s,
            revalidate_until_s,
            max(revalidate_until_s, fresh_until_s + on_error_s),
        )

    def age(self, now_s: float) -> Age:
        """Tell what the entry may be used for at a moment."""
        if now_s < self.fresh_until_s:
            return Age.FRESH
        if now_s < self.revalidate_until_s:
            return Age.REVALIDATE
        return Age.ON_ERROR if now_s < self.keep_until_s else Age.OVER

    def age_s(self, now_s: float) -> float:
        """Return how long ago it was stored; never negative, whatever clocks say."""
        return max(0.0, now_s - self.stored_s)
