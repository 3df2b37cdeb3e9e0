"""Waits: our own, and those that a server asks for."""

from datetime import UTC, datetime

import pytest

from tandem.resilience.backoff import full_jitter_s, retry_after_s

_NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "server_date", "expected_s"),
    [
        ("0", None, 0),
        ("7", None, 7),
        (" 7 ", None, 7),
        ("86400", None, 3_600),
        ("Sun, 22 Nov 2026 12:00:30 GMT", None, 30),
        # The server's clock is an hour ahead, and it says so.
        ("Sun, 22 Nov 2026 13:00:30 GMT", "Sun, 22 Nov 2026 13:00:00 GMT", 30),
        ("Sun, 22 Nov 2026 13:00:30 GMT", "nonsense", 3_600),
        ("Sunday, 22-Nov-26 12:00:30 GMT", None, 30),
        ("Sun, 22 Nov 2026 11:59:00 GMT", None, None),
        ("Sun, 22 Nov 2026 12:00:30", None, None),
        ("Sun, 99 Nov 2026 12:00:30 GMT", None, None),
        ("-5", None, None),
        ("1.5", None, None),
        ("1e3", None, None),
        ("٣", None, None),
        ("²", None, None),
        ("soon", None, None),
        ("", None, None),
        (None, None, None),
        ("9" * 500, None, None),
    ],
)
def test_retry_after_is_read_strictly(
    value: str | None, server_date: str | None, expected_s: float | None
) -> None:
    """Both forms are read, what is odd is no wish at all, and no wish is longer than an hour."""
    assert retry_after_s(value, _NOW, server_date) == expected_s


def test_jitter_covers_the_whole_doubled_wait() -> None:
    """Chance picks any wait from none to the doubled base, up to the cap."""
    assert full_jitter_s(1, lambda: 0.0) == 0
    assert full_jitter_s(1, lambda: 1.0, base_s=0.1, cap_s=1.0) == pytest.approx(0.1)
    assert full_jitter_s(3, lambda: 1.0, base_s=0.1, cap_s=1.0) == pytest.approx(0.4)
    assert full_jitter_s(5_000, lambda: 0.5, base_s=0.1, cap_s=1.0) == pytest.approx(0.5)
