"""G1, G2, G3 and G6: what is sent and what is answered while the primary fails."""

import asyncio
import time

from bench.routing.load import Call, good_share, p99_ms
from bench.routing.report import OUTAGE, Course, Row, at_least, at_most
from bench.routing.stage import Outcome, Stage, caller

_CALLERS = 8
_CALLS = 400
_FREE = 35  # attempts that an outage may cost before the budget holds
_DEADLINE_MS = 2_000
_WINDOWS = 9
_BURST = 20
_BACK = 0.95
_PATIENCE_S = 20.0


async def measure(stage: Stage) -> list[Row]:
    """Measure them one after the other."""
    return [
        *await _hard_outage(stage),
        *await _failing(stage, 0.3, "G2", 0.995, 1.10),
        *await _failing(stage, 0.6, "G3", 0.99, None),
        *await _opening_and_recovery(stage),
    ]


async def calls(stage: Stage, call: Call, number: int = _CALLS) -> list[Outcome]:
    """Make so many calls from some callers at once."""
    left = iter(range(number))

    async def one() -> list[Outcome]:
        return [await call(stage.request()) for _ in left]

    taken = await asyncio.gather(*(one() for _ in range(_CALLERS)))
    return [outcome for some in taken for outcome in some]


async def _hard_outage(stage: Stage) -> list[Row]:
    await stage.recover()
    await stage.fail("status", status=503)
    async with stage.gateway() as gateway:
        outcomes = await calls(stage, caller(gateway, _DEADLINE_MS))
        attempts = await stage.attempts()
        late = await calls(stage, caller(gateway, _DEADLINE_MS), 80)
    await stage.recover()
    await stage.fail("status", status=503)
    naive = await stage.naive()
    await calls(stage, naive.call, 80)
    naively = await stage.attempts() / 80
    good = good_share(outcomes)
    ratio = max(0, attempts - _FREE) / len(outcomes)
    late_ms = p99_ms(late)
    return [
        at_most("G1 attempts per call in an outage, after the first 35", ratio, "", 1.1, naively),
        at_least("G3 answered by secondary or cache, primary out", good, "share", 0.989, 0.0),
        at_most("G3 p99 once open, primary out", late_ms, "ms", 300.0),
    ]


async def _failing(
    stage: Stage, share: float, goal: str, least: float, most: float | None
) -> list[Row]:
    await stage.recover()
    await stage.fail("status", status=503, share=share)
    async with stage.gateway() as gateway:
        outcomes = await calls(stage, caller(gateway, _DEADLINE_MS))
    amplification = await stage.attempts() / len(outcomes)
    await stage.recover()
    await stage.fail("status", status=503, share=share)
    naive = await stage.naive()
    naive_outcomes = await calls(stage, naive.call)
    naive_amplification = await stage.attempts() / len(naive_outcomes)
    good = good_share(outcomes)
    naive_good = good_share(naive_outcomes)
    name = f"{goal} {share:.0%} failing"
    rows = [at_least(f"{name}: answered", good, "share", least, naive_good)]
    if most is not None:
        each = f"{name}: attempts per call"
        rows.append(at_most(each, amplification, "", most, naive_amplification))
    return rows


async def _opening_and_recovery(stage: Stage) -> list[Row]:
    """Count the attempts of a hard outage at ten calls a second, and the time until it is over."""
    await stage.recover()
    async with stage.gateway() as gateway:
        call = caller(gateway, _DEADLINE_MS)
        await calls(stage, call, 40)
        await stage.recover()
        await stage.fail("status", status=503)
        for _ in range(40):
            await call(stage.request())
            await asyncio.sleep(0.02)
        opened_after = await stage.attempts()
        await stage.recover()
        began = time.perf_counter()
        recovered_s = _PATIENCE_S
        while time.perf_counter() - began < recovered_s:
            before = await stage.attempts()
            await calls(stage, call, _BURST)
            if await stage.attempts() - before >= _BACK * _BURST:
                recovered_s = time.perf_counter() - began
                break
            await asyncio.sleep(0.1)
    return [
        at_most("G6 attempts of a hard outage until it is open", opened_after, "calls", 20, 120),
        at_most("G6 traffic back after recovery", recovered_s, "s", 10.0),
    ]


async def courses(stage: Stage) -> list[Course]:
    """Follow both clients through an outage: windows before, in and after it."""
    naive = await stage.naive()
    followed = [await _course(stage, "naive, 3 tries", naive.call)]
    async with stage.gateway() as gateway:
        followed.append(await _course(stage, "gateway", caller(gateway, _DEADLINE_MS)))
    return followed


async def _course(stage: Stage, name: str, call: Call) -> Course:
    success, took_ms, attempts = [], [], []
    await stage.recover()
    for window in range(_WINDOWS):
        if window == OUTAGE[0]:
            await stage.fail("status", status=503)
        if window == OUTAGE[1]:
            await stage.recover()
        before = await stage.attempts()
        outcomes = await calls(stage, call, 60)
        success.append(good_share(outcomes))
        took_ms.append(p99_ms(outcomes))
        attempts.append((await stage.attempts() - before) / len(outcomes))
        await asyncio.sleep(0.3)
    return Course(name, tuple(success), tuple(took_ms), tuple(attempts))
