"""A canary goes up only where it is fair, and down wherever it is worse."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.routing.change.canary import (
    BUCKETS,
    STAGES,
    Canary,
    CanaryStatus,
    Latencies,
    Tally,
    bucket,
    bucket_ms,
    decided,
    is_bad,
)
from tandem.routing.change.difference import Difference
from tandem.routing.change.evidence import Alarm, Belief, Hypotheses, Recent
from tandem.routing.limits import CANARY_STAGE_S_MIN

_START = Canary(1, 1, "bikemap", "bikemap_v1", CanaryStatus.RUNNING, 0, 1_000.0, "started")
_LATER = 1_000.0 + CANARY_STAGE_S_MIN
_FAIR = Tally(pairs=150, calls=150, baseline_calls=150)
_NAMES = ("bikemap", "bikemap_v1", "valhalla")


def _at(stage: int, status: CanaryStatus = CanaryStatus.RUNNING) -> Canary:
    return replace(_START, stage=stage, status=status)


def _moved(canary: Canary | None) -> Canary:
    assert canary is not None
    return canary


def test_a_fair_candidate_goes_all_the_way() -> None:
    """Stage by stage, and then it is promoted."""
    canary, shares = _START, []
    now_s = canary.since_s
    while canary.status is CanaryStatus.RUNNING:
        shares.append(canary.share)
        assert decided(canary, _FAIR, now_s) is None  # too soon
        now_s += CANARY_STAGE_S_MIN
        after = _moved(decided(canary, _FAIR, now_s))
        assert after.version == canary.version + 1
        canary = after
    assert tuple(shares) == STAGES
    assert canary.status is CanaryStatus.PROMOTED
    assert canary.share == 1


@given(st.integers(0, 98))
def test_little_evidence_moves_nothing(calls: int) -> None:
    """Fewer than a hundred good ones do not promote, however long it takes."""
    few = Tally(pairs=calls, calls=calls)
    assert decided(_at(2), few, _LATER + 1e6) is None
    assert decided(_at(2), replace(few, pairs=150), _LATER + 1e6) is None
    assert decided(_at(2), replace(few, calls=150), _LATER + 1e6) is None


@pytest.mark.parametrize("stage", range(len(STAGES)))
@pytest.mark.parametrize("status", [CanaryStatus.RUNNING, CanaryStatus.FROZEN])
@pytest.mark.parametrize(
    ("tally", "reason"),
    [
        (Tally(pairs=4, pairs_bad=4), "pairs"),
        (Tally(calls=100, failures=9, baseline_calls=100), "failed"),
        (
            Tally(latencies=Latencies((0,) * 20 + (60,)), baseline_latencies=Latencies((60,))),
            "p95",
        ),
    ],
)
def test_whatever_is_worse_ends_it_at_once(
    stage: int, status: CanaryStatus, tally: Tally, reason: str
) -> None:
    """In every stage, frozen or not, and without waiting for the stage to last."""
    after = _moved(decided(_at(stage, status), tally, 1_000.0))
    assert after.status is CanaryStatus.ROLLED_BACK
    assert reason in after.reason
    assert after.share == 0


def test_what_fails_at_the_old_one_too_is_no_fault_of_the_new() -> None:
    """Ten of a hundred are bad beside none, and fair beside as many."""
    tally = Tally(calls=200, failures=20, baseline_calls=200)
    assert decided(_at(1), tally, 1_000.0) is not None
    assert decided(_at(1), replace(tally, baseline_failures=20), 1_000.0) is None


@pytest.mark.parametrize("status", [CanaryStatus.PROMOTED, CanaryStatus.ROLLED_BACK])
def test_what_has_ended_stays(status: CanaryStatus) -> None:
    """Only an operator moves it from there."""
    assert decided(_at(3, status), Tally(pairs=9, pairs_bad=9), _LATER) is None


def test_frozen_waits() -> None:
    """However fair it is."""
    assert decided(_at(1, CanaryStatus.FROZEN), _FAIR, _LATER + 1e6) is None


@given(st.integers(), st.permutations(_NAMES), st.integers(0, len(STAGES) - 1))
def test_a_candidate_is_no_fallback_while_it_is_tried(
    key: int, names: list[str], stage: int
) -> None:
    """It comes first for its share, and not at all for the others; nobody else moves."""
    canary = _at(stage)
    order = canary.order(names, (key,), canary.share)
    if "bikemap" in order:
        assert order.index("bikemap") < order.index("bikemap_v1")
    assert set(order) >= {"bikemap_v1", "valhalla"}
    back = replace(canary, status=CanaryStatus.ROLLED_BACK)
    assert "bikemap" not in back.order(names, (key,), back.share)
    done = replace(canary, status=CanaryStatus.PROMOTED)
    after = done.order(names, (key,), done.share)
    assert after.index("bikemap") < after.index("bikemap_v1")


@given(st.integers())
def test_who_is_switched_off_stays_out(key: int) -> None:
    """A canary brings nobody back, and a candidate does not take all because the old one is off."""
    assert _at(5).order(("valhalla",), (key,), 1.0) == ("valhalla",)
    assert _at(0).order(("bikemap", "valhalla"), (key,), 0.0) == ("valhalla",)
    assert _at(5).order(("bikemap_v1",), (key,), 1.0) == ("bikemap_v1",)


@pytest.mark.parametrize("bad_share", [0.0, 0.001])
def test_a_fair_share_seldom_alarms(bad_share: float) -> None:
    """In 100 runs of 500 calls at most one in twenty alarms at a thousandth bad, none at none."""
    alarmed = sum(
        _alarms_after(random.Random(seed), bad_share, 500) is not None for seed in range(100)
    )
    assert alarmed <= (5 if bad_share else 0)


def test_one_in_twenty_is_seen_in_time() -> None:
    """Half of all runs alarm within 120 calls, nine in ten within 300, whatever was before."""
    for good_before in (0, 5_000):
        dice = [random.Random(f"{seed} {good_before}") for seed in range(200)]
        took = sorted(_alarms_after(one, 0.05, 2_000, good_before) or 9_999 for one in dice)
        assert took[100] <= 120
        assert took[180] <= 300


def _alarms_after(
    dice: random.Random, bad_share: float, calls: int, good_before: int = 0
) -> int | None:
    alarm = Alarm()
    for _ in range(good_before):
        alarm.add(bad=False)
    for number in range(calls):
        alarm.add(bad=dice.random() < bad_share)
        if alarm.is_raised:
            return number
    return None


@pytest.mark.parametrize("bad_share", [0.1, 0.3, 1.0])
def test_what_happens_to_both_seldom_alarms(bad_share: float) -> None:
    """An outage that begins at both at once rolls back in less than one case in ten."""
    assert sum(_alarms_in_joint_outage(seed, bad_share) for seed in range(200)) < 20


def _alarms_in_joint_outage(seed: int, bad_share: float) -> bool:
    dice, alarm, usual = random.Random(seed), Alarm(), Recent()
    for _ in range(100):
        usual.add(bad=dice.random() < bad_share)
        alarm.add(bad=dice.random() < bad_share, share_usual=usual.share_at_most)
        if alarm.is_raised:
            return True
    return False


def test_an_alarm_ends_with_its_cause() -> None:
    """However long it was bad, some good calls end it."""
    alarm = Alarm()
    for _ in range(1_000):
        alarm.add(bad=True)
    assert alarm.is_raised
    for _ in range(10):
        alarm.add(bad=False)
    assert not alarm.is_raised


@given(st.integers(0, 300), st.integers(0, 300))
def test_belief_does_not_depend_on_more_good_than_bad(calls: int, bad: int) -> None:
    """Another bad call never makes a share look fairer, another good one never worse."""
    order = [Belief.FAIR, Belief.OPEN, Belief.BAD]
    bad = min(bad, calls)
    one, hypotheses = Hypotheses().belief(calls, bad), Hypotheses()
    assert order.index(hypotheses.belief(calls + 1, bad + 1)) >= order.index(one)
    assert order.index(hypotheses.belief(calls + 1, bad)) <= order.index(one)


@pytest.mark.parametrize(
    ("found", "bad"),
    [
        (Difference(), False),
        (Difference(1.01, 1.05), False),
        (Difference(1.03), True),
        (Difference(0.97), True),
        (Difference(1.0, 1_000.0), True),
        (Difference(disagree=True), True),
    ],
)
def test_which_pairs_are_bad(found: Difference, bad: bool) -> None:
    """What two versions of one provider may differ by, and what not."""
    assert is_bad(found) is bad


@given(st.floats(0, 1e6))
def test_buckets_cover_all_times(milliseconds: float) -> None:
    """Each time is in the first bucket that reaches it, or in the last."""
    index = bucket(milliseconds)
    assert milliseconds <= bucket_ms(index) or index == BUCKETS - 1
    assert index == 0 or milliseconds > bucket_ms(index - 1)
