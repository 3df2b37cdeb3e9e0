"""When a second attempt is worth starting while the first is still under way.

Most calls that take longer than nearly all others do will take much longer: a second one, started
then, is usually answered first (Dean and Barroso, The Tail at Scale, 2013). Started at the 95th
percentile it is at most one call in twenty; started earlier it is a second load.
"""

import math
from collections import deque
from dataclasses import dataclass

from tandem.resilience.limits import (
    HEDGE_DELAY_S_MAX,
    HEDGE_DELAY_S_MIN,
    HEDGE_QUANTILE,
    HEDGE_SAMPLES_MAX,
    HEDGE_SAMPLES_MIN,
)


@dataclass(frozen=True, slots=True)
class HedgeSettings:
    """After which quantile of the last latencies to hedge, and the bounds of that delay."""

    quantile: float = HEDGE_QUANTILE
    delay_s_min: float = HEDGE_DELAY_S_MIN
    delay_s_max: float = HEDGE_DELAY_S_MAX

    def __post_init__(self) -> None:
        if not (0 < self.quantile < 1 and 0 <= self.delay_s_min <= self.delay_s_max):
            raise ValueError("a hedge waits for a quantile between 0 and 1, within its bounds")


class HedgeDelay:
    """Learns how long calls take; until it has seen enough, it waits for its longest."""

    def __init__(self, settings: HedgeSettings = HedgeSettings()) -> None:
        self._settings = settings
        self._latencies_s: deque[float] = deque(maxlen=HEDGE_SAMPLES_MAX)

    def learn(self, latency_s: float) -> None:
        """Note how long a call that ended well took."""
        self._latencies_s.append(latency_s)

    def delay_s(self) -> float:
        """Return how long to wait for the first attempt before the second starts."""
        settings = self._settings
        if len(self._latencies_s) < HEDGE_SAMPLES_MIN:
            return settings.delay_s_max
        rank = math.ceil(settings.quantile * len(self._latencies_s)) - 1
        found_s = sorted(self._latencies_s)[rank]
        return min(max(found_s, settings.delay_s_min), settings.delay_s_max)
