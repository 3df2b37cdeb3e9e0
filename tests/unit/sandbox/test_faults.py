"""Which requests go wrong: repeatable, and in the share asked for."""

import pytest
from pydantic import ValidationError
from tests.support.routing import VirtualClock

from tandem.sandbox import limits
from tandem.sandbox.faults import FaultKind, FaultPlan, FaultRule, Faults

_COMPUTE, _TOKEN = "/v2/routes:compute", "/v2/oauth2/token"


def _hits(faults: Faults, number: int, endpoint: str = _COMPUTE) -> list[bool]:
    return [faults.decide(endpoint) is not None for _ in range(number)]


def _plan(share: float, seed: int | None = 1, endpoint: str = _COMPUTE) -> FaultPlan:
    return FaultPlan(
        rules=[FaultRule(endpoint=endpoint, share=share, kind=FaultKind.HTML)], seed=seed
    )


def test_share_and_seed_decide() -> None:
    """The same seed hits the same requests, another seed others, both in the share asked for."""
    faults = Faults(0, VirtualClock())
    runs = []
    for seed in (1, 1, 2):
        faults.replace(_plan(0.3, seed))
        runs.append(_hits(faults, 2_000))
    assert runs[0] == runs[1] != runs[2]
    assert all(500 < sum(run) < 700 for run in runs)


def test_extreme_shares_are_exact() -> None:
    """All means every one and none means not one."""
    faults = Faults(0, VirtualClock())
    faults.replace(_plan(1.0))
    assert all(_hits(faults, 500))
    faults.replace(_plan(0.0))
    assert not any(_hits(faults, 500))


def test_other_endpoints_do_not_disturb() -> None:
    """Requests elsewhere are not hit, and do not change which requests here are."""
    faults = Faults(0, VirtualClock())
    faults.replace(_plan(0.5))
    alone = _hits(faults, 100)
    faults.replace(_plan(0.5))
    mixed = []
    for _ in range(100):
        assert faults.decide(_TOKEN) is None
        mixed += _hits(faults, 1)
    assert mixed == alone


def test_first_rule_that_hits_decides() -> None:
    """Rules are tried in order; `*` concerns every endpoint."""
    faults = Faults(0, VirtualClock())
    status = FaultRule(endpoint=_TOKEN, kind=FaultKind.STATUS)
    hole = FaultRule(kind=FaultKind.BLACKHOLE)
    faults.replace(FaultPlan(rules=[status, hole]))
    hits = [faults.decide(endpoint) for endpoint in (_TOKEN, _COMPUTE)]
    assert [hit.rule for hit in hits if hit] == [status, hole]


def test_a_rule_may_name_how_paths_begin() -> None:
    """A final `*` stands for whatever follows."""
    rule = FaultRule(endpoint="/v2/jobs/*", kind=FaultKind.EMPTY)
    paths = ["/v2/jobs/job_1", "/v2/jobs/", "/v2/jobs", "/v1/jobs/job_1"]
    assert [rule.concerns(path) for path in paths] == [True, True, False, False]


def test_a_mix_of_statuses() -> None:
    """Each status comes as often as its weight says, and as the seed has it."""
    rule = {"kind": "status", "status_mix": {"500": 1, "503": 3}}
    faults = Faults(0, VirtualClock())
    runs = []
    for _ in range(2):
        faults.replace(FaultPlan.model_validate({"rules": [rule], "seed": 3}))
        hits = [faults.decide(_COMPUTE) for _ in range(2_000)]
        runs.append([hit.status(0) for hit in hits if hit is not None])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {500, 503}
    assert 1_400 < runs[0].count(503) < 1_600


def test_paths_of_callers_fill_no_memory() -> None:
    """Beyond a bound, all paths never seen before count as one."""
    faults = Faults(0, VirtualClock())
    faults.replace(_plan(0.5, endpoint="*"))
    for number in range(limits.FAULT_PATHS_MAX + 100):
        faults.decide(f"/v2/{number}")
    assert len(faults._seen) == limits.FAULT_PATHS_MAX + 1


def test_bursts_come_and_go() -> None:
    """A rule with `on_s` and `off_s` is in force in turns, from the moment it was made."""
    clock = VirtualClock()
    faults = Faults(0, clock)
    faults.replace(FaultPlan(rules=[FaultRule(kind=FaultKind.STATUS, on_s=2, off_s=3)]))
    hits = []
    for _ in range(10):
        hits += _hits(faults, 1)
        clock.advance(1.0)
    assert hits == [True, True, False, False, False] * 2


def test_a_pause_is_spread_over_its_jitter() -> None:
    """Each request waits for a time of its own, whatever share of them is hit."""
    faults = Faults(0, VirtualClock())
    rule = FaultRule(kind=FaultKind.LATENCY, share=0.5, latency_ms=100, jitter_ms=100)
    faults.replace(FaultPlan(rules=[rule], seed=1))
    pauses_s = [hit.pause_s for _ in range(500) if (hit := faults.decide(_COMPUTE))]
    assert 0.1 <= min(pauses_s) < 0.11
    assert 0.19 < max(pauses_s) < 0.2


def test_plan_without_a_seed_takes_the_process_seed() -> None:
    """The seed given at the start stands in for a missing one."""
    runs = []
    for default_seed in (5, 5, 6):
        faults = Faults(default_seed, VirtualClock())
        faults.replace(_plan(0.5, seed=None))
        runs.append(_hits(faults, 200))
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "explode"},
        {"kind": "status", "share": 1.1},
        {"kind": "latency"},
        {"kind": "drip"},
        {"kind": "redirect"},
        {"kind": "status", "on_s": 1},
        {"kind": "bomb", "body_bytes": 10**12},
        {"kind": "status", "status": 99},
        {"kind": "status", "status_mix": {}},
        {"kind": "status", "status_mix": {"503": 0}},
        {"kind": "status", "colour": "red"},
        {"kind": "latency", "latency_ms": 10**9},
    ],
)
def test_senseless_rules_are_refused(rule: dict[str, object]) -> None:
    """A rule that cannot be carried out is an error, not a guess."""
    with pytest.raises(ValidationError):
        FaultPlan.model_validate({"rules": [rule]})
