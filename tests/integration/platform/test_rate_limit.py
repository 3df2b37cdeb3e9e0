"""A plan's credits shared through a real PostgreSQL."""

import asyncio
import json
import random
import sys
import time
from asyncio.subprocess import PIPE
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field

import pytest
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from tests.support.hammer import PROCESSES
from tests.support.routing import VirtualClock

from tandem.platform.database import Pool, open_pool
from tandem.platform.errors import DatabaseUnavailable
from tandem.platform.limits import RATE_ALONE_S
from tandem.platform.rate_limit import ROLE, LeasedRateLimit, SharedRateLimit, migrate_rate_limit
from tandem.resilience.gcra import Denied, LocalRateLimit, Plan, Reservation

pytestmark = pytest.mark.anyio

_OUTPUT_BYTES_MAX = 1024 * 1024
_PLAN = Plan(credits=10, per_s=1.0, burst=20)


@pytest.fixture
async def pool(database_uri: str) -> AsyncIterator[Pool]:
    """A pool in the role of the rate limits, on a migrated database."""
    await asyncio.to_thread(migrate_rate_limit, database_uri)
    async with await open_pool(database_uri, role=ROLE, min_size=1, max_size=4, name="rate") as it:
        yield it


async def _take_all(limit: SharedRateLimit | LeasedRateLimit, cost: float = 1.0) -> int:
    """Take until denied; returns how often."""
    taken = 0
    while isinstance(await limit.reserve("k", cost), Reservation):
        taken += 1
    return taken


async def test_a_plan_is_kept_and_refills(pool: Pool) -> None:
    """The burst at once, then what flows in; the wait that is told is exact; keys are apart."""
    clock = VirtualClock()
    limit = SharedRateLimit(pool, _PLAN, clock)
    assert await _take_all(limit) == 20
    denied = await limit.reserve("k", 3.0)
    assert isinstance(denied, Denied)
    assert denied.retry_after_s == pytest.approx(0.3)
    assert isinstance(await limit.reserve("other", 1.0), Reservation)
    clock.advance(0.3)
    assert isinstance(await limit.reserve("k", 3.0), Reservation)
    clock.advance(0.5)
    assert await _take_all(limit) == 5
    clock.advance(100)
    assert await _take_all(limit) == 20


async def test_the_database_tells_the_time(pool: Pool) -> None:
    """Without a clock of a test it is the database's."""
    limit = SharedRateLimit(pool, Plan(1, 3_600.0, 3))
    assert await _take_all(limit) == 3
    denied = await limit.reserve("k", 1.0)
    assert isinstance(denied, Denied)
    assert 3_500 < denied.retry_after_s <= 3_600


async def test_row_and_memory_agree(pool: Pool) -> None:
    """Any reserving and settling has the same outcome in the database as in memory."""
    chance, clock = random.Random(11), VirtualClock(0.0)
    shared, local = SharedRateLimit(pool, _PLAN, clock), LocalRateLimit(_PLAN, clock)
    held: list[Reservation] = []
    for _ in range(400):
        clock.advance(chance.choice([0.0, 0.01, 0.4]))
        if held and chance.random() < 0.3:
            reservation = held.pop()
            actual = chance.choice([-1.5, 0.0, 0.25, 4.0, 1e9, float("nan")])
            await shared.settle(reservation, actual)
            await local.settle(reservation, actual)
            if actual == 1e9:
                clock.advance(4_000)
        cost = chance.choice([0.0, 0.5, 1.0, 7.0, 30.0])
        mine, theirs = await local.reserve("k", cost), await shared.reserve("k", cost)
        if isinstance(mine, Denied):
            assert isinstance(theirs, Denied)
            assert theirs.retry_after_s == pytest.approx(mine.retry_after_s, abs=0.05)
        else:
            assert theirs == mine
            held.append(mine)


