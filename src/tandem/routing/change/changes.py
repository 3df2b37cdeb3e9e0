"""All that changes who answers, as one thing: flags, a canary, and calls in the shadow."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from tandem.resilience.caller import CALLER, Caller, Partition
from tandem.routing.chain import Order
from tandem.routing.change.conductor import Conductor
from tandem.routing.change.difference import difference
from tandem.routing.change.report import Pair, Report
from tandem.routing.change.shadow import Askable, Shadow, Shown
from tandem.routing.domain.errors import Refusal, RoutingError
from tandem.routing.domain.request import Request
from tandem.routing.providers.port import Answered

type ShadowOf = Callable[[Request, Caller], str | None]
"""Names the provider that flags want to be asked in the shadow of a request."""


class Changes:
    """Looks on at every call that a provider answered for somebody."""

    def __init__(
        self,
        shadow: Shadow,
        report: Report,
        conductor: Conductor | None = None,
        flagged: ShadowOf | None = None,
    ) -> None:
        self.shadow: Final = shadow
        self.report: Final = report
        self.conductor: Final = conductor
        self._flagged = flagged
        shadow.show = self.show

    def over(self, order: Order) -> Order:
        """Return an order in which a canary has its share."""
        return order if self.conductor is None else self.conductor.over(order)

    @asynccontextmanager
    async def working(self, providers: Askable) -> AsyncIterator[None]:
        """Ask in the shadow, and conduct the canary, while the context lasts."""
        async with self.shadow.working(providers):
            if self.conductor is None:
                yield
                return
            async with self.conductor.conducting():
                yield

    def attempted(self, name: str, raised: BaseException | None, took_s: float) -> None:
        """Count how an attempt ended."""
        if self.conductor is not None:
            self.conductor.attempted(name, raised, took_s)

    def ended(self, request: Request, name: str, end: Answered | RoutingError) -> None:
        """Have others asked what a caller was answered."""
        caller = CALLER.get()
        if caller.partition is not Partition.LIVE or not isinstance(end, Answered | Refusal):
            return
        said = end.answer if isinstance(end, Answered) else end
        for other in self._others(request, name, caller):
            self.shadow.want(request, name, said, other)

    def may_keep(self, name: str) -> bool:
        """Tell whether a provider's answers may outlive the call: not while it is on trial."""
        return self.conductor is None or not self.conductor.is_on_trial(name)

    def show(self, shown: Shown) -> None:
        """Take in what a call in the shadow showed."""
        pair = Pair(shown.first, shown.other, shown.request.operation)
        found = None
        if shown.other_said is None:
            self.report.failed(pair)
        else:
            found = difference(shown.first_said, shown.other_said)
            self.report.compared(pair, shown.request, found)
        if self.conductor is not None:
            self.conductor.shown(shown, found)

    def _others(self, request: Request, name: str, caller: Caller) -> set[str]:
        wanted = {
            None if self.conductor is None else self.conductor.shadow_of(name),
            None if self._flagged is None else self._flagged(request, caller),
        }
        return {other for other in wanted if other is not None and other != name}
