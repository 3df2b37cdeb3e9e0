"""Our own waits."""

import pytest

from tandem.resilience.backoff import full_jitter_s


def test_jitter_covers_the_whole_doubled_wait() -> None:
    """Chance picks any wait from none to the doubled base, up to the cap."""
    assert full_jitter_s(1, lambda: 0.0) == 0
    assert full_jitter_s(1, lambda: 1.0, base_s=0.1, cap_s=1.0) == pytest.approx(0.1)
    assert full_jitter_s(3, lambda: 1.0, base_s=0.1, cap_s=1.0) == pytest.approx(0.4)
    assert full_jitter_s(5_000, lambda: 0.5, base_s=0.1, cap_s=1.0) == pytest.approx(0.5)
