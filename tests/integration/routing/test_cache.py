"""The cache over real PostgreSQL: two processes' worth of it, and a database that dies."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry
from tests.support.routing import MARKET, REQUEST, STATION, VirtualClock, sample, soon

from tandem.routing.cache.answers import AnswerCache, Spans, digest
from tandem.routing.cache.kept import CODEC, Kept, KeptAnswer, KeptRefusal
from tandem.routing.cache.lifetime import Age
from tandem.routing.cache.metrics import CacheMetrics
from tandem.routing.domain.answers import Routes
from tandem.routing.domain.area import Area
from tandem.routing.domain.errors import NotSnapped
from tandem.routing.domain.estimate import estimate
from tandem.routing.limits import CACHE_STORE_PAUSE_S, CACHE_VALUE_BYTES_MAX
from tandem.routing.storage.cache.store import CacheStore, open_cache_store

pytestmark = pytest.mark.anyio

_KEY = REQUEST.key()
_AREA = Area.around(REQUEST.places)
_KEPT = KeptAnswer(Routes((estimate(REQUEST),)), "bikemap", ("© Test",), is_primary=True)
_SPANS = Spans(100.0, 50.0, 200.0)


@asynccontextmanager
async def _cache(
    store: CacheStore | None,
    clock: Callable[[], float],
    registry: CollectorRegistry | None = None,
) -> AsyncIterator[AnswerCache[Kept]]:
    metrics = CacheMetrics(registry or CollectorRegistry())
    async with AnswerCache(CODEC, metrics, utc_s=clock, chance=lambda: 0.5, store=store) as cache:
        yield cache


@pytest.fixture
async def store(database_uri: str) -> AsyncIterator[CacheStore]:
    """A store on a fresh database."""
    async with open_cache_store(database_uri) as opened:
        yield opened


async def test_what_one_process_learnt_the_other_knows(store: CacheStore) -> None:
    """An answer comes back equal from the shared tier, with its age; then from memory."""
    clock, registry = VirtualClock(), CollectorRegistry()
    async with _cache(store, clock) as first:
        first.keep(_KEY, _KEPT, _AREA, _SPANS)
    async with _cache(store, clock, registry) as second:
        clock.advance(120)
        found = await second.find(_KEY, soon())
        assert found == (_KEPT, Age.REVALIDATE, 120.0)
        assert second.recall(_KEY) == found
        clock.advance(180)
        assert await second.find(_KEY, soon()) is None
    looks = {"tier": "shared", "outcome": "revalidate"}
    assert sample(registry, "tandem_routing_cache_lookups_total", looks) == 1
    looks = {"tier": "none", "outcome": "miss"}
    assert sample(registry, "tandem_routing_cache_lookups_total", looks) == 1


async def test_refusals_are_kept_too(store: CacheStore) -> None:
    """A no comes back as the same error."""
    clock = VirtualClock()
    no = NotSnapped("too far", field="waypoints", point_index=1)
    async with _cache(store, clock) as first:
        first.keep(_KEY, KeptRefusal.of(no), _AREA, Spans(60.0))
    async with _cache(store, clock) as second:
        found = await second.find(_KEY, soon())
        assert found is not None
        assert isinstance(found.value, KeptRefusal)
        error = found.value.error()
    assert type(error) is NotSnapped
    assert (str(error), error.field, error.point_index) == ("too far", "waypoints", 1)


async def test_an_area_is_purged_everywhere(store: CacheStore) -> None:
    """What touches the area goes, in the other process too; what lies elsewhere stays."""
    clock = VirtualClock()
    elsewhere = Area(0.0, 0.0, 1.0, 1.0)
    async with _cache(store, clock) as first, _cache(store, clock) as second:
        for cache in (first, second):
            cache.keep(_KEY, _KEPT, _AREA, _SPANS)
            cache.keep(("other",), _KEPT, elsewhere, _SPANS)
            await cache._writes.join()
        assert await first.purge(Area.around([MARKET])) == 1
        assert first.recall(_KEY) is None
        await second._follow_purges(store)
        assert second.recall(_KEY) is None
        assert second.recall(("other",)) is not None
        assert await store.find(digest(_KEY), clock()) is None


async def test_an_answer_that_a_purge_overtook_is_not_kept(store: CacheStore) -> None:
    """Asked for before the purge, given after it: it may be old, so it is not kept."""
    clock = VirtualClock()
    async with _cache(store, clock) as first, _cache(store, clock) as second:
        seen = first.purges_seen
        await second.purge(_AREA)
        first.keep(_KEY, _KEPT, _AREA, _SPANS, purges_seen=seen)
        await first._writes.join()
        assert await store.find(digest(_KEY), clock()) is None
        await first._follow_purges(store)
        assert first.recall(_KEY) is None


async def test_a_purge_overtakes_without_a_shared_tier_too() -> None:
    """Memory alone keeps nothing either that was asked for before a purge."""
    async with _cache(None, VirtualClock()) as cache:
        seen = cache.purges_seen
        await cache.purge(_AREA)
        cache.keep(_KEY, _KEPT, _AREA, _SPANS, purges_seen=seen)
        assert cache.recall(_KEY) is None
        cache.keep(_KEY, _KEPT, _AREA, _SPANS)
        assert cache.recall(_KEY) is not None


async def test_memory_keeps_what_is_newer_than_the_shared_tier(store: CacheStore) -> None:
    """What could not be shared is not replaced in memory by what is there from before."""
    clock, chance = VirtualClock(), random.Random(1)
    noise = "".join(chr(chance.randrange(0x4E00, 0x9FFF)) for _ in range(CACHE_VALUE_BYTES_MAX))
    large = replace(_KEPT, attribution=(noise,))
    async with _cache(store, clock) as cache:
        cache.keep(_KEY, _KEPT, _AREA, _SPANS)
        clock.advance(60)
        cache.keep(_KEY, large, _AREA, _SPANS)
        await cache._writes.join()
        clock.advance(120)
        for _ in range(2):
            assert await cache.find(_KEY, soon()) == (large, Age.REVALIDATE, 120.0)


async def test_one_process_fetches_for_all(store: CacheStore) -> None:
    """A lease has one holder until it is given back, or its time is over."""
    clock = VirtualClock()
    async with _cache(store, clock) as first, _cache(store, clock) as second:
        assert await first.lease(_KEY, soon())
        assert not await second.lease(_KEY, soon())
        first.end_lease(_KEY)
        await first._writes.join()
        assert await second.lease(_KEY, soon())
        clock.advance(10)
        assert await first.lease(_KEY, soon())


async def test_sweeping_forgets_what_is_over(store: CacheStore) -> None:
    """Entries past their time are deleted, others are not."""
    clock = VirtualClock()
    async with _cache(store, clock) as cache:
        cache.keep(_KEY, _KEPT, _AREA, Spans(10.0))
        cache.keep(("other",), _KEPT, _AREA, Spans(1_000.0))
        await cache._writes.join()
        assert await store.sweep(clock() + 100) == 1
        assert await store.find(digest(("other",)), clock()) is not None


async def test_a_newer_entry_is_not_replaced_by_an_older(store: CacheStore) -> None:
    """Writes that overtake each other leave the newest."""
    clock = VirtualClock()
    async with _cache(store, clock) as first, _cache(store, VirtualClock(now_s=900)) as second:
        first.keep(_KEY, _KEPT, _AREA, _SPANS)
        await first._writes.join()
        second.keep(_KEY, KeptRefusal("no_route", "no", None, None), _AREA, _SPANS)
        await second._writes.join()
        found = await store.find(digest(_KEY), clock())
    assert found is not None
    assert CODEC.load(found[1]) == _KEPT


async def test_without_the_database_there_is_still_memory(database_uri: str) -> None:
    """A shared tier that is gone costs a little once, and is then left alone for a while."""
    clock, registry = VirtualClock(), CollectorRegistry()
    async with open_cache_store(database_uri) as store, _cache(store, clock, registry) as cache:
        await store._pool.close()
        assert await cache.find(_KEY, soon()) is None
        assert await cache.lease(_KEY, soon())
        cache.keep(_KEY, _KEPT, _AREA, _SPANS)
        assert (await cache.find(_KEY, soon())) is not None
        assert await cache.find(("other",), soon()) is None
        faults = "tandem_routing_cache_store_faults_total"
        assert sample(registry, faults, {}) == 1
        clock.advance(CACHE_STORE_PAUSE_S)
        assert await cache.find(("other",), soon()) is None
        assert sample(registry, faults, {}) >= 2


async def test_a_caller_without_time_is_no_fault_of_the_store(store: CacheStore) -> None:
    """Others still find what is there."""
    clock, registry = VirtualClock(), CollectorRegistry()
    async with _cache(store, clock) as first, _cache(store, clock, registry) as second:
        first.keep(_KEY, _KEPT, _AREA, _SPANS)
        await first._writes.join()
        assert await second.find(_KEY, soon(0)) is None
        assert await second.lease(_KEY, soon(0))
        assert sample(registry, "tandem_routing_cache_store_faults_total", {}) == 0
        assert await second.find(_KEY, soon()) is not None


async def test_foreign_bytes_are_a_miss(store: CacheStore) -> None:
    """What another version wrote is no answer, and no fault."""
    clock = VirtualClock()
    async with _cache(store, clock) as cache:
        cache.keep(_KEY, _KEPT, _AREA, _SPANS)
        await cache._writes.join()
    async with store._pool.connection() as connection:
        await connection.execute("UPDATE routing_cache.entry SET value = '\\xdead'")
    async with _cache(store, clock) as cache:
        assert await cache.find(_KEY, soon()) is None


async def test_a_refusal_of_another_version_is_a_miss(store: CacheStore) -> None:
    """While versions change, a no that this one cannot say is asked for again."""
    clock = VirtualClock()
    async with _cache(store, clock) as newer:
        newer.keep(_KEY, KeptRefusal("not_invented_yet", "no", None, None), _AREA, _SPANS)
    async with _cache(store, clock) as older:
        assert await older.find(_KEY, soon()) is None


async def test_a_full_queue_costs_sharing_not_answers(store: CacheStore) -> None:
    """Beyond the bound answers are kept in memory only."""
    clock, registry = VirtualClock(), CollectorRegistry()
    async with _cache(store, clock, registry) as cache:
        for number in range(300):
            cache.keep((number,), _KEPT, Area.around([STATION]), _SPANS)
        dropped = sample(registry, "tandem_routing_cache_dropped_total", {"reason": "queue_full"})
        assert dropped > 0
        assert all(cache.recall((number,)) for number in range(300))
        await asyncio.wait_for(cache._writes.join(), 10)
