"""Layers that bound how many calls are in flight."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from tandem.resilience.caller import CALLER, Caller
from tandem.resilience.concurrency import ConcurrencyLimit
from tandem.resilience.deadline import Clock, Deadline
from tandem.resilience.layers.judged import Judge, judging
from tandem.resilience.limiter import GradientLimiter
from tandem.resilience.pipeline import Call, Place


@dataclass(frozen=True, slots=True)
class Limited:
    """Makes no call where too many are in flight."""

    place: ClassVar[Place] = Place.CONCURRENCY
    limit: ConcurrencyLimit

    async def run[T](self, call: Call[T], deadline: Deadline) -> T:
        """Make the call if there is a place."""
        self.limit.acquire()
        try:
            return await call(deadline)
        finally:
            self.limit.release()


@dataclass(frozen=True, slots=True)
class Sized:
    """Makes no call where the limiter has no slot for its caller, and tells it how calls end.

    `judge` calls a FAILURE only what tells of overload, timeouts and 503; other faults are NEUTRAL:
    fewer calls in flight would not mend them.
    """

    place: ClassVar[Place] = Place.CONCURRENCY
    limiter: GradientLimiter
    judge: Judge
    clock: Clock
    caller: Callable[[], Caller] = CALLER.get

    async def run[T](self, call: Call[T], deadline: Deadline) -> T:
        """Make the call if there is a slot."""
        slot = self.limiter.acquire(self.clock(), self.caller())
        with judging(self.judge, lambda outcome: self.limiter.release(slot, outcome, self.clock())):
            return await call(deadline)
