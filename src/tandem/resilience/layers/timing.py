"""Layers that keep the time: of the whole call and of an attempt; and who looks on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from tandem.resilience.deadline import Clock, Deadline
from tandem.resilience.errors import AttemptTimedOut, DeadlineExceeded
from tandem.resilience.pipeline import Call, Place


@dataclass(frozen=True, slots=True)
class Bounded:
    """Ends the whole call at its deadline, whatever it is doing; raises DeadlineExceeded."""

    place: ClassVar[Place] = Place.DEADLINE

    async def run[T](self, call: Call[T], deadline: Deadline) -> T:
        """Make the call while there is time."""
        scope = deadline.scope()
        try:
            async with scope:
                return await call(deadline)
        except TimeoutError as error:
            if not scope.expired():
                raise
            raise DeadlineExceeded from error


@dataclass(frozen=True, slots=True)
class AttemptTimeout:
    """Gives one attempt no more than its share of the time."""

    place: ClassVar[Place] = Place.ATTEMPT_TIMEOUT
    timeout_ms: float

    async def run[T](self, call: Call[T], deadline: Deadline) -> T:
        """Make the call, and give it up in time; raises AttemptTimedOut."""
        nearer = deadline.sooner_ms(self.timeout_ms)
        given_s = nearer.remaining_s()
        scope = nearer.scope()
        try:
            async with scope:
                return await call(nearer)
        except Exception as error:
            # The call may itself watch the time that it was given, and be first to say so.
            if not (scope.expired() or nearer.expired()):
                raise
            raise AttemptTimedOut(given_s) from error


@dataclass(frozen=True, slots=True)
class Observed:
    """Tells an observer how each attempt ended: with None, or with what was raised."""

    place: ClassVar[None] = None
    observe: Callable[[BaseException | None, float], None]
    clock: Clock

    async def run[T](self, call: Call[T], deadline: Deadline) -> T:
        """Make the call and look; `observe` gets the seconds it took as well."""
        started_s = self.clock()
        raised: BaseException | None = None
        try:
            return await call(deadline)
        except BaseException as error:
            raised = error
            raise
        finally:
            self.observe(raised, self.clock() - started_s)