@dataclass(slots=True)
class _Window:
    """What the other side sees: never more than a plan in any window of time."""

    plan: Plan
    seen: deque[tuple[float, float]] = field(default_factory=deque)
    debt: float = 0.0
    total: float = 0.0

    def take(self, now_s: float, cost: float) -> None:
        """A bucket that leaks at the plan's rate never holds more than the burst."""
        if self.seen:
            self.debt = max(0.0, self.debt - (now_s - self.seen[-1][0]) / self.plan.credit_s)
        self.debt += cost
        self.total += cost
        self.seen.append((now_s, cost))
        assert self.debt <= self.plan.burst + 1e-6


async def test_leases_keep_the_plan_and_use_it(pool: Pool) -> None:
    """Offered three times the plan, four holders of leases use 95 % of it and never more."""
    chance, clock = random.Random(5), VirtualClock(0.0)
    plan = Plan(credits=40, per_s=1.0, burst=30)
    limits = [
        LeasedRateLimit(pool, plan, clock, processes=PROCESSES, lease_s=0.25, now_s=clock)
        for _ in range(PROCESSES)
    ]
    window, seconds = _Window(plan), 60
    for _ in range(seconds * 20):
        clock.advance(0.05)
        for limit in chance.sample(limits, PROCESSES):
            for _ in range(2):
                cost = chance.choice([0.5, 1.0, 1.5])
                if isinstance(await limit.reserve("k", cost), Reservation):
                    window.take(clock.now_s, cost)
    assert window.total >= 0.95 * plan.credits * seconds


async def test_most_calls_are_no_round_trip(pool: Pool) -> None:
    """A slice is asked for once, and a denial is remembered for its time."""
    clock, statements = VirtualClock(0.0), 0
    plan = Plan(credits=400, per_s=1.0, burst=400)

    def now_s() -> float:
        nonlocal statements
        statements += 1
        return clock.now_s

    limit = LeasedRateLimit(pool, plan, clock, processes=PROCESSES, lease_s=0.1, now_s=now_s)
    taken = await _take_all(limit)
    assert taken == 360
    assert statements <= 12
    before = statements
    assert await _take_all(limit) == 0
    assert statements == before


async def test_what_a_lease_did_not_use_comes_back(pool: Pool) -> None:
    """Expired slices and refunds return with the next question, or at the close."""
    clock = VirtualClock(0.0)
    plan = Plan(credits=1, per_s=1.0, burst=41)
    one, other = (
        LeasedRateLimit(pool, plan, clock, processes=2, lease_s=1.0, now_s=clock) for _ in range(2)
    )
    reservation = await one.reserve("k", 4.0)
    assert isinstance(reservation, Reservation)
    await one.settle(reservation, 1.5)
    await one.close()
    # The whole burst but for 1.5, and not what flows in during a lease.
    assert await _take_all(other, 0.5) == 77


async def test_a_free_call_that_cost_something_is_a_debt(pool: Pool) -> None:
    """Also of a key that was never asked for; and no debt denies what costs nothing."""
    clock = VirtualClock(0.0)
    limit = SharedRateLimit(pool, _PLAN, clock)
    await limit.settle(Reservation("k", 0.0), 50.0)
    assert isinstance(await limit.reserve("k", 0.0), Reservation)
    assert isinstance(await limit.reserve("k", 1.0), Denied)
    clock.advance(3.1)
    assert isinstance(await limit.reserve("k", 1.0), Reservation)


async def test_a_debt_is_everyones_at_once(pool: Pool) -> None:
    """A call that cost more than its estimate is paid for by the next calls of all."""
    clock = VirtualClock(0.0)
    plan = Plan(credits=1, per_s=1.0, burst=21)
    one, other = (
        LeasedRateLimit(pool, plan, clock, processes=2, lease_s=1.0, now_s=clock) for _ in range(2)
    )
    reservation = await one.reserve("k", 1.0)
    assert isinstance(reservation, Reservation)
    await one.settle(reservation, 100.0)
    await one.settle(reservation, float("inf"))
    assert isinstance(await other.reserve("k", 1.0), Denied)


async def test_another_process_may_settle(pool: Pool) -> None:
    """What a job reserved here and ended there is put right all the same."""
    clock = VirtualClock(0.0)
    plan = Plan(credits=1, per_s=1.0, burst=21)
    one, other = (
        LeasedRateLimit(pool, plan, clock, processes=2, lease_s=1.0, now_s=clock) for _ in range(2)
    )
    reservation = await one.reserve("k", 10.0)
    assert isinstance(reservation, Reservation)
    await one.close()
    await other.settle(reservation, 2.0)
    assert await _take_all(other) == 18


