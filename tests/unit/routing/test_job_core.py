"""The state machine of jobs, and what follows from it."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.routing import limits
from tandem.routing.domain.errors import NoneAnswered, NoRoute
from tandem.routing.domain.result import Freshness
from tandem.routing.jobs.core import (
    ACTIVE,
    FINISHED,
    Counts,
    JobState,
    callback_pause_s,
    chunk_bounds,
    chunks_of,
    end_of,
    poll_pause_s,
    round_pause_s,
    settles,
    states_before,
)


@given(st.lists(st.sampled_from(JobState)))
def test_no_state_is_entered_twice(wishes: list[JobState]) -> None:
    """Whatever is tried in whatever order, and what has finished only expires."""
    state, entered = JobState.QUEUED, [JobState.QUEUED]
    for wish in wishes:
        if state in states_before(wish):
            assert state in ACTIVE or wish is JobState.EXPIRED
            state = wish
            entered.append(wish)
    assert len(entered) == len(set(entered))
    assert set(JobState) == ACTIVE | FINISHED


@pytest.mark.parametrize(
    ("counts", "end"),
    [
        (Counts(3), None),
        (Counts(3, 2), None),
        (Counts(3, 3), JobState.SUCCEEDED),
        (Counts(3, 2, 1), JobState.PARTIALLY_FAILED),
        (Counts(3, 0, 3), JobState.FAILED),
    ],
)
def test_how_a_job_ends(counts: Counts, end: JobState | None) -> None:
    """By what became of its items, once all have something."""
    assert end_of(counts) is end


@given(st.integers(1, limits.JOB_ITEMS_MAX))
def test_every_item_is_in_one_chunk(items: int) -> None:
    """No gap, no overlap, and none too many."""
    bounds = [chunk_bounds(number) for number in range(chunks_of(items))]
    assert bounds[0][0] == 0
    assert all(end == first for (_, end), (first, _) in itertools.pairwise(bounds))
    assert bounds[-1][0] < items <= bounds[-1][1]


def test_what_an_item_settles_for() -> None:
    """An answer or a refusal at once; what is old, estimated or failed only in the last round."""
    last = limits.JOB_ROUNDS_MAX - 1
    for good in (Freshness.LIVE, Freshness.FRESH_CACHE, NoRoute("no")):
        assert settles(good, 0)
    for poor in (Freshness.STALE_CACHE, Freshness.ESTIMATE, NoneAnswered("none")):
        assert [settles(poor, rounds) for rounds in (0, last - 1, last)] == [False, False, True]


@given(st.none() | st.floats(0, 1e9), st.floats(0, 1), st.integers(1, 50))
def test_waits_are_bounded(hint_s: float | None, chance: float, times: int) -> None:
    """However the other side wishes, and however often it failed."""
    assert limits.JOB_POLL_S_MIN <= poll_pause_s(hint_s) <= limits.JOB_POLL_S_MAX <= 60
    assert 0 < round_pause_s(times, lambda: chance) <= limits.JOB_ROUND_PAUSE_S_MAX
    pause_s = callback_pause_s(times, hint_s, lambda: chance)
    assert 0 <= pause_s <= limits.JOB_CALLBACK_PAUSE_S_MAX
