"""Upstream after upstream, until one answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from tandem.resilience.caller import CALLER, Caller
from tandem.resilience.deadline import Deadline
from tandem.routing import limits
from tandem.routing.domain.errors import (
    FallOver,
    NoneAnswered,
    RoutingError,
    Unsupported,
)
from tandem.routing.domain.request import Request
from tandem.routing.providers.port import Answered
from tandem.routing.upstream import Upstream

type Order = Callable[[Request, Caller], Sequence[str]]
"""Chooses the providers to ask for a request, by name, the first first."""


@dataclass(frozen=True, slots=True)
class Given:
    """An answer and the upstream that gave it."""

    answered: Answered
    upstream: Upstream


class Watch(Protocol):
    """Looks on at calls."""

    def attempted(self, name: str, raised: BaseException | None, took_s: float) -> None:
        """Hear how an attempt at a provider ended; must not raise, nor take long."""
        ...

    def ended(self, request: Request, name: str, end: Answered | RoutingError) -> None:
        """Hear how a call ended that somebody waits for, after all its attempts; as above."""
        ...

    def may_keep(self, name: str) -> bool:
        """Tell whether a provider's answers may outlive the call."""
        ...


class Unwatched:
    """Looks away."""

    def attempted(self, *_: object) -> None:
        """Do nothing."""

    def ended(self, *_: object) -> None:
        """Do nothing."""

    def may_keep(self, _name: str) -> bool:
        """Allow it."""
        return True


_UNWATCHED: Final = Unwatched()


class Chain:
    """The upstreams, and who of them is asked for what; `watch` sees how that ends."""

    def __init__(
        self,
        upstreams: Sequence[Upstream],
        order: Order | None = None,
        watch: Watch = _UNWATCHED,
    ) -> None:
        self._upstreams: Final = {upstream.provider.name: upstream for upstream in upstreams}
        self._order = order or (lambda _request, _caller: tuple(self._upstreams))
        self._watch = watch
        for upstream in upstreams:
            upstream.on_attempt = watch.attempted

    def upstream(self, name: str | None) -> Upstream | None:
        """Return the upstream of a provider's name."""
        return None if name is None else self._upstreams.get(name)

    @property
    def upstreams(self) -> Sequence[Upstream]:
        """All of them."""
        return tuple(self._upstreams.values())

    async def ask(self, request: Request, deadline: Deadline) -> Given:
        """Return the first answer.

        Raises:
            Refusal: There is no such answer, or the request makes no sense.
            NoneAnswered: Nobody could be asked, or nobody answered.
        """
        refused: RoutingError | None = None
        failed: RoutingError | None = None
        chosen = self._chosen(request)
        for index, upstream in enumerate(chosen):
            if refused is not None and not upstream.covers_more:
                continue
            time_left = _time_for(deadline, is_last=index == len(chosen) - 1)
            if time_left.remaining_ms() < limits.ATTEMPT_MS_MIN:
                break
            try:
                return Given(await self._call(upstream, request, time_left), upstream)
            except RoutingError as error:
                if error.traits.fall_over is FallOver.NEVER:
                    raise
                if error.traits.fall_over is FallOver.IF_WIDER:
                    refused = refused or error
                failed = error
        if refused is not None:
            raise refused
        raise NoneAnswered("no provider answered") from failed

    def may_keep(self, name: str) -> bool:
        """Tell whether a provider's answers may outlive the call: not while it is on trial."""
        return self._watch.may_keep(name)

    def credits(self, name: str, request: Request) -> float:
        """Estimate what a request costs one provider; 0 where it is not known."""
        upstream = self._upstreams.get(name)
        return 0.0 if upstream is None else upstream.provider.credits(request)

    async def ask_one(self, name: str, request: Request, deadline: Deadline) -> Answered:
        """Ask one provider alone, unwatched.

        Raises:
            RoutingError: It refused, failed, cannot do this, or is not known.
        """
        upstream = self._upstreams.get(name)
        if upstream is None or upstream.provider.capabilities.lacking(request) is not None:
            raise Unsupported(f"{name} cannot answer this")
        return await upstream.call(request, deadline)

    async def _call(self, upstream: Upstream, request: Request, deadline: Deadline) -> Answered:
        name = upstream.provider.name
        try:
            answered = await upstream.call(request, deadline)
        except RoutingError as error:
            self._watch.ended(request, name, error)
            raise
        self._watch.ended(request, name, answered)
        return answered

    def _chosen(self, request: Request) -> list[Upstream]:
        names = self._order(request, CALLER.get())
        known = [self._upstreams[name] for name in names if name in self._upstreams]
        return [one for one in known if one.provider.capabilities.lacking(request) is None]


def _time_for(deadline: Deadline, *, is_last: bool) -> Deadline:
    """Return until when an upstream may work, so that those after it have time as well."""
    left_ms = deadline.remaining_s() * 1_000 - limits.ANSWER_MARGIN_MS
    return deadline.sooner_ms(left_ms if is_last else left_ms * limits.PRIMARY_TIME_SHARE)
