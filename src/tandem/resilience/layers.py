"""The asynchronous wrappers: each holds a state machine and keeps it told."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from tandem.resilience.backoff import Chance, full_jitter_s
from tandem.resilience.breaker import CircuitBreaker, Outcome
from tandem.resilience.budget import RetryBudget
from tandem.resilience.concurrency import ConcurrencyLimit
from tandem.resilience.deadline import Clock, Deadline
from tandem.resilience.errors import AttemptTimedOut
from tandem.resilience.hold_off import HoldOff
from tandem.resilience.pipeline import Call


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether an error is worth another attempt.

    `attempts_max`: of all attempts, the first included; 1 means no. `wait_s`: what the other side
    asked for, in place of our own backoff.
    """

    attempts_max: int
    wait_s: float | None = None


NO_RETRY: Final = Advice(attempts_max=1)


@dataclass(frozen=True, slots=True)
class Retry:
    """Makes another attempt where the error allows it, the budget pays and the time suffices.

    Where any of these says no, the error stands: an empty budget never fails a call by itself.
    `attempt_s_min` is the time without which another attempt is not worth making.
    """

    advise: Callable[[Exception], Advice]
    budget: RetryBudget
    chance: Chance
    attempt_s_min: float = 0.0
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    on_retry: Callable[[], None] = lambda: None

    async def run[T](self, call: Call[T], deadline: Deadline) -> T:
        """Make the call, more than once if need be."""
        attempt = 1
        while True:
            try:
                result = await call(deadline)
            except Exception as error:
                wait_s = self._wait_s(attempt, self.advise(error), deadline)
                if wait_s is None:
                    raise
            else:
                self.budget.earn()
                return result
            self.on_retry()
            await self.sleep(wait_s)
            attempt += 1

    def _wait_s(self, attempt: int, advice: Advice, deadline: Deadline) -> float | None:
        """Return the wait before the next attempt, or None if there is none to be made."""
        if attempt >= advice.attempts_max:
            return None
        wait_s = advice.wait_s
        if wait_s is None:
            wait_s = full_jitter_s(attempt, self.chance)
        # The budget is asked last, so that nothing is taken from it in vain.
        too_late = wait_s + self.attempt_s_min >= deadline.remaining_s()
        if too_late or not self.budget.spend():
            return None
        return wait_s


@dataclass(frozen=True, slots=True)
class Guarded:
    """Asks a breaker first and tells it the outcome; whatever is no `Exception` is neutral."""

    breaker: CircuitBreaker
    judge: Callable[[Exception], Outcome]
    clock: Clock

    async def run[T](self, call: Call[T], deadline: Deadline) -> T:
        """Make the call if the breaker is not open."""
        permit = self.breaker.acquire(self.clock())
        outcome = Outcome.NEUTRAL
        try:
            result = await call(deadline)
            outcome = Outcome.SUCCESS
        except Exception as error:
            outcome = self.judge(error)
            raise
        finally:
            self.breaker.record(permit, outcome, self.clock())
        return result


@dataclass(frozen=True, slots=True)
class HeldOff:
    """Makes no call while the other side wants none; `wish_s` reads that wish from an error."""

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


@dataclass(frozen=True, slots=True)
class Limited:
    """Makes no call where too many are in flight."""

    limit: ConcurrencyLimit

    async def run[T](self, call: Call[T], deadline: Deadline) -> T:
        """Make the call if there is a place."""
        self.limit.acquire()
        try:
            return await call(deadline)
        finally:
            self.limit.release()


@dataclass(frozen=True, slots=True)
class AttemptTimeout:
    """Gives one attempt no more than its share of the time."""

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
