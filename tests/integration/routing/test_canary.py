"""Canaries on the real sandbox: what is wrong comes back in time, what is right arrives (G17)."""

from collections.abc import AsyncIterator
from itertools import islice
from typing import Any, Final

import pytest
from tests.support.canary import BASELINE, CANDIDATE, benched
from tests.support.engine import RunningSandbox
from tests.support.routing import sample

from tandem.routing.change.canary import STAGES, CanaryStatus
from tandem.routing.change.operator import CanaryConflict
from tandem.routing.limits import CANARY_STAGE_S_MIN, CANARY_STATE_TRUSTED_S
from tandem.routing.providers.bikemap_v2 import COMPUTE_PATH
from tandem.routing.storage.change.store import CanaryStore, open_canary_store

pytestmark = pytest.mark.anyio

_AFFECTED_MAX: Final = 50
_ROLLBACK_S_MAX: Final = 60
_ENOUGH: Final = 110  # pairs and calls that a stage needs to be believed fair
_DRIFT: Final = {"kind": "drift", "factor": 1.03}
_UNITS: Final = {"kind": "units"}
_ERRORS: Final = {"kind": "status", "status": 500, "share": 0.05}
_IN_THE_SUITE: Final = (("drift", 1), ("units", 1))
_CASES: Final = [
    pytest.param(
        drift,
        stage,
        id=f"{drift['kind']}-{stage}",
        marks=[] if (drift["kind"], stage) in _IN_THE_SUITE else pytest.mark.drill,
    )
    for drift in (_DRIFT, _UNITS, _ERRORS)
    for stage in (1, 3)
]
# Who gave an answer that hurts the caller: wrong ones are the candidate's, missing ones nobody's.
_HURT_BY: Final = {"drift": CANDIDATE, "units": CANDIDATE, "status": "estimate"}


@pytest.fixture
async def store(database_uri: str) -> AsyncIterator[CanaryStore]:
    """The store in a fresh database."""
    async with open_canary_store(database_uri) as opened:
        yield opened


@pytest.mark.parametrize(("drift", "stage"), _CASES)
async def test_what_drifts_is_rolled_back(
    sandbox: RunningSandbox, store: CanaryStore, drift: dict[str, Any], stage: int
) -> None:
    """Within a minute of ten calls a second, with few callers affected, and for good."""
    async with benched(sandbox, store) as bench:
        await bench.start_at(stage)
        for _ in range(5):
            await bench.second()
        assert bench.canary.status is CanaryStatus.RUNNING
        sandbox.set_faults({"endpoint": COMPUTE_PATH, **drift})
        bench.served.clear()
        seconds = 0
        while bench.canary.status is CanaryStatus.RUNNING:
            await bench.second()
            seconds += 1
            assert seconds <= _ROLLBACK_S_MAX
        assert bench.canary.status is CanaryStatus.ROLLED_BACK
        assert bench.served.get(_HURT_BY[drift["kind"]], 0) <= _AFFECTED_MAX
        bench.served.clear()
        await bench.second()
        assert set(bench.served) == {BASELINE}
        moves = await store.moves()
        assert moves[0] == bench.canary
        assert "many" in moves[0].reason


@pytest.mark.parametrize("first", [pytest.param(0, marks=pytest.mark.drill), len(STAGES) - 2])
async def test_a_clean_version_is_promoted(
    sandbox: RunningSandbox, store: CanaryStore, first: int
) -> None:
    """From the shadow to everybody; from then on its answers are kept as any other's."""
    async with benched(sandbox, store) as bench:
        await bench.start_at(first)
        for stage in range(first, len(STAGES)):
            running = (stage, CanaryStatus.RUNNING)
            assert (bench.canary.stage, bench.canary.status) == running, bench.canary.reason
            for number, request in enumerate(islice(bench.chosen(stage), _ENOUGH)):
                await bench.ask(request)
                if number % 20 == 0:
                    await bench.changes.shadow.settled()
            await bench.look()
            bench.clock.advance(CANARY_STAGE_S_MIN)
            await bench.conductor.step()
        assert bench.canary.status is CanaryStatus.PROMOTED
        request = next(bench.requests)
        bench.served.clear()
        attempts = sandbox.stats()[COMPUTE_PATH]["attempts"]
        await bench.ask(request)
        await bench.ask(request)
        assert bench.served == {CANDIDATE: 2}
        assert sandbox.stats()[COMPUTE_PATH]["attempts"] == attempts + 1
        (line,) = [line for line in bench.changes.report.lines() if line.pair.other == BASELINE]
        assert line.distance_off_p95 < 0.01
        assert not line.is_flagged


