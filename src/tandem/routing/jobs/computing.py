"""Works off chunks: asks our own gateway for each item, and keeps what came of it, once."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import batched
from typing import Any, Final, Protocol
from uuid import UUID

from tandem.resilience.backoff import Chance
from tandem.resilience.caller import CALLER, Caller, Partition
from tandem.resilience.deadline import Deadline
from tandem.routing import limits
from tandem.routing.domain.errors import NoneAnswered, RoutingError
from tandem.routing.domain.request import MatrixRequest, RouteRequest
from tandem.routing.domain.result import Result
from tandem.routing.jobs.core import JobState, chunk_bounds, end_of, round_pause_s, settles
from tandem.routing.jobs.items import failed, read_item, succeeded
from tandem.routing.jobs.pace import Pace
from tandem.routing.storage.jobs.store import ChunkRow, JobStore, ResultRow

_log: Final = logging.getLogger(__name__)


class Ask(Protocol):
    """What the gateway is to a job."""

    async def __call__(
        self, request: RouteRequest | MatrixRequest, deadline: Deadline
    ) -> Result[Any]:
        """Answer before the deadline, for the caller of the context, or raise RoutingError."""
        ...


class Computer:
    """Computes chunks."""

    def __init__(
        self, store: JobStore, ask: Ask, now: Callable[[], datetime], chance: Chance
    ) -> None:
        self._store = store
        self._ask = ask
        self._now = now
        self._chance = chance
        self._pace = Pace()

    async def work(self, job_id: UUID, number: int) -> None:
        """Compute what is open of a chunk, and end its job if it was the last.

        A crash at any step leaves the chunk due; what has its result is not computed again.
        """
        chunk = await self._store.chunk(job_id, number, self._now())
        if chunk is None:
            return
        await self._store.move(job_id, JobState.RUNNING, self._now())
        items: Sequence[tuple[int, str]] = await self._store.open_items(
            job_id, *chunk_bounds(number)
        )
        for _ in range(limits.JOB_TRIES):
            items = await self._compute_all(job_id, chunk, items)
        if items:
            pause = timedelta(seconds=round_pause_s(chunk.rounds + 1, self._chance))
            await self._store.defer_chunk(job_id, number, chunk.rounds, self._now() + pause)
            return
        await end_if_complete(self._store, job_id, self._now())
        await self._store.end_chunk(job_id, number)

    async def _compute_all(
        self, job_id: UUID, chunk: ChunkRow, items: Sequence[tuple[int, str]]
    ) -> list[tuple[int, str]]:
        """Compute items and keep what came of them; return those that are to be tried again."""
        left = []
        for wave in batched(items, limits.JOB_WAVE_ITEMS):
            outcomes = await asyncio.gather(*(self._paced(chunk, *item) for item in wave))
            settled = [outcome for outcome in outcomes if outcome is not None]
            if settled:
                await self._store.keep_results(job_id, settled)
            left += [item for item, outcome in zip(wave, outcomes, strict=True) if outcome is None]
        return left

    async def _paced(self, chunk: ChunkRow, index: int, stored: str) -> ResultRow | None:
        async with self._pace.place() as learn:
            outcome = await self._compute(chunk, index, stored)
            learn(outcome is not None)
        return outcome

    async def _compute(self, chunk: ChunkRow, index: int, stored: str) -> ResultRow | None:
        """Return what came of an item; None where it is to be tried again."""
        deadline = Deadline.after_ms(limits.JOB_ITEM_DEADLINE_MS)
        CALLER.set(Caller(Partition.BATCH, chunk.tenant))  # the context is this task's own
        try:
            item = read_item(chunk.kind, stored)
            result = await self._ask(item.to_domain(), deadline)
        except RoutingError as error:
            return failed(index, error) if settles(error, chunk.rounds) else None
        except Exception:  # noqa: BLE001 - one item must not repeat its whole chunk for ever
            _log.exception("item %d of a routing job met a fault", index)
            fault = NoneAnswered("the item met a fault")
            return failed(index, fault) if settles(fault, chunk.rounds) else None
        if not settles(result.freshness, chunk.rounds):
            return None
        return succeeded(index, item, result)


async def end_if_complete(store: JobStore, job_id: UUID, now: datetime) -> bool:
    """End a job whose every item has its result; tell whether they have."""
    # Results are never taken back, so what is complete when counted is complete when it ends.
    end = end_of(await store.counts(job_id))
    if end is not None:
        await store.move(job_id, end, now)
    return end is not None
