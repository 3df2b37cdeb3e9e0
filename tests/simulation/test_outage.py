"""All layers together through an outage, in virtual time and any order of events.

What a caller does who gets nothing here (fall over, show what is stale) is the gateway's.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from tests.simulation.loop import VirtualLoop

from tandem.resilience.breaker import BreakerSettings, CircuitBreaker
from tandem.resilience.budget import RetryBudget
from tandem.resilience.deadline import Deadline
from tandem.resilience.errors import AttemptTimedOut, DeadlineExceeded, Rejected
from tandem.resilience.hedge import HedgeDelay
from tandem.resilience.layers import (
    NO_RETRY,
    Advice,
    AttemptTimeout,
    Bounded,
    Guarded,
    Hedged,
    Retry,
    Sized,
    Throttled,
)
from tandem.resilience.limiter import GradientLimiter
from tandem.resilience.outcome import Outcome
from tandem.resilience.pipeline import Pipeline
from tandem.resilience.throttle import AdaptiveThrottle

_DEADLINE_MS = 2_000
_PER_SECOND = 20


class _Down(Exception):  # noqa: N818 - a test's own word
    """The provider failed."""


@dataclass(frozen=True, slots=True)
class _End:
    """How a call ended: when it began and ended, and whether it was answered."""

    began_s: float
    ended_s: float
    is_good: bool


@dataclass(slots=True)
class _Outage:
    """Calls at a steady rate to a provider whose behaviour depends on the time."""

    loop: VirtualLoop
    chance: random.Random
    behave: Callable[[float], str]
    limiter: GradientLimiter = field(default_factory=GradientLimiter)
    attempts_s: list[float] = field(default_factory=list)
    ends: list[_End] = field(default_factory=list)

    def pipeline(self) -> Pipeline:
        """Compose the layers as the product does."""
        clock, chance, budget = self.loop.time, self.chance.random, RetryBudget()
        return Pipeline(
            (
                Bounded(),
                Retry(_advice, budget, chance, attempt_s_min=0.05),
                Hedged(HedgeDelay(), budget, lambda: True, clock),
                Throttled(AdaptiveThrottle(chance), _judge, clock),
                Guarded(CircuitBreaker(BreakerSettings(10.0, 20, 0.8), chance), _judge, clock),
                Sized(self.limiter, _judge, clock),
                AttemptTimeout(1_000),
            )
        )

    async def run(self, phases: list[tuple[float, float]]) -> None:
        """Make calls: for so many seconds, so many a second."""
        pipeline, calls = self.pipeline(), list[asyncio.Task[None]]()
        for seconds, per_second in phases:
            for _ in range(round(seconds * per_second)):
                await self.loop.pass_us(round(1e6 / per_second))
                calls.append(asyncio.create_task(self._call(pipeline)))
        await asyncio.gather(*calls)

    async def _call(self, pipeline: Pipeline) -> None:
        began_s = self.loop.time()
        try:
            await pipeline.run(self._attempt, Deadline.after_ms(_DEADLINE_MS, self.loop.time))
            is_good = True
        except (_Down, AttemptTimedOut, DeadlineExceeded, Rejected):
            is_good = False
        self.ends.append(_End(began_s, self.loop.time(), is_good))

    async def _attempt(self, _deadline: Deadline) -> None:
        now_s = self.loop.time()
        self.attempts_s.append(now_s)
        match self.behave(now_s):
            case "silent":
                await asyncio.Event().wait()
            case "down":
                await self.loop.pass_us(20_000)
                raise _Down
            case _:
                await self.loop.pass_us(self.chance.randint(50_000, 120_000))

    def good_share(self, from_s: float, to_s: float) -> float:
        """Of the calls that began then, how many were answered."""
        chosen = [end.is_good for end in self.ends if from_s <= end.began_s < to_s]
        return sum(chosen) / len(chosen)

    def attempts_a_call(self, from_s: float, to_s: float) -> float:
        """How many attempts were made then for each call that began then."""
        attempts = sum(from_s <= at_s < to_s for at_s in self.attempts_s)
        return attempts / sum(from_s <= end.began_s < to_s for end in self.ends)


def _advice(error: Exception) -> Advice:
    return NO_RETRY if isinstance(error, Rejected) else Advice(attempts_max=3)


def _judge(error: Exception) -> Outcome:
    return Outcome.NEUTRAL if isinstance(error, Rejected) else Outcome.FAILURE


def _played(
    seed: int, behave: Callable[[float], str], phases: list[tuple[float, float]]
) -> _Outage:
    chance = random.Random(seed)
    loop = VirtualLoop(random.Random(f"order {seed}"))  # type: ignore[abstract]  # no sockets, no threads
    outage = _Outage(loop, chance, behave)
    loop.run(outage.run(phases))
    assert loop.faults == []
    assert outage.limiter.in_flight == 0
    assert all(end.ended_s - end.began_s <= _DEADLINE_MS / 1_000 + 0.05 for end in outage.ends)
    return outage


@pytest.mark.parametrize("kind", ["down", "silent"])
@pytest.mark.parametrize("seed", range(3))
def test_an_outage_costs_little_and_is_over_soon(seed: int, kind: str) -> None:
    """A minute of failures or of silence: no multiplied load, and all is well 10 s after it."""
    outage = _played(
        seed,
        lambda now_s: kind if 30 <= now_s < 90 else "up",
        [(30, _PER_SECOND), (60, _PER_SECOND), (40, 2 * _PER_SECOND)],
    )
    assert outage.good_share(0, 29) >= 0.99
    assert outage.attempts_a_call(30 + 35 / _PER_SECOND, 90) <= 0.2
    # Even at twice the load there is nothing that keeps it down.
    assert outage.good_share(100, 130) >= 0.99
    assert outage.attempts_a_call(100, 129) <= 1.10


@pytest.mark.parametrize("seed", range(3))
def test_what_is_left_of_a_provider_is_used(seed: int) -> None:
    """Six of ten fail: a third of the calls are answered; with a breaker at half, hardly any."""
    chance = random.Random(f"faults {seed}")
    outage = _played(
        seed, lambda _now_s: "down" if chance.random() < 0.6 else "up", [(120, _PER_SECOND)]
    )
    assert outage.good_share(0, 120) >= 0.3
    assert outage.attempts_a_call(0, 120) <= 1.10


@pytest.mark.parametrize("seed", range(3))
def test_a_share_of_failures_is_lived_with(seed: int) -> None:
    """Three of ten fail: no layer cuts off what is left, and the load grows by a tenth at most."""
    chance = random.Random(f"faults {seed}")
    outage = _played(
        seed, lambda _now_s: "down" if chance.random() < 0.3 else "up", [(120, _PER_SECOND)]
    )
    assert outage.good_share(0, 120) >= 0.70
    assert 0.99 <= outage.attempts_a_call(0, 120) <= 1.10