async def test_what_is_tried_is_not_kept(sandbox: RunningSandbox, store: CanaryStore) -> None:
    """No answer of a candidate outlives the call, so none outlives a rollback."""
    async with benched(sandbox, store) as bench:
        await bench.start_at(len(STAGES) - 1)
        request = next(bench.requests)
        await bench.ask(request)
        await bench.ask(request)
        assert bench.served == {CANDIDATE: 2}
        await bench.operator.bring(CanaryStatus.ROLLED_BACK, "enough")
        await bench.conductor.step()
        await bench.ask(request)
        assert bench.served == {CANDIDATE: 2, BASELINE: 1}


async def test_two_processes_agree(sandbox: RunningSandbox, store: CanaryStore) -> None:
    """What one of them sees the other heeds; both may decide, and it is done once."""
    async with benched(sandbox, store) as one, benched(sandbox, store) as other:
        await one.start_at(len(STAGES) - 2)
        await other.conductor.step()
        sandbox.set_faults({"endpoint": COMPUTE_PATH, "kind": "drift"})
        while one.canary.status is CanaryStatus.RUNNING:
            await one.second()
        await other.conductor.step()
        assert other.canary == one.canary
        await other.second()
        assert set(other.served) == {BASELINE}
        runs = [move.version for move in await store.moves()]
        assert len(runs) == len(set(runs)) == one.canary.version


async def test_who_cannot_see_the_state_serves_what_is_proven(
    sandbox: RunningSandbox, store: CanaryStore
) -> None:
    """A share is trusted for some seconds only; a promotion for good."""
    async with benched(sandbox, store) as bench:
        await bench.start_at(len(STAGES) - 1)
        await bench.ask(next(bench.requests))
        bench.clock.advance(CANARY_STATE_TRUSTED_S + 1)
        await bench.ask(next(bench.requests))
        assert bench.served == {CANDIDATE: 1, BASELINE: 1}
        await bench.operator.bring(CanaryStatus.PROMOTED, "it is proven")
        await bench.conductor.step()
        bench.clock.advance(CANARY_STATE_TRUSTED_S + 1)
        await bench.ask(next(bench.requests))
        assert bench.served == {CANDIDATE: 2, BASELINE: 1}


async def test_an_outage_of_both_is_no_fault_of_the_new(
    sandbox: RunningSandbox, store: CanaryStore
) -> None:
    """What fails at either in the same way rolls nothing back; all get an estimate."""
    async with benched(sandbox, store) as bench:
        await bench.start_at(4)
        sandbox.set_faults({"kind": "status", "status": 503})
        for _ in range(10):
            await bench.second()
        assert bench.canary.status is CanaryStatus.RUNNING


async def test_the_shadow_keeps_to_its_credits(sandbox: RunningSandbox, store: CanaryStore) -> None:
    """Beyond its plan nothing is asked, and that is counted."""
    async with benched(sandbox, store, credits_per_hour=5) as bench:
        await bench.start_at(0)
        for _ in range(3):
            await bench.second()
        assert sandbox.stats()[COMPUTE_PATH]["attempts"] == 5
        calls = "tandem_routing_shadow_calls_total"
        assert sample(bench.registry, calls, {"outcome": "no_credits"}) == 25


async def test_what_an_operator_may_not_do(sandbox: RunningSandbox, store: CanaryStore) -> None:
    """Two canaries at once, unknown providers, and moves that lead nowhere are refused."""
    async with benched(sandbox, store) as bench:
        operator = bench.operator
        for pair in ((CANDIDATE, CANDIDATE), (CANDIDATE, "nobody")):
            with pytest.raises(CanaryConflict):
                await operator.start(*pair)
        with pytest.raises(CanaryConflict, match="ever"):
            await operator.bring(CanaryStatus.FROZEN, "why not")
        await operator.start(CANDIDATE, BASELINE)
        with pytest.raises(CanaryConflict, match="under way"):
            await operator.start(CANDIDATE, BASELINE)
        await operator.bring(CanaryStatus.FROZEN, "to look at it")
        await operator.bring(CanaryStatus.RUNNING, "it is fine")
        await operator.bring(CanaryStatus.ROLLED_BACK, "it is not")
        with pytest.raises(CanaryConflict, match="rolled_back"):
            await operator.bring(CanaryStatus.PROMOTED, "changed my mind")
        again = await operator.start(CANDIDATE, BASELINE)
        assert (again.run, again.stage) == (2, 0)
        assert [move.status for move in await operator.moves()] == [
            CanaryStatus.RUNNING,
            CanaryStatus.ROLLED_BACK,
            CanaryStatus.RUNNING,
            CanaryStatus.FROZEN,
            CanaryStatus.RUNNING,
        ]
