"""Conducts a canary: every process sees the same state, adds what it saw, and any may decide.

State is a row that moves by compare-and-set, so two that decide at once do it once. Where it cannot
be read for a while a canary's candidate gets nothing: whoever is blind serves what is proven.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from tandem.platform.errors import DatabaseUnavailable
from tandem.resilience.caller import CALLER, Caller, Partition
from tandem.resilience.deadline import Clock
from tandem.resilience.errors import AttemptTimedOut
from tandem.routing.chain import Order
from tandem.routing.change.canary import (
    BUCKETS,
    Canary,
    CanaryStatus,
    Latencies,
    Tally,
    bucket,
    decided,
    ended,
    is_bad,
)
from tandem.routing.change.difference import Difference
from tandem.routing.change.evidence import Alarm, Recent
from tandem.routing.change.shadow import Shown
from tandem.routing.domain.errors import ProviderError
from tandem.routing.domain.request import Request
from tandem.routing.limits import CANARY_EVERY_S, CANARY_STATE_TRUSTED_S
from tandem.routing.storage.change.store import CanaryStore

_NEW, _OLD = "candidate", "baseline"
_log: Final = logging.getLogger(__name__)


class Conductor:
    """The part of one process in a canary; `utc_s` tells unix time, `clock` monotonic seconds."""

    def __init__(self, store: CanaryStore, utc_s: Callable[[], float], clock: Clock) -> None:
        self._store = store
        self._utc_s = utc_s
        self._clock = clock
        self._canary: Canary | None = None
        self._seen_at_s = float("-inf")
        self._counts: Counter[str] = Counter()
        self._pairs, self._failures, self._usual = Alarm(), Alarm(), Recent()
        self._alarm: str | None = None
        self._alarmed = asyncio.Event()

    @property
    def canary(self) -> Canary | None:
        """The canary that is under way, or was last."""
        return self._canary

    # -- whom to ask -----------------------------------------------------------------------------

    def over(self, order: Order) -> Order:
        """Return an order in which the canary has its share."""

        def chosen(request: Request, caller: Caller) -> tuple[str, ...]:
            names, canary = tuple(order(request, caller)), self._canary
            if canary is None:
                return names
            return canary.order(names, request.key(), self._share(canary))

        return chosen

    def is_on_trial(self, name: str) -> bool:
        """Tell whether a provider's answers must not outlive the call."""
        canary = self._canary
        return canary is not None and canary.is_under_way and canary.candidate == name

    def shadow_of(self, name: str) -> str | None:
        """Return who is asked what a provider answered, to compare them."""
        canary = self._canary
        if canary is None or not canary.is_under_way or self._alarm:
            return None
        both = {canary.candidate: canary.baseline, canary.baseline: canary.candidate}
        return both.get(name)

    def _share(self, canary: Canary) -> float:
        is_trusted = self._clock() - self._seen_at_s <= CANARY_STATE_TRUSTED_S
        is_safe = canary.status is CanaryStatus.PROMOTED or (is_trusted and not self._alarm)
        return canary.share if is_safe else 0.0

    # -- what is seen ----------------------------------------------------------------------------

    def attempted(self, name: str, raised: BaseException | None, took_s: float) -> None:
        """Count an attempt, a caller's or in the shadow: retries hide from callers what fails."""
        canary, failed = self._canary, _is_failure(raised)
        if canary is None or not canary.is_under_way or failed is None:
            return
        side = {canary.candidate: _NEW, canary.baseline: _OLD}.get(name)
        if side is None:
            return
        self._counts[f"{side}_calls"] += 1
        self._counts[f"{side}_failures"] += failed
        # Calls in the shadow come in bursts, and yield: their times are not a caller's.
        if not failed and CALLER.get().partition is Partition.LIVE:
            self._counts[f"{side}_within_{bucket(1_000 * took_s)}"] += 1
        if side == _OLD:
            self._usual.add(bad=failed)
            return
        self._failures.add(bad=failed, share_usual=self._usual.share_at_most)
        if self._failures.is_raised:
            self._raise_alarm("too many of its calls failed")

    def shown(self, shown: Shown, found: Difference | None) -> None:
        """Count what a comparison in the shadow showed; None where the other failed."""
        canary = self._canary
        if canary is None or {shown.first, shown.other} != {canary.candidate, canary.baseline}:
            return
        if found is None and shown.other != canary.candidate:
            return
        bad = found is None or is_bad(found)
        self._counts["pairs"] += 1
        self._counts["pairs_bad"] += bad
        self._pairs.add(bad=bad)
        if self._pairs.is_raised:
            self._raise_alarm("too many of its answers differ")

    def _raise_alarm(self, reason: str) -> None:
        """Send nobody there from now on; the others hear of it within a second."""
        self._alarm = self._alarm or reason
        self._alarmed.set()

    # -- what is decided -------------------------------------------------------------------------

    @asynccontextmanager
    async def conducting(self) -> AsyncIterator[None]:
        """Look, add and decide while the context lasts. Raises DatabaseUnavailable.

        Nobody is asked before the state is known: a candidate may come first by default.
        """
        await self.step()
        task = asyncio.create_task(self._conduct(), name="routing canary")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _conduct(self) -> None:
        while True:
            try:
                await self.step()
            except DatabaseUnavailable:
                _log.warning("the state of the canary cannot be read")
            except Exception:  # noqa: BLE001 - the next step may do better
                _log.exception("a step of the canary failed")
            try:
                await asyncio.wait_for(self._alarmed.wait(), CANARY_EVERY_S)
            except TimeoutError:
                continue
            # Where the step after an alarm fails, the alarm stands; it must not spin on it.
            self._alarmed.clear()

    async def step(self) -> None:
        """Read the state, add what was seen, and decide. Raises DatabaseUnavailable."""
        self._see(await self._store.canary())
        canary = self._canary
        if canary is None or not canary.is_under_way:
            return
        counts, self._counts = self._counts, Counter()
        try:
            await self._store.add(canary, counts)
        except DatabaseUnavailable:
            self._counts.update(counts)
            raise
        now_s = self._utc_s()
        if self._alarm is not None:
            after: Canary | None = ended(canary, CanaryStatus.ROLLED_BACK, self._alarm, now_s)
        else:
            after = decided(canary, _tally(await self._store.counts(canary)), now_s)
        if after is not None and await self._store.move(after):
            _log.warning("canary: %s is %s: %s", after.candidate, after.status, after.reason)
            self._see(after)

    def _see(self, canary: Canary | None) -> None:
        before, self._canary = self._canary, canary
        self._seen_at_s = self._clock()
        if _stage(before) != _stage(canary):
            self._counts = Counter()
            self._pairs, self._failures, self._usual = Alarm(), Alarm(), Recent()
            self._alarm = None


def _stage(canary: Canary | None) -> object:
    return None if canary is None else (canary.run, canary.status, canary.stage)


def _is_failure(raised: BaseException | None) -> bool | None:
    """Whether an attempt failed; None for a refusal, or what was given up: they tell nothing."""
    if raised is None:
        return False
    return True if isinstance(raised, ProviderError | AttemptTimedOut) else None


def _tally(counts: Mapping[str, int]) -> Tally:
    def of(name: str) -> int:
        return counts.get(name, 0)

    def latencies(side: str) -> Latencies:
        return Latencies(tuple(of(f"{side}_within_{index}") for index in range(BUCKETS)))

    return Tally(
        pairs=of("pairs"),
        pairs_bad=of("pairs_bad"),
        calls=of(f"{_NEW}_calls"),
        failures=of(f"{_NEW}_failures"),
        baseline_calls=of(f"{_OLD}_calls"),
        baseline_failures=of(f"{_OLD}_failures"),
        latencies=latencies(_NEW),
        baseline_latencies=latencies(_OLD),
    )
