"""Staying away while the other side has asked for it: after 429, a spent quota, a refused key."""

from tandem.resilience.errors import Rejected, RejectReason
from tandem.resilience.limits import HOLD_OFF_S_MAX


class HoldOff:
    """A gate that is closed until a moment (monotonic seconds), and open at first."""

    def __init__(self) -> None:
        self._until_s = float("-inf")

    def close(self, now_s: float, for_s: float) -> None:
        """Close for so long; a shorter wish does not shorten a longer one."""
        self._until_s = max(self._until_s, now_s + min(for_s, HOLD_OFF_S_MAX))

    def remaining_s(self, now_s: float) -> float:
        """Return how long it stays closed, 0 if it is open."""
        return max(0.0, self._until_s - now_s)

    def check(self, now_s: float) -> None:
        """Pass, or raise Rejected."""
        if now_s < self._until_s:
            raise Rejected(RejectReason.HOLD_OFF)
