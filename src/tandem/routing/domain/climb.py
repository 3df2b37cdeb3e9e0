"""Climb and descent along heights."""

from collections.abc import Iterable

from tandem.routing.limits import CLIMB_NOISE_M


def climb_m(heights_m: Iterable[float], noise_m: float = CLIMB_NOISE_M) -> tuple[float, float]:
    """Return ascent and descent in metres; ups and downs smaller than `noise_m` are not counted."""
    ascent = descent = 0.0
    reference: float | None = None
    for height in heights_m:
        if reference is None:
            reference = height
        elif abs(height - reference) >= noise_m:
            ascent += max(height - reference, 0.0)
            descent += max(reference - height, 0.0)
            reference = height
    return ascent, descent
