"""How long to wait before another attempt: by our own choice, or as the server asks."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tandem.resilience.limits import (
    BACKOFF_BASE_S,
    BACKOFF_CAP_S,
    BACKOFF_DOUBLINGS_MAX,
    RETRY_AFTER_CHARS_MAX,
    RETRY_AFTER_S_MAX,
)

type Chance = Callable[[], float]
"""Draws a number from 0 to 1."""


def full_jitter_s(
    attempt: int, chance: Chance, *, base_s: float = BACKOFF_BASE_S, cap_s: float = BACKOFF_CAP_S
) -> float:
    """Return a wait between 0 and the doubled base, after attempt number `attempt` (from 1)."""
    doublings = min(attempt - 1, BACKOFF_DOUBLINGS_MAX)
    return chance() * min(cap_s, base_s * 2.0**doublings)


def retry_after_s(value: str | None, now: datetime, server_date: str | None = None) -> float | None:
    """Read a Retry-After header: seconds from now, at most an hour; None if it says nothing sane.

    Both of its forms are known, whole seconds and an HTTP date. A date is compared with the
    server's own `Date` where that is given, so that a wrong clock on either side does no harm.
    """
    text = (value or "").strip()
    if not text or len(text) > RETRY_AFTER_CHARS_MAX or not text.isascii():
        return None
    if text.isdigit():
        return min(float(text), RETRY_AFTER_S_MAX)
    until = _http_date(text)
    if until is None:
        return None
    reference = _http_date(server_date or "") or now
    wait_s = (until - reference).total_seconds()
    return min(wait_s, RETRY_AFTER_S_MAX) if wait_s > 0 else None


def _http_date(text: str) -> datetime | None:
    """Read an HTTP date; without a zone it is unknown, not local."""
    if not text.endswith("GMT"):
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
