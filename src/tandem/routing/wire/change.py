"""`/v1/routing/canary` and `/v1/routing/differences`."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field

from tandem.routing.change.canary import Canary, CanaryStatus
from tandem.routing.change.report import Line, Sample
from tandem.routing.limits import CANARY_REASON_CHARS_MAX
from tandem.routing.wire.common import Asked, Told, ToldPlace

type ProviderName = Annotated[str, Field(min_length=1, max_length=50)]


class CanaryStartQuestion(Asked):
    """Who is tried in whose place."""

    candidate: ProviderName
    baseline: ProviderName


class CanaryMoveQuestion(Asked):
    """Where the canary is brought, and why."""

    to: Literal["running", "frozen", "promoted", "rolled_back"]
    reason: Annotated[str, Field(min_length=1, max_length=CANARY_REASON_CHARS_MAX)]

    @property
    def status(self) -> CanaryStatus:
        """Where it is brought."""
        return CanaryStatus(self.to)


class ToldCanary(Told):
    """A canary after one of its moves; `share` is of questions, 0 to 1."""

    run: int
    version: int
    candidate: str
    baseline: str
    status: str
    stage: int
    share: float
    since: datetime
    reason: str

    @classmethod
    def of(cls, canary: Canary) -> "ToldCanary":
        """Write a canary down."""
        return cls(
            run=canary.run,
            version=canary.version,
            candidate=canary.candidate,
            baseline=canary.baseline,
            status=canary.status,
            stage=canary.stage,
            share=canary.share,
            since=datetime.fromtimestamp(canary.since_s, UTC),
            reason=canary.reason,
        )


class CanaryAnswer(Told):
    """The canary that is under way, or was last, and all moves, the last first."""

    canary: ToldCanary | None
    moves: list[ToldCanary]


class ToldSample(Told):
    """One comparison; places to about a hundred metres."""

    places: list[ToldPlace]
    distance_ratio: float
    duration_ratio: float
    offset_m: float | None
    disagree: bool

    @classmethod
    def of(cls, sample: Sample) -> "ToldSample":
        """Write a comparison down."""
        found = sample.found
        return cls(
            places=[ToldPlace.of(place) for place in sample.places],
            distance_ratio=found.distance_ratio,
            duration_ratio=found.duration_ratio,
            offset_m=found.offset_m,
            disagree=found.disagree,
        )


class ToldDifference(Told):
    """How far `other`, asked in the shadow, is from `first`, who answered the caller.

    `…_off_p50` and `…_off_p95` are shares: 0.02 is two per cent, either way. `is_flagged`: its
    distances are further off than a fallback's may be.
    """

    first: str
    other: str
    operation: str
    compared: int
    disagreed: int
    failed: int
    distance_off_p50: float
    distance_off_p95: float
    duration_off_p95: float
    offset_m_p95: float
    is_flagged: bool
    worst: list[ToldSample]

    @classmethod
    def of(cls, line: Line) -> "ToldDifference":
        """Write a line of the report down."""
        return cls(
            first=line.pair.first,
            other=line.pair.other,
            operation=line.pair.operation,
            compared=line.compared,
            disagreed=line.disagreed,
            failed=line.failed,
            distance_off_p50=line.distance_off_p50,
            distance_off_p95=line.distance_off_p95,
            duration_off_p95=line.duration_off_p95,
            offset_m_p95=line.offset_m_p95,
            is_flagged=line.is_flagged,
            worst=[ToldSample.of(sample) for sample in line.worst],
        )


class DifferencesAnswer(Told):
    """What this process has compared."""

    differences: list[ToldDifference]
