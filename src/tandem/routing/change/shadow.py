"""Asks another provider the same, after the caller has its answer, and compares.

It costs callers nothing: a queue that is bounded and drops, a pause before each call, the batch
partition, and a plan of credits of its own.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter

from tandem.resilience.caller import CALLER, Caller, Partition
from tandem.resilience.deadline import Clock, Deadline
from tandem.resilience.gcra import Denied, RateLimit
from tandem.routing import limits
from tandem.routing.change.difference import Said, is_comparable
from tandem.routing.domain.errors import LocallyRejected, ProviderError, Refusal, RoutingError
from tandem.routing.domain.request import Request
from tandem.routing.providers.port import Answered

_PLAN: Final = "shadow"
_log: Final = logging.getLogger(__name__)


class Askable(Protocol):
    """Providers by their names."""

    def credits(self, name: str, request: Request) -> float:
        """Estimate what a request costs one of them."""
        ...

    async def ask_one(self, name: str, request: Request, deadline: Deadline) -> Answered:
        """Ask one of them alone. Raises RoutingError."""
        ...


@dataclass(frozen=True, slots=True)
class Shown:
    """A question, who answered it, and who was asked in the shadow.

    `other_said` is None where the other failed: that says something of it, and nothing of answers.
    """

    request: Request
    first: str
    first_said: Said
    other: str
    other_said: Said | None


@dataclass(frozen=True, slots=True)
class _Wanted:
    request: Request
    first: str
    first_said: Said
    other: str


class Shadow:
    """Asks in the shadow, for as many credits as `plan` has; what came of it is told to `show`.

    Without a plan nobody is asked, and that is counted.
    """

    def __init__(
        self,
        plan: RateLimit | None,
        registry: CollectorRegistry,
        clock: Clock,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._plan = plan
        self.show: Callable[[Shown], None] = lambda _shown: None
        self._clock = clock
        self._pause = pause
        self._wanted: asyncio.Queue[_Wanted] = asyncio.Queue(limits.SHADOW_QUEUE_MAX)
        self._calls = Counter(
            "tandem_routing_shadow_calls",
            "Calls in the shadow of a caller's, by what became of them",
            ("outcome",),
            registry=registry,
        )

    def want(self, request: Request, first: str, first_said: Said, other: str) -> None:
        """Ask another soon; where too many wait already, not at all."""
        if not is_comparable(first_said):
            return
        if self._plan is None:
            self._calls.labels("no_credits").inc()
            return
        try:
            self._wanted.put_nowait(_Wanted(request, first, first_said, other))
        except asyncio.QueueFull:
            self._calls.labels("dropped").inc()

    async def settled(self) -> None:
        """Wait until nothing is wanted any more."""
        await self._wanted.join()

    @property
    def has_credits(self) -> bool:
        """Whether anything can be asked at all."""
        return self._plan is not None

    @asynccontextmanager
    async def working(self, providers: Askable) -> AsyncIterator[None]:
        """Work off what is wanted while the context lasts."""
        workers = [
            asyncio.create_task(self._work(providers, plan), name="routing shadow")
            for plan in [self._plan] * limits.SHADOW_IN_FLIGHT
            if plan is not None
        ]
        try:
            yield
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, providers: Askable, plan: RateLimit) -> None:
        CALLER.set(Caller(Partition.BATCH))  # the context is this task's own
        while True:
            wanted = await self._wanted.get()
            try:
                await self._ask(wanted, providers, plan)
            except Exception:  # noqa: BLE001 - the next may do better
                _log.exception("a call in the shadow failed")
            finally:
                self._wanted.task_done()

    async def _ask(self, wanted: _Wanted, providers: Askable, plan: RateLimit) -> None:
        await self._pause(limits.SHADOW_DELAY_S)
        reserved = await plan.reserve(_PLAN, providers.credits(wanted.other, wanted.request))
        if isinstance(reserved, Denied):
            self._calls.labels("no_credits").inc()
            return
        try:
            await self._compare(wanted, providers)
        except RoutingError as error:  # ours: there was no room, or no time
            if isinstance(error, LocallyRejected):
                await plan.settle(reserved, 0.0)
            self._calls.labels(error.code).inc()

    async def _compare(self, wanted: _Wanted, providers: Askable) -> None:
        deadline = Deadline.after_ms(limits.SHADOW_TIMEOUT_MS, self._clock)
        said: Said | None
        try:
            said = (await providers.ask_one(wanted.other, wanted.request, deadline)).answer
        except Refusal as refusal:
            said = refusal
        except ProviderError:
            said = None
        self._calls.labels("failed" if said is None else "answered").inc()
        self.show(Shown(wanted.request, wanted.first, wanted.first_said, wanted.other, said))
