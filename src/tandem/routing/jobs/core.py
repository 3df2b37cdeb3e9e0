"""What a job goes through, as pure data and functions.

    queued -> running -> succeeded | partially_failed | failed -> expired
       └─────────┴─────> cancelled ───────────────────────────────┘

No state is entered twice; the store keeps each transition under a unique key. A job's items are
worked off in chunks by our own gateway, or submitted to a provider that has jobs of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from tandem.resilience.backoff import Chance, full_jitter_s
from tandem.routing import limits
from tandem.routing.domain.errors import Refusal, RoutingError
from tandem.routing.domain.result import Freshness


class JobKind(StrEnum):
    """What the items of a job are."""

    ROUTES = "routes"
    MATRICES = "matrices"


class JobState(StrEnum):
    """Where a job is. It is finished from `succeeded` on."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIALLY_FAILED = "partially_failed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    """It had finished, and its results are kept no longer."""


class SubmissionState(StrEnum):
    """How far a provider has come with a job that is computed there."""

    INTENDED = "intended"
    """Recorded, and perhaps sent; sent again it is under the same key."""
    SUBMITTED = "submitted"
    IMPORTED = "imported"
    ABANDONED = "abandoned"
    """Our own gateway computes what is missing."""


class CallbackState(StrEnum):
    """How far the message that a job has finished has come."""

    WAITING = "waiting"
    DUE = "due"
    DELIVERED = "delivered"
    DEAD = "dead"


ACTIVE: Final = frozenset({JobState.QUEUED, JobState.RUNNING})
_ENDS: Final = frozenset({JobState.SUCCEEDED, JobState.PARTIALLY_FAILED, JobState.FAILED})
FINISHED: Final = _ENDS | {JobState.CANCELLED, JobState.EXPIRED}
_FROM: Final[Mapping[JobState, frozenset[JobState]]] = {
    JobState.QUEUED: frozenset(),
    JobState.RUNNING: frozenset({JobState.QUEUED}),
    **dict.fromkeys(_ENDS, frozenset({JobState.RUNNING})),
    JobState.CANCELLED: ACTIVE,
    JobState.EXPIRED: _ENDS | {JobState.CANCELLED},
}


def states_before(state: JobState) -> frozenset[JobState]:
    """Return the states from which a job may come to this one."""
    return _FROM[state]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many items a job has, and what became of them."""

    items: int
    succeeded: int = 0
    failed: int = 0

    @property
    def pending(self) -> int:
        """How many have no result."""
        return self.items - self.succeeded - self.failed


def end_of(counts: Counts) -> JobState | None:
    """Return how a job ends whose items stand so, None while some have no result."""
    if counts.pending:
        return None
    if not counts.failed:
        return JobState.SUCCEEDED
    return JobState.PARTIALLY_FAILED if counts.succeeded else JobState.FAILED


def chunks_of(items: int) -> int:
    """Return into how many chunks so many items are cut."""
    return -(-items // limits.JOB_CHUNK_ITEMS)


def chunk_bounds(number: int) -> tuple[int, int]:
    """Return the first index of a chunk, and the first after it."""
    first = number * limits.JOB_CHUNK_ITEMS
    return first, first + limits.JOB_CHUNK_ITEMS


def settles(outcome: Freshness | RoutingError, rounds: int) -> bool:
    """Tell whether an item's outcome is its result; else it is tried again in a later round.

    A job has time, so an estimate or a failure is taken only after `JOB_ROUNDS_MAX` rounds; a
    route or a refusal at once. `rounds` are those before.
    """
    if rounds + 1 >= limits.JOB_ROUNDS_MAX or isinstance(outcome, Refusal):
        return True
    return outcome in {Freshness.LIVE, Freshness.FRESH_CACHE, Freshness.REVALIDATING_CACHE}


def round_pause_s(rounds: int, chance: Chance) -> float:
    """Return how long to wait after so many rounds of a chunk left something open."""
    # At least half: a provider that is down gets a rest, even where chance says at once.
    cap_s = min(limits.JOB_ROUND_PAUSE_S * 2.0 ** (rounds - 1), limits.JOB_ROUND_PAUSE_S_MAX)
    return cap_s / 2 + chance() * cap_s / 2


def submission_key(job_id: UUID) -> str:
    """Return the idempotency key of a job's submission: the same whenever it is sent."""
    return f"tandem-{job_id.hex}"


def poll_pause_s(hint_s: float | None) -> float:
    """Return when to look at a provider's job again: as it wishes, in bounds.

    The upper bound is also how late a lost webhook is made good.
    """
    wished_s = limits.JOB_POLL_S if hint_s is None else hint_s
    return min(max(wished_s, limits.JOB_POLL_S_MIN), limits.JOB_POLL_S_MAX)


def callback_pause_s(attempts: int, asked_s: float | None, chance: Chance) -> float:
    """Return how long to wait after so many failed attempts to send a message."""
    jittered_s = full_jitter_s(
        attempts,
        chance,
        base_s=limits.JOB_CALLBACK_PAUSE_S,
        cap_s=limits.JOB_CALLBACK_PAUSE_S_MAX,
    )
    return max(jittered_s, min(asked_s or 0.0, limits.JOB_CALLBACK_PAUSE_S_MAX))
