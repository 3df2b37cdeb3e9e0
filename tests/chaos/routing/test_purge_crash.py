"""A database that crashes between two purges of the cache."""

import asyncio
import os
import signal

import pytest
from prometheus_client import CollectorRegistry
from tests.support.postgres import restart
from tests.support.routing import REQUEST, VirtualClock

from tandem.platform.embedded import EmbeddedPostgres
from tandem.routing.cache.answers import AnswerCache, Spans
from tandem.routing.cache.kept import CODEC, Kept, KeptRefusal
from tandem.routing.cache.metrics import CacheMetrics
from tandem.routing.domain.area import Area
from tandem.routing.storage.cache.store import open_cache_store

pytestmark = pytest.mark.anyio

_ELSEWHERE = Area(0.0, 0.0, 1.0, 1.0)
_AREA = Area.around(REQUEST.places)


async def test_a_purge_after_a_crash_is_heard(own_postgres: EmbeddedPostgres) -> None:
    """Purges are numbered on from before, so that who has seen those sees the next one too."""
    uri, pid = own_postgres.uri("postgres"), own_postgres.postmaster_pid
    assert pid is not None
    metrics = CacheMetrics(CollectorRegistry())
    cache: AnswerCache[Kept] = AnswerCache(
        CODEC, metrics, utc_s=VirtualClock(), chance=lambda: 0.5, store=None
    )
    async with open_cache_store(uri) as store:
        for _ in range(3):
            await store.purge(_ELSEWHERE)
        await cache._follow_purges(store)
    os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(restart, own_postgres, pid)
    cache.keep(("key",), KeptRefusal("no_route", "no", None, None), _AREA, Spans(100.0))
    async with open_cache_store(uri) as store:
        await store.purge(_AREA)
        await cache._follow_purges(store)
    assert cache.recall(("key",)) is None
