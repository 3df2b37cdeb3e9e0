"""How long to wait before another attempt where the server does not say (see `hints`)."""

from collections.abc import Callable

from tandem.resilience.limits import (
    BACKOFF_BASE_S,
    BACKOFF_CAP_S,
    BACKOFF_DOUBLINGS_MAX,
)

type Chance = Callable[[], float]
"""Draws a number from 0 to 1."""


def full_jitter_s(
    attempt: int, chance: Chance, *, base_s: float = BACKOFF_BASE_S, cap_s: float = BACKOFF_CAP_S
) -> float:
    """Return a wait between 0 and the doubled base, after attempt number `attempt` (from 1)."""
    doublings = min(attempt - 1, BACKOFF_DOUBLINGS_MAX)
    return chance() * min(cap_s, base_s * 2.0**doublings)
