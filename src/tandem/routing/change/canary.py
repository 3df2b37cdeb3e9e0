"""A new version in the place of an old one, little by little, and back at once where it is worse.

    (none) --start--> shadow only -> 1 % -> 5 % -> 25 % -> 50 % -> 100 % --proven--> promoted
                      any of them --worse, or an operator--> rolled back
                      any of them --freeze--> frozen --resume--> the same stage again

In every stage the one that did not answer a caller is asked the same in the shadow, so that wrong
answers show in pairs though hardly a caller got one. A stage is passed where its pairs and its
calls are believed to be fair (`evidence`) and it lasted a while. Pure: it is told the time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate
from typing import Final

from tandem.routing.change.difference import Difference
from tandem.routing.change.evidence import Belief, Hypotheses
from tandem.routing.change.plan import is_within
from tandem.routing.domain.keys import RequestKey
from tandem.routing.limits import (
    CANARY_DISTANCE_TOLERANCE,
    CANARY_DURATION_TOLERANCE,
    CANARY_LATENCY_CALLS_MIN,
    CANARY_LATENCY_RATIO_MAX,
    CANARY_LATENCY_SLACK_MS,
    CANARY_STAGE_S_MIN,
)

STAGES: Final = (0.0, 0.01, 0.05, 0.25, 0.50, 1.0)
_QUANTILE: Final = 0.95


class CanaryStatus(StrEnum):
    """Where a canary is."""

    RUNNING = "running"
    FROZEN = "frozen"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True, slots=True)
class Canary:
    """A candidate, whom it is to replace, and how far it is.

    `run` counts canaries, `version` the changes of this row; `since_s` is the unix time at which
    the stage began, `reason` why the last change was made.
    """

    run: int
    version: int
    candidate: str
    baseline: str
    status: CanaryStatus
    stage: int
    since_s: float
    reason: str

    @property
    def share(self) -> float:
        """How many of the questions go to the candidate first."""
        if self.status is CanaryStatus.ROLLED_BACK:
            return 0.0
        return 1.0 if self.status is CanaryStatus.PROMOTED else STAGES[self.stage]

    @property
    def is_under_way(self) -> bool:
        """Whether both are watched."""
        return self.status in {CanaryStatus.RUNNING, CanaryStatus.FROZEN}

    def order(self, names: Sequence[str], key: RequestKey, share: float) -> tuple[str, ...]:
        """Put the one whose turn it is first of the two; a candidate on trial is no fallback.

        Whoever is not among the names, since it was switched off, stays out.
        """
        both = (self.candidate, self.baseline)
        place = min((names.index(name) for name in both if name in names), default=0)
        others = [name for name in names if name not in both]
        if is_within(share, f"canary {self.candidate}", key):
            chosen = [self.candidate, self.baseline]
        elif self.status is CanaryStatus.PROMOTED:
            chosen = [self.baseline, self.candidate]
        else:
            chosen = [self.baseline]
        living = [name for name in chosen if name in names]
        return (*others[:place], *living, *others[place:])


@dataclass(frozen=True, slots=True)
class Latencies:
    """How many calls took how long, by buckets whose bounds grow by a quarter."""

    counts: tuple[int, ...] = ()

    @property
    def calls(self) -> int:
        """How many there were."""
        return sum(self.counts)

    def quantile_ms(self, share: float) -> float:
        """Return the upper bound of the bucket in which the quantile lies."""
        wanted = share * self.calls
        return next(
            bucket_ms(index) for index, seen in enumerate(accumulate(self.counts)) if seen >= wanted
        )


BUCKETS: Final = 40
_BUCKET_RATIO: Final = 1.25


def bucket_ms(index: int) -> float:
    """Return the upper bound of a bucket: 2 ms for the first, 12 s for the last."""
    return 2.0 * _BUCKET_RATIO**index


def bucket(milliseconds: float) -> int:
    """Return the bucket of a time."""
    fitting = (index for index in range(BUCKETS) if milliseconds <= bucket_ms(index))
    return next(fitting, BUCKETS - 1)


@dataclass(frozen=True, slots=True)
class Tally:
    """What all processes saw of a stage: pairs, and the calls and failures of both."""

    pairs: int = 0
    pairs_bad: int = 0
    calls: int = 0
    failures: int = 0
    baseline_calls: int = 0
    baseline_failures: int = 0
    latencies: Latencies = Latencies()
    baseline_latencies: Latencies = Latencies()


def is_bad(found: Difference) -> bool:
    """Tell whether a pair shows the candidate to be wrong."""
    return (
        found.disagree
        or abs(found.distance_ratio - 1) > CANARY_DISTANCE_TOLERANCE
        or abs(found.duration_ratio - 1) > CANARY_DURATION_TOLERANCE
    )


def decided(canary: Canary, tally: Tally, now_s: float) -> Canary | None:
    """Return what becomes of a canary now, or None if nothing does."""
    if not canary.is_under_way:
        return None
    worse = _worse(tally)
    if worse is not None:
        return ended(canary, CanaryStatus.ROLLED_BACK, worse, now_s)
    if canary.status is CanaryStatus.FROZEN or now_s - canary.since_s < CANARY_STAGE_S_MIN:
        return None
    if not _is_proven(canary, tally):
        return None
    proof = f"{tally.pairs} pairs and {tally.calls} calls were fair"
    if canary.stage == len(STAGES) - 1:
        return ended(canary, CanaryStatus.PROMOTED, proof, now_s)
    return _changed(canary, canary.status, canary.stage + 1, proof, now_s)


def ended(canary: Canary, status: CanaryStatus, reason: str, now_s: float) -> Canary:
    """Return a canary in another status, its stage the same."""
    return _changed(canary, status, canary.stage, reason, now_s)


def _changed(canary: Canary, status: CanaryStatus, stage: int, reason: str, now_s: float) -> Canary:
    version = canary.version + 1
    return replace(
        canary, version=version, status=status, stage=stage, reason=reason, since_s=now_s
    )


def _worse(tally: Tally) -> str | None:
    if Hypotheses().belief(tally.pairs, tally.pairs_bad) is Belief.BAD:
        return f"{tally.pairs_bad} of {tally.pairs} pairs differ"
    if _hypotheses_of_failures(tally).belief(tally.calls, tally.failures) is Belief.BAD:
        return f"{tally.failures} of {tally.calls} calls failed"
    new, old = tally.latencies, tally.baseline_latencies
    if min(new.calls, old.calls) < CANARY_LATENCY_CALLS_MIN:
        return None
    new_ms, old_ms = new.quantile_ms(_QUANTILE), old.quantile_ms(_QUANTILE)
    if new_ms > old_ms * CANARY_LATENCY_RATIO_MAX + CANARY_LATENCY_SLACK_MS:
        return f"p95 is {new_ms:.0f} ms beside {old_ms:.0f} ms"
    return None


def _hypotheses_of_failures(tally: Tally) -> Hypotheses:
    """What fails at the old version as well is no fault of the new one's."""
    usual = tally.baseline_failures / tally.baseline_calls if tally.baseline_calls else 0.0
    return Hypotheses.above(usual)


def _is_proven(canary: Canary, tally: Tally) -> bool:
    if Hypotheses().belief(tally.pairs, tally.pairs_bad) is not Belief.FAIR:
        return False
    if canary.share == 0:
        return True  # no caller was sent there, so there is nothing else to see
    return _hypotheses_of_failures(tally).belief(tally.calls, tally.failures) is Belief.FAIR
