"""How many jobs there are in each state, and for how long the oldest piece of work is due."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from math import nan
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

from tandem.platform.errors import DatabaseUnavailable
from tandem.routing.jobs.core import JobState
from tandem.routing.limits import JOB_COUNT_S
from tandem.routing.storage.jobs.store import JobStore

_log: Final = logging.getLogger(__name__)


class JobMetrics:
    """The gauges of all jobs in the database; not a number while they cannot be counted."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._jobs = Gauge(
            "tandem_routing_jobs", "Routing jobs by state", ("state",), registry=registry
        )
        self._oldest_due_s = Gauge(
            "tandem_routing_jobs_oldest_due_seconds",
            "For how long the oldest piece of work that is due has been so; 0 where none is",
            registry=registry,
        )

    async def refresh(self, store: JobStore, now: datetime) -> None:
        """Count."""
        counts: dict[JobState, float] = dict.fromkeys(JobState, nan)
        oldest_due_s = nan
        try:
            counts, due_at = await store.census(now)
            oldest_due_s = 0.0 if due_at is None else (now - due_at).total_seconds()
        except DatabaseUnavailable as error:
            _log.warning("routing jobs cannot be counted: %s", error)
        for state in JobState:
            self._jobs.labels(state.value).set(counts.get(state, 0))
        self._oldest_due_s.set(oldest_due_s)


@asynccontextmanager
async def counting(
    store: JobStore, metrics: JobMetrics, now: Callable[[], datetime]
) -> AsyncIterator[None]:
    """Count now and then while the context lasts."""

    async def count() -> None:
        while True:
            await metrics.refresh(store, now())
            await asyncio.sleep(JOB_COUNT_S)

    task = asyncio.create_task(count(), name="job metrics")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
