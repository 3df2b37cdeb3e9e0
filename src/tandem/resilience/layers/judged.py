"""Layers that learn how each call ended: breaker, throttle, hold-off."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from tandem.resilience.breaker import CircuitBreaker
from tandem.resilience.deadline import Clock, Deadline
from tandem.resilience.hold_off import HoldOff
from tandem.resilience.outcome import Outcome
from tandem.resilience.pipeline import Call, Place
from tandem.resilience.throttle import AdaptiveThrottle

type Judge = Callable[[Exception], Outcome]
"""Says what an error tells of the other side; local rejections and our impatience are neutral."""


@contextmanager
def judging(judge: Judge, record: Callable[[Outcome], None]) -> Iterator[None]:
    """Record how what runs within ends, once; neutral where it is no `Exception` that ends it."""
    outcome = Outcome.NEUTRAL
    try:
        yield
        outcome = Outcome.SUCCESS
    except Exception as error:
        outcome = judge(error)
        raise
    finally:
        record(outcome)


@dataclass(frozen=True, slots=True)
class Throttled:
    """Makes no call with the throttle's probability, and tells it the outcome of those it makes."""

    place: ClassVar[Place] = Place.THROTTLE
    throttle: AdaptiveThrottle
    judge: Judge
    clock: Clock

    async def run[T](self, call: Call[T], deadline: Deadline) -> T:
        """Make the call if the throttle lets it pass."""
        passage = self.throttle.acquire(self.clock())
        with judging(
            self.judge, lambda outcome: self.throttle.record(passage, outcome, self.clock())
        ):
            return await call(deadline)


@dataclass(frozen=True, slots=True)
class Guarded:
    """Asks a breaker first and tells it the outcome; whatever is no `Exception` is neutral."""

    place: ClassVar[Place] = Place.BREAKER
    breaker: CircuitBreaker
    judge: Judge
    clock: Clock

    async def run[T](self, call: Call[T], deadline: Deadline) -> T:
        """Make the call if the breaker is not open."""
        permit = self.breaker.acquire(self.clock())
        with judging(
            self.judge, lambda outcome: self.breaker.record(permit, outcome, self.clock())
        ):
            return await call(deadline)


@dataclass(frozen=True, slots=True)
class HeldOff:
    """Makes no call while the other side wants none; `wish_s` reads that wish from an error."""

    place: ClassVar[Place] = Place.HOLD_OFF
    hold_off: HoldOff
    wish_s: Callable[[Exception], float | None]
    clock: Clock

    async def run[T](self, call: Call[T], deadline: Deadline) -> T:
        """Make the call if the gate is open."""
        self.hold_off.check(self.clock())
        try:
            return await call(deadline)
        except Exception as error:
            wish_s = self.wish_s(error)
            if wish_s is not None:
                self.hold_off.close(self.clock(), wish_s)
            raise
