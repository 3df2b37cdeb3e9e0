"""When enough was seen to believe it: two sequential tests for a share of bad calls. Pure.

Each call is good or bad. That few are bad (`share_fair`) is held against that many are
(`share_bad`) by the likelihood ratio of what was seen:

- *Wald's sequential probability ratio test* (Wald 1945) looks at all calls of a stage, in any
  order, and ends as soon as either is believed. It promotes: about 100 good calls with no bad one.
- *Page's cumulative sum* (Page 1954) is the same test begun anew whenever it leans towards fair, so
  that a long good time does not hide a bad one that begins now. It alarms: after four bad calls on
  end, or after about 100 of which one in twenty is bad.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tandem.routing.limits import (
    CANARY_CLEAN_RISK,
    CANARY_RECENT_WEIGHT,
    CANARY_SHARE_BAD_STEP,
    CANARY_SHARE_FAIR,
    CANARY_WRONG_ALARM_RISK,
)

_ALARM: Final = math.log(1 / CANARY_WRONG_ALARM_RISK)
_CLEAN: Final = math.log(CANARY_CLEAN_RISK)


class Belief(StrEnum):
    """What is believed of a share of bad calls."""

    OPEN = "open"
    FAIR = "fair"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Hypotheses:
    """The two shares that are held against each other; 0 < fair < bad < 1."""

    share_fair: float = CANARY_SHARE_FAIR
    share_bad: float = CANARY_SHARE_FAIR + CANARY_SHARE_BAD_STEP

    @classmethod
    def above(cls, share_usual: float) -> "Hypotheses":
        """Hold fair what is not much above a share that is usual."""
        fair = min(max(CANARY_SHARE_FAIR, share_usual), 1.0 - 2 * CANARY_SHARE_BAD_STEP)
        return cls(fair, fair + CANARY_SHARE_BAD_STEP)

    def weight(self, *, bad: bool) -> float:
        """Return what one call adds to the logarithm of the likelihood ratio."""
        if bad:
            return math.log(self.share_bad / self.share_fair)
        return math.log((1 - self.share_bad) / (1 - self.share_fair))

    def belief(self, calls: int, bad: int) -> Belief:
        """Return what so many calls, of which so many were bad, make one believe."""
        weighed = bad * self.weight(bad=True) + (calls - bad) * self.weight(bad=False)
        if weighed >= _ALARM:
            return Belief.BAD
        return Belief.FAIR if weighed <= _CLEAN else Belief.OPEN


class Alarm:
    """Page's cumulative sum over calls in their order."""

    def __init__(self) -> None:
        self._sum = 0.0

    @property
    def is_raised(self) -> bool:
        """Whether the share is believed to be bad now."""
        return self._sum >= _ALARM

    def add(self, *, bad: bool, share_usual: float = 0.0) -> None:
        """Take in a call; `share_usual` of them is bad elsewhere too, so that is no sign.

        The sum is bounded, so that an alarm ends when what caused it does.
        """
        weight = Hypotheses.above(share_usual).weight(bad=bad)
        self._sum = min(max(0.0, self._sum + weight), _ALARM)


class Recent:
    """The share of bad calls lately: a mean that forgets exponentially (an EWMA)."""

    def __init__(self) -> None:
        self._share = 0.0

    @property
    def share_at_most(self) -> float:
        """What the share may well be: three of its standard deviations above the mean."""
        of_few = CANARY_RECENT_WEIGHT / (2 - CANARY_RECENT_WEIGHT)
        return self._share + 3 * math.sqrt(self._share * (1 - self._share) * of_few)

    def add(self, *, bad: bool) -> None:
        """Take in a call."""
        self._share += CANARY_RECENT_WEIGHT * (bad - self._share)
