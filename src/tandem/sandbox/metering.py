"""What a client may use: a rate in the short run, credits in the long run. Pure; time is given."""

import math
from dataclasses import dataclass

from tandem.sandbox.limits import CREDIT_WINDOW_S


@dataclass(frozen=True, slots=True)
class Plan:
    """What a client has paid for: requests in a window of seconds, credits a day, jobs or none.

    Tests have no day, and set another `credit_window_s`.
    """

    name: str
    burst: int
    burst_window_s: int
    credits: int
    credit_window_s: int = CREDIT_WINDOW_S
    has_jobs: bool = True


PLANS = {
    plan.name: plan
    for plan in (
        Plan("starter", burst=2, burst_window_s=1, credits=5_000, has_jobs=False),
        Plan("standard", burst=10, burst_window_s=1, credits=50_000),
        Plan("business", burst=100, burst_window_s=1, credits=500_000),
    )
}


class Gcra:
    """The generic cell rate algorithm: `burst` requests at once, then evenly over the window."""

    def __init__(self, burst: int, window_s: float) -> None:
        self._interval_s = window_s / burst
        self._tolerance_s = window_s - self._interval_s
        self._due_s = -math.inf

    def take(self, now_s: float) -> float:
        """Take one; return 0, or where there is none the seconds to wait (and take nothing)."""
        due_s = max(self._due_s, now_s)
        wait_s = due_s - self._tolerance_s - now_s
        if wait_s > 0:
            return wait_s
        self._due_s = due_s + self._interval_s
        return 0.0

    def remaining(self, now_s: float) -> int:
        """Return how many could be taken at once."""
        slack_s = self._tolerance_s - max(0.0, self._due_s - now_s)
        # A hair is added: sums of intervals miss whole multiples by rounding.
        return max(0, math.floor(slack_s / self._interval_s + 1e-9) + 1)


class CreditWindow:
    """A quota that is full again after a fixed window; the window begins with the first use."""

    def __init__(self, quota: int, window_s: float) -> None:
        self._quota = quota
        self._window_s = window_s
        self._used = 0.0
        self._ends_s = -math.inf

    def reserve(self, now_s: float, amount: float) -> bool:
        """Take `amount` credits, whole or not; False (and none taken) where fewer remain."""
        if self.remaining(now_s) < amount:
            return False
        if now_s >= self._ends_s:
            self._used, self._ends_s = 0.0, now_s + self._window_s
        self._used += amount
        return True

    def give_back(self, amount: float) -> None:
        """Return credits reserved for work that was not done."""
        self._used = max(0.0, self._used - amount)

    def remaining(self, now_s: float) -> float:
        """Return the credits left."""
        return self._quota if now_s >= self._ends_s else self._quota - self._used

    def reset_s(self, now_s: float) -> float:
        """Return the seconds until the quota is full again."""
        return self._window_s if now_s >= self._ends_s else self._ends_s - now_s