async def test_a_caller_that_gives_up_loses_no_credits(pool: Pool) -> None:
    """What was granted to callers who are gone is there for the next."""
    clock = VirtualClock(0.0)
    plan = Plan(credits=1, per_s=1_000.0, burst=100)
    limit = LeasedRateLimit(pool, plan, clock, processes=1, lease_s=10.0, now_s=clock)
    for turns in range(40):
        tasks = [asyncio.create_task(limit.reserve("k", 1.0)) for _ in range(5)]
        for _ in range(turns % 7):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Reservation):
                await limit.settle(ended, 0.0)
    clock.advance(20)
    assert await _take_all(limit) == 99


async def test_without_the_database_each_keeps_to_its_part(database_uri: str) -> None:
    """A rate limit is no further way to fall: alone, a process takes its share of the plan."""
    clock = VirtualClock(0.0)
    await asyncio.to_thread(migrate_rate_limit, database_uri)
    pool = await open_pool(database_uri, role=ROLE, min_size=1, max_size=1, name="gone")
    await pool.close()
    limit = LeasedRateLimit(pool, _PLAN, clock, processes=4, lease_s=0.1)
    with pytest.raises(DatabaseUnavailable):
        await SharedRateLimit(pool, _PLAN).reserve("k", 1.0)
    reservation = await limit.reserve("k", 1.0)
    assert isinstance(reservation, Reservation)
    assert await _take_all(limit) == 4
    assert isinstance(await limit.reserve("k", 1.0), Denied)
    # What comes back was its own: nothing that the database could be given.
    await limit.settle(reservation, 0.0)
    assert await _take_all(limit) == 1
    await limit.close()


async def test_what_was_spent_alone_is_owed(database_uri: str, pool: Pool) -> None:
    """When the database is back, what has not flowed in since is taken from the next slice."""
    clock = VirtualClock(0.0)
    plan = Plan(credits=4, per_s=1.0, burst=40)
    limit = LeasedRateLimit(pool, plan, clock, processes=2, lease_s=1.0, now_s=clock)
    async with await AsyncConnection.connect(database_uri) as other:
        await other.execute("LOCK TABLE rate_limit.bucket")
        assert await _take_all(limit) == 20
    clock.advance(RATE_ALONE_S)
    # Ten have flowed into its part since; the other ten are owed of the 36 that can be lent.
    assert await _take_all(limit) == 26


async def test_a_plan_that_flows_in_during_a_lease_cannot_be_leased(pool: Pool) -> None:
    """The burst must cover what is lent."""
    with pytest.raises(ValueError, match="leased"):
        LeasedRateLimit(pool, _PLAN, VirtualClock(), processes=4, lease_s=2.0)


async def test_four_processes_keep_one_plan(database_uri: str) -> None:
    """Real processes on the real clock: never more than the plan allows, and 95 % of it used."""
    await asyncio.to_thread(migrate_rate_limit, database_uri)
    plan = Plan(credits=300, per_s=1.0, burst=60)
    arguments = [
        "-m",
        "tests.support.hammer",
        make_conninfo(database_uri),
        json.dumps(asdict(plan)),
    ]
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdin=PIPE, stdout=PIPE, limit=_OUTPUT_BYTES_MAX
        )
        for _ in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    until_s = f"{time.time() + 3.0}\n".encode()
    answers = await asyncio.gather(*(process.communicate(until_s) for process in processes))
    assert [process.returncode for process in processes] == [0] * PROCESSES
    each = [json.loads(output) for output, _ in answers]
    assert sum(map(bool, each)) >= 2
    granted_s = sorted(moment_s for moments in each for moment_s in moments)
    lasted_s = granted_s[-1] - granted_s[0]
    assert len(granted_s) <= plan.burst + plan.credits * lasted_s
    assert len(granted_s) >= 0.95 * plan.credits * lasted_s
