"""What an operator does to a canary: start, freeze, resume, promote, roll back."""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from tandem.routing.change.canary import Canary, CanaryStatus, ended
from tandem.routing.limits import CANARY_REASON_CHARS_MAX
from tandem.routing.storage.change.store import CanaryStore

_FROM: Final = {
    CanaryStatus.FROZEN: {CanaryStatus.RUNNING},
    CanaryStatus.RUNNING: {CanaryStatus.FROZEN},
    CanaryStatus.PROMOTED: {CanaryStatus.RUNNING, CanaryStatus.FROZEN},
    CanaryStatus.ROLLED_BACK: {CanaryStatus.RUNNING, CanaryStatus.FROZEN, CanaryStatus.PROMOTED},
}


class CanaryConflict(Exception):  # noqa: N818 - it names a state of the world
    """What was asked does not fit how far the canary is; the message says why."""


class Operator:
    """Moves canaries by hand; `known` are the providers' names, `utc_s` tells unix time.

    Without credits for the shadow no canary can be proven, so that none is started.
    """

    def __init__(
        self,
        store: CanaryStore,
        known: Collection[str],
        utc_s: Callable[[], float],
        *,
        has_credits: bool = True,
    ) -> None:
        self._store = store
        self._known = known
        self._utc_s = utc_s
        self._has_credits = has_credits

    async def canary(self) -> Canary | None:
        """Return the canary that is under way, or was last. Raises DatabaseUnavailable."""
        return await self._store.canary()

    async def moves(self) -> Sequence[Canary]:
        """Return what became of canaries, the last move first. Raises DatabaseUnavailable."""
        return await self._store.moves()

    async def start(self, candidate: str, baseline: str) -> Canary:
        """Begin a canary, in the shadow.

        Raises:
            CanaryConflict: Another is under way, these are not two providers of ours, or nothing
                may be spent on comparing them.
            DatabaseUnavailable: It cannot be said.
        """
        if candidate == baseline or not {candidate, baseline} <= set(self._known):
            names = ", ".join(sorted(self._known))
            raise CanaryConflict(f"a canary wants two of the providers that are set up: {names}")
        if not self._has_credits:
            raise CanaryConflict("the plan of the shadow has no credits to compare them with")
        last = await self._store.canary()
        if last is not None and last.is_under_way:
            raise CanaryConflict(f"{last.candidate} is under way")
        run, version = (1, 1) if last is None else (last.run + 1, last.version + 1)
        reason = "an operator started it"
        return await self._moved(
            Canary(
                run, version, candidate, baseline, CanaryStatus.RUNNING, 0, self._utc_s(), reason
            )
        )

    async def bring(self, status: CanaryStatus, reason: str) -> Canary:
        """Bring the canary to another status.

        Raises:
            CanaryConflict: There is none, or it cannot go there from where it is.
            DatabaseUnavailable: It cannot be said.
        """
        canary = await self._store.canary()
        if canary is None:
            raise CanaryConflict("no canary was ever started")
        if canary.status not in _FROM[status]:
            raise CanaryConflict(f"{canary.candidate} is {canary.status}")
        told = f"an operator: {reason}"[:CANARY_REASON_CHARS_MAX]
        return await self._moved(ended(canary, status, told, self._utc_s()))

    async def _moved(self, canary: Canary) -> Canary:
        if not await self._store.move(canary):
            raise CanaryConflict("somebody else moved it at the same moment")
        return canary
