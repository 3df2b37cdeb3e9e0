"""Fetches what is asked for most anew, shortly before it goes stale, so that nobody waits for it.

Bounded three ways: by how many questions are watched, by how many are fetched in a round, and by a
plan of credits of its own. What is fetched is a batch call, so live ones go first.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final, Protocol

from tandem.resilience.caller import CALLER, Caller, Partition
from tandem.resilience.deadline import Clock, Deadline
from tandem.resilience.gcra import Denied, LocalRateLimit, Plan, RateLimit
from tandem.routing import limits
from tandem.routing.domain.errors import RoutingError
from tandem.routing.domain.keys import RequestKey
from tandem.routing.domain.request import Request
from tandem.routing.gateway import RoutingGateway

_log: Final = logging.getLogger(__name__)
_PLAN: Final = "prefetch"


@dataclass(frozen=True, slots=True)
class HotKey:
    """A question, and how often it was asked lately."""

    request: Request
    uses: float


class HotKeys(Protocol):
    """Knows what is asked for most."""

    def hottest(self, limit: int) -> Sequence[HotKey]:
        """Return what is asked for most, most first."""
        ...

    def fade(self) -> None:
        """Let what was counted so far count half."""
        ...


class Renewing(Protocol):
    """Keeps answers, and can fetch them anew."""

    def fresh_left_s(self, request: Request) -> float | None:
        """Return for how long what is kept stays fresh, below 0 if it is stale; None: nothing."""
        ...

    def credits(self, request: Request) -> float:
        """Estimate what an answer costs at the most."""
        ...

    async def renew(self, request: Request, deadline: Deadline) -> None:
        """Fetch an answer anew and keep it. Raises RoutingError and TimeoutError."""
        ...


class HotRequests:
    """Counts questions in bounded memory (Space-Saving, Metwally and others 2005).

    Where there is no room a new question takes the place of the rarest and inherits its count: one
    that is asked often is never missed, one that is asked seldom may look more frequent than it is.
    """

    def __init__(self, entries_max: int = limits.HOT_KEYS_MAX) -> None:
        self._entries_max = entries_max
        self._counted: dict[RequestKey, HotKey] = {}

    def note(self, request: Request) -> None:
        """Count a question that somebody asked just now."""
        key = request.key()
        known = self._counted.get(key)
        if known is None and len(self._counted) >= self._entries_max:
            rarest = min(self._counted, key=lambda one: self._counted[one].uses)
            known = self._counted.pop(rarest)
        self._counted[key] = HotKey(request, 1.0 if known is None else known.uses + 1.0)

    def hottest(self, limit: int) -> Sequence[HotKey]:
        """Return what is asked for most, most first."""
        return sorted(self._counted.values(), key=lambda one: -one.uses)[:limit]

    def fade(self) -> None:
        """Let what was counted so far count half, and forget what is hardly asked for."""
        self._counted = {
            key: HotKey(one.request, one.uses / 2)
            for key, one in self._counted.items()
            if one.uses > 1
        }


class Prefetcher:
    """Fetches anew in rounds, for as many credits as `plan` has for it."""

    def __init__(self, hot: HotKeys, answers: Renewing, plan: RateLimit) -> None:
        self._hot = hot
        self._answers = answers
        self._plan = plan

    async def run(self) -> None:
        """Do a round now and then, until cancelled."""
        rounds = 0
        while True:
            await asyncio.sleep(limits.PREFETCH_EVERY_S)
            try:
                await self.round()
            except Exception:  # noqa: BLE001 - the next round may do better
                _log.exception("a round of prefetching failed")
            rounds += 1
            if rounds % limits.PREFETCH_ROUNDS_TO_FADE == 0:
                self._hot.fade()

    async def round(self) -> int:
        """Fetch what is hot and soon stale, most asked for first; return how many answers came.

        A failure ends the round: a provider that is in trouble is not given work that can wait.
        """
        # Whoever runs a round may ask for others afterwards: its own caller comes back.
        token = CALLER.set(Caller(Partition.BATCH))
        try:
            return await self._fetch_hot()
        finally:
            CALLER.reset(token)

    async def _fetch_hot(self) -> int:
        fetched = 0
        for one in self._hot.hottest(limits.PREFETCH_KEYS_MAX):
            if one.uses < limits.PREFETCH_USES_MIN:
                break
            left_s = self._answers.fresh_left_s(one.request)
            if left_s is None or left_s > limits.PREFETCH_AHEAD_S:
                continue
            cost = self._answers.credits(one.request)
            if isinstance(await self._plan.reserve(_PLAN, cost), Denied):
                break
            deadline = Deadline.after_ms(limits.REFRESH_TIMEOUT_MS)
            try:
                await self._answers.renew(one.request, deadline)
            except (RoutingError, TimeoutError):
                break
            fetched += 1
        return fetched


@asynccontextmanager
async def prefetching(
    gateway: RoutingGateway, credits_per_hour: float, clock: Clock
) -> AsyncIterator[None]:
    """Watch what a gateway is asked, and prefetch while the context lasts; 0 credits: never."""
    if credits_per_hour <= 0:
        yield
        return
    hot = HotRequests()
    gateway.on_asked = hot.note
    burst = min(credits_per_hour, limits.PREFETCH_BURST_CREDITS)
    plan = LocalRateLimit(Plan(credits_per_hour, 3_600.0, burst), clock)
    task = asyncio.create_task(Prefetcher(hot, gateway, plan).run(), name="routing prefetch")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
