"""Calls at a steady rate, whether those before them were answered or not."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bench.routing.stage import Outcome, Stage
from tandem.resilience.caller import CALLER, LIVE, Caller
from tandem.routing.domain.request import RouteRequest

type Call = Callable[[RouteRequest], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Stream:
    """Calls for somebody, so many a second."""

    call: Call
    per_second: float
    caller: Caller = LIVE


async def offered(stage: Stage, stream: Stream, seconds: float) -> list[Outcome]:
    """Make the calls of a stream for so long; return how they ended, the first begun first."""
    began_s, tasks = time.monotonic(), list[asyncio.Task[Outcome]]()
    for number in range(round(seconds * stream.per_second)):
        await asyncio.sleep(began_s + number / stream.per_second - time.monotonic())
        tasks.append(asyncio.create_task(_made(stage, stream)))
    return await asyncio.gather(*tasks)


async def _made(stage: Stage, stream: Stream) -> Outcome:
    CALLER.set(stream.caller)  # the context is this task's own
    return await stream.call(stage.request())


def p99_ms(outcomes: Sequence[Outcome]) -> float:
    """The 99th percentile of how long calls took."""
    ordered = sorted(outcome.seconds for outcome in outcomes)
    return 1_000 * ordered[int(len(ordered) * 0.99) - 1]


def good_share(outcomes: Sequence[Outcome]) -> float:
    """How many of the calls were answered, and not by an estimate."""
    return sum(outcome.good for outcome in outcomes) / len(outcomes)
