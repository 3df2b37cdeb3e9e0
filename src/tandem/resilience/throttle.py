"""Adaptive throttling: send in proportion to what the other side accepts (SRE book, chapter 21).

A call is rejected here with the probability (requests - K * accepts) / (requests + 1) over the last
two minutes: none while half of the calls succeed, a fifth at 60 % failing, most in an outage.
A breaker is on or off; this is what lies between.

Only calls that were made are `requests`. The book also counts those rejected here, since its
back ends fail by overload: they accept so many a second, whatever is offered. A provider that
fails a share of *any* load is different: with local rejections counted, each rejection calls for
the next, everything is rejected once less than 1/K succeeds, and after an outage the window must
pass before anything is sent. Without them the attempts of an outage grow only with the square root
of what is offered, and traffic is back within seconds. Overload is the limiter's.

A request counts from when it starts: counted at its end, a burst would pass in front of its own
failures. So the window must be longer than the slowest usual call (zeromicro/go-zero#5011), and
the first calls after a quiet time, of which none has ended yet, are allowed for (`allowance`).
"""

from collections.abc import Callable
from dataclasses import dataclass

from tandem.resilience.errors import Rejected, RejectReason
from tandem.resilience.limits import (
    THROTTLE_ALLOWANCE,
    THROTTLE_MULTIPLIER,
    THROTTLE_WINDOW_S,
)
from tandem.resilience.outcome import Outcome
from tandem.resilience.window import RollingSums


@dataclass(frozen=True, slots=True)
class Passage:
    """A call that was let through; its outcome must be recorded with it."""

    at_s: float


class AdaptiveThrottle:
    """The state machine; it is told the time (monotonic seconds) and given its chance."""

    def __init__(
        self,
        chance: Callable[[], float],
        *,
        multiplier: float = THROTTLE_MULTIPLIER,
        window_s: float = THROTTLE_WINDOW_S,
        allowance: float = THROTTLE_ALLOWANCE,
    ) -> None:
        if multiplier < 1 or allowance < 0:
            raise ValueError("a multiplier below 1 rejects what would be accepted")
        self._chance = chance
        self._multiplier = multiplier
        self._allowance = allowance
        # Requests, accepts.
        self._recent = RollingSums(window_s, 2)

    def rejection_probability(self, now_s: float) -> float:
        """Return the probability, from 0 to below 1, with which the next call is rejected."""
        requests, accepts = self._recent.sums(now_s)
        excess = requests - self._allowance - self._multiplier * accepts
        return max(0.0, excess / (requests + 1.0))

    def acquire(self, now_s: float) -> Passage:
        """Start a call; raises Rejected."""
        if self._chance() < self.rejection_probability(now_s):
            raise Rejected(RejectReason.THROTTLE)
        self._recent.add(now_s, 1, 0)
        return Passage(now_s)

    def record(self, passage: Passage, outcome: Outcome, now_s: float) -> None:
        """Note how a call ended; one that says nothing is taken back."""
        if outcome in {Outcome.SUCCESS, Outcome.ANSWERED}:
            self._recent.add(now_s, 0, 1)
        elif outcome is Outcome.NEUTRAL:
            self._recent.take_back(passage.at_s, 1, 0)
