"""More than one attempt: where the error allows it, the budget pays and the time suffices."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar, Final

from tandem.resilience.backoff import Chance, full_jitter_s
from tandem.resilience.budget import RetryBudget
from tandem.resilience.deadline import Deadline
from tandem.resilience.pipeline import Call, Place


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

    place: ClassVar[Place] = Place.RETRY
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
