"""The cache of answers: this process's memory before a tier that all processes share.

The shared tier is a help and never a need. It is given little time, left alone for a while when it
fails, and written to after the answer was given.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, NamedTuple, Self
from uuid import uuid4

from tandem.platform.errors import DatabaseUnavailable
from tandem.resilience.backoff import Chance
from tandem.resilience.deadline import Clock, Deadline
from tandem.resilience.single_flight import SingleFlight
from tandem.routing import limits
from tandem.routing.cache.aging import AgingStore
from tandem.routing.cache.lifetime import Age, Lifetime
from tandem.routing.cache.metrics import CacheMetrics
from tandem.routing.domain.area import Area
from tandem.routing.storage.cache.store import CacheStore

_FORMAT: Final = "1"  # begins what digests are made of: another form of values has other keys
_log: Final = logging.getLogger(__name__)


class Found[V](NamedTuple):
    """What the cache knows of a key."""

    value: V
    age: Age
    age_s: float


@dataclass(frozen=True, slots=True)
class Spans:
    """For how long a value may be used for what, in seconds; the last two after the first."""

    fresh_s: float
    revalidate_s: float = 0.0
    on_error_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Codec[V]:
    """How values become bytes; `load` raises ValueError where they are no such value."""

    dump: Callable[[V], bytes]
    load: Callable[[bytes], V]


@dataclass(frozen=True, slots=True)
class _Entry[V]:
    value: V
    area: Area
    lifetime: Lifetime


type _Deed = Callable[[CacheStore], Awaitable[None]]


def digest(key: Hashable) -> bytes:
    """Return 32 bytes that stand for a key in the shared tier, equal in every process."""
    return hashlib.sha256(f"{_FORMAT}{key!r}".encode()).digest()


class AnswerCache[V]:
    """Two tiers as one; an asynchronous context manager. Without a store it is memory alone."""

    def __init__(
        self,
        codec: Codec[V],
        metrics: CacheMetrics,
        *,
        utc_s: Callable[[], float],
        chance: Chance,
        store: CacheStore | None = None,
        entries_max: int = limits.CACHE_ENTRIES_MAX,
    ) -> None:
        self._codec = codec
        self._metrics = metrics
        self._utc_s = utc_s
        self._chance = chance
        self._store = store
        self._memory: AgingStore[Hashable, _Entry[V]] = AgingStore(entries_max)
        self._writes: asyncio.Queue[_Deed] = asyncio.Queue(limits.CACHE_WRITES_MAX)
        self._lookups: SingleFlight[Hashable, Found[V] | None] = SingleFlight()
        self._purges_seen = 0
        self._paused_until_s = float("-inf")
        self._holder = uuid4()
        self._tasks: list[asyncio.Task[None]] = []
        self.on_purged: Callable[[Area], None] = lambda _area: None
        """Told of each area that is purged, here or by another process."""
        metrics.entries.set_function(lambda: len(self._memory))

    async def __aenter__(self) -> Self:
        if self._store is not None:
            with suppress(DatabaseUnavailable):
                self._purges_seen = await self._store.last_purge()
            self._tasks = [
                asyncio.create_task(self._write_on(self._store), name="routing cache writes"),
                asyncio.create_task(self._keep_up(self._store), name="routing cache upkeep"),
            ]
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._tasks:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._writes.join(), limits.CACHE_DRAIN_TIMEOUT_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- looking and keeping -------------------------------------------------------------------

    def recall(self, key: Hashable) -> Found[V] | None:
        """Look into memory only."""
        now_s = self._utc_s()
        known = self._memory.get(key, now_s)
        if known is None:
            return None
        entry, _ = known
        found = _found(entry, now_s)
        if found.age is Age.OVER:
            self._memory.discard(key)
            return None
        return found

    def fresh_left_s(self, key: Hashable) -> float | None:
        """Return for how long what memory knows stays fresh, below 0 if stale; None: nothing."""
        now_s = self._utc_s()
        known = self._memory.get(key, now_s)
        return None if known is None else known[0].lifetime.fresh_until_s - now_s

    async def find(self, key: Hashable, deadline: Deadline) -> Found[V] | None:
        """Look into memory, and where it knows nothing fresh, into the shared tier."""
        here = self.recall(key)
        if here is not None and here.age is Age.FRESH:
            return self._seen("memory", here)
        shared = await self._find_shared(key, deadline)
        if shared is not None and (here is None or shared.age_s < here.age_s):
            return self._seen("shared", shared)
        if here is None:
            self._metrics.lookups.labels("none", "miss").inc()
            return None
        return self._seen("memory", here)

    def keep(
        self, key: Hashable, value: V, area: Area, spans: Spans, *, purges_seen: int | None = None
    ) -> None:
        """Keep a value in memory at once and in the shared tier soon.

        `purges_seen` is that of the moment when the value was asked for: what an area's purge
        overtook is not kept.
        """
        seen = self._purges_seen if purges_seen is None else purges_seen
        lifetime = Lifetime.beginning(
            self._utc_s(),
            fresh_s=spans.fresh_s,
            revalidate_s=spans.revalidate_s,
            on_error_s=spans.on_error_s,
            chance=self._chance,
        )
        entry = _Entry(value, area, lifetime)
        if seen == self._purges_seen:
            self._memory.put(key, entry, lifetime.stored_s)
        if self._store is not None:
            self._do_later(lambda store: self._write(store, digest(key), entry, seen))

    @property
    def purges_seen(self) -> int:
        """The number of the last purge that this process knows of."""
        return self._purges_seen

    async def purge(self, area: Area) -> int:
        """Forget everything that touches an area, in every process; return how many shared entries.

        Other processes forget theirs within `CACHE_UPKEEP_S`. Raises DatabaseUnavailable.
        """
        self._purge_memory(area)
        if self._store is None:
            self._purges_seen += 1
            return 0
        gone = await self._store.purge(area)
        self._metrics.purged.labels("shared").inc(gone)
        await self._follow_purges(self._store)
        return gone

    # -- one fetch for all processes -----------------------------------------------------------

    async def lease(self, key: Hashable, deadline: Deadline) -> bool:
        """Become the process that fetches a key; True as well where nobody can tell."""
        now_s = self._utc_s()
        if self._store is None or now_s < self._paused_until_s:
            return True
        try:
            async with deadline.sooner_ms(limits.CACHE_STORE_TIMEOUT_MS).scope():
                until_s = now_s + limits.CACHE_LEASE_S
                return await self._store.lease(digest(key), self._holder, now_s, until_s)
        except DatabaseUnavailable:
            self._pause()
        except TimeoutError:
            if not deadline.expired():  # a caller without time tells nothing of the store
                self._pause()
        return True

    def end_lease(self, key: Hashable) -> None:
        """Let other processes fetch the key, after what was kept before is written."""
        if self._store is not None:
            self._do_later(lambda store: store.end_lease(digest(key), self._holder))

    # -- the shared tier -----------------------------------------------------------------------

    async def _find_shared(self, key: Hashable, deadline: Deadline) -> Found[V] | None:
        """Look once for all who ask now: a crowd must not queue for the few connections."""
        store = self._store
        if store is None or self._utc_s() < self._paused_until_s:
            return None
        with suppress(TimeoutError):  # the caller's own
            async with deadline.scope():
                return await self._lookups.run(key, lambda: self._look(store, key, deadline.clock))
        return None

    async def _look(self, store: CacheStore, key: Hashable, clock: Clock) -> Found[V] | None:
        # Its time begins here, after all of a crowd have asked: that took the loop a while.
        until = Deadline.after_ms(limits.CACHE_STORE_TIMEOUT_MS, clock)
        now_s, seen = self._utc_s(), self._purges_seen
        try:
            async with until.scope():
                row = await store.find(digest(key), now_s)
        except (DatabaseUnavailable, TimeoutError):
            self._pause()
            return None
        if row is None:
            return None
        lifetime, value = row
        try:
            entry = _Entry(self._codec.load(value), _EVERYWHERE, lifetime)
        except ValueError:
            return None  # another version's: as good as none
        if seen == self._purges_seen and not self._knows_newer(key, lifetime):
            self._memory.put(key, entry, lifetime.stored_s)
        return _found(entry, now_s)

    def _knows_newer(self, key: Hashable, lifetime: Lifetime) -> bool:
        """Tell whether memory has something that has not come to the shared tier, or never will."""
        known = self._memory.get(key, lifetime.stored_s)
        return known is not None and known[0].lifetime.stored_s > lifetime.stored_s

    def _do_later(self, deed: _Deed) -> None:
        try:
            self._writes.put_nowait(deed)
        except asyncio.QueueFull:
            self._metrics.dropped.labels("queue_full").inc()

    async def _write_on(self, store: CacheStore) -> None:
        while True:
            deed = await self._writes.get()
            try:
                await deed(store)
            except DatabaseUnavailable:
                self._metrics.dropped.labels("unavailable").inc()
                self._pause()
            except Exception:  # noqa: BLE001 - the next entry may do better
                _log.exception("an answer could not be written to the shared cache")
            finally:
                self._writes.task_done()

    async def _write(self, store: CacheStore, key: bytes, entry: _Entry[V], seen: int) -> None:
        value = self._codec.dump(entry.value)
        if len(value) > limits.CACHE_VALUE_BYTES_MAX:
            self._metrics.dropped.labels("too_large").inc()
            return
        await store.keep(key, entry.area, entry.lifetime, value, purges_seen=seen)

    async def _keep_up(self, store: CacheStore) -> None:
        """Follow other processes' purges, and forget what is over."""
        while True:
            try:
                await self._follow_purges(store)
                await store.sweep(self._utc_s())
            except DatabaseUnavailable:
                self._pause()
            except Exception:  # noqa: BLE001 - upkeep goes on
                _log.exception("the upkeep of the shared cache failed")
            await asyncio.sleep(limits.CACHE_UPKEEP_S)

    async def _follow_purges(self, store: CacheStore) -> None:
        while purges := await store.purges(self._purges_seen):
            for number, area in purges:
                self._purges_seen = max(self._purges_seen, number)
                self._purge_memory(area)

    def _purge_memory(self, area: Area) -> None:
        self.on_purged(area)
        gone = self._memory.discard_where(lambda entry: entry.area.touches(area))
        self._metrics.purged.labels("memory").inc(gone)

    def _pause(self) -> None:
        self._metrics.store_faults.inc()
        self._paused_until_s = self._utc_s() + limits.CACHE_STORE_PAUSE_S

    def _seen(self, tier: str, found: Found[V]) -> Found[V]:
        self._metrics.lookups.labels(tier, found.age.value).inc()
        return found


# What came from the shared tier has no area with it, so that every purge forgets it.
_EVERYWHERE: Final = Area(-180.0, -90.0, 180.0, 90.0)


def _found[V](entry: _Entry[V], now_s: float) -> Found[V]:
    return Found(entry.value, entry.lifetime.age(now_s), entry.lifetime.age_s(now_s))
