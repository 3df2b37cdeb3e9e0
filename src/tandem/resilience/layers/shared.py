"""Layers that make one call out of many, or two out of one: coalescing and hedging."""

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, ClassVar

from tandem.resilience.budget import RetryBudget
from tandem.resilience.deadline import Clock, Deadline
from tandem.resilience.hedge import HedgeDelay
from tandem.resilience.pipeline import Call, Place
from tandem.resilience.single_flight import SingleFlight


@dataclass(frozen=True, slots=True)
class Coalesced:
    """Makes one call for all who want the same at the same time.

    The work belongs to no caller, so it has its own time, `work_ms`, and not the first caller's:
    others may have more left. Each caller's own deadline is kept outside this layer.
    """

    place: ClassVar[Place] = Place.SINGLE_FLIGHT
    flights: SingleFlight[Hashable, Any]
    key: Callable[[], Hashable]
    work_ms: float

    async def run[T](self, call: Call[T], deadline: Deadline) -> T:
        """Make the call, or wait for the one that is under way."""

        async def work() -> T:
            return await call(Deadline.after_ms(self.work_ms, deadline.clock))

        result: T = await self.flights.run(self.key(), work)
        return result


@dataclass(frozen=True, slots=True)
class Hedged:
    """Starts a second attempt where the first takes unusually long; the first answer counts.

    Both draw on one budget with the retries: where it is empty there is no second attempt, and the
    first goes on. `may_hedge` says whether this call may be made twice: never one that is priced,
    or heavy. The loser is cancelled, and has given back what it held when the answer returns.
    """

    place: ClassVar[Place] = Place.HEDGE
    delay: HedgeDelay
    budget: RetryBudget
    may_hedge: Callable[[], bool]
    clock: Clock
    on_hedge: Callable[[], None] = lambda: None

    async def run[T](self, call: Call[T], deadline: Deadline) -> T:
        """Make the call, once or twice."""
        if not self.may_hedge():
            return await call(deadline)
        attempts = [asyncio.create_task(self._timed(call, deadline))]
        try:
            await asyncio.wait(attempts, timeout=self.delay.delay_s())
            if not attempts[0].done() and self.budget.spend():
                self.on_hedge()
                attempts.append(asyncio.create_task(self._timed(call, deadline)))
            return await _first_good(attempts)
        finally:
            await _end(attempts)

    async def _timed[T](self, call: Call[T], deadline: Deadline) -> T:
        started_s = self.clock()
        result = await call(deadline)
        self.delay.learn(self.clock() - started_s)
        return result


async def _first_good[T](attempts: list[asyncio.Task[T]]) -> T:
    """Return the first result; where all attempts fail, the first one's error stands."""
    while True:
        ended = [attempt for attempt in attempts if attempt.done()]
        for attempt in ended:
            if not attempt.cancelled() and attempt.exception() is None:
                return attempt.result()
        if len(ended) == len(attempts):
            return attempts[0].result()
        await asyncio.wait(set(attempts).difference(ended), return_when=asyncio.FIRST_COMPLETED)


async def _end[T](attempts: list[asyncio.Task[T]]) -> None:
    """Cancel what is under way and see it end, even if cancelled meanwhile."""
    for attempt in attempts:
        attempt.cancel()
    cancelled: asyncio.CancelledError | None = None
    while pending := [attempt for attempt in attempts if not attempt.done()]:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            cancelled = error
    for attempt in attempts:
        if not attempt.cancelled():
            attempt.exception()  # It was looked at, so that nobody reports it as lost.
    if cancelled is not None:
        raise cancelled
