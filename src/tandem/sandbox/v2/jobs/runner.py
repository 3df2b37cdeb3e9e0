"""Works on jobs, one item after another, and says when one has ended."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog

from tandem.sandbox import limits
from tandem.sandbox.problems import ApiProblem, Code
from tandem.sandbox.v2.compute import RouteComputer
from tandem.sandbox.v2.jobs.book import OPEN, Job, JobBook, JobStatus
from tandem.sandbox.v2.requests import ComputeRequest
from tandem.sandbox.v2.survey import Surveyor
from tandem.sandbox.v2.surveys import MatrixRequest

_BUSY = frozenset({Code.OVERLOADED, Code.MAINTENANCE})
_log = structlog.get_logger(__name__)


class JobRunner:
    """Computes what jobs ask for; `ended` is told of each that is done."""

    def __init__(
        self,
        book: JobBook,
        computer: RouteComputer,
        surveyor: Surveyor,
        ended: Callable[[Job], None],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._book = book
        self._computer = computer
        self._surveyor = surveyor
        self._ended = ended
        self._sleep = sleep
        self._waiting: asyncio.Queue[Job] = asyncio.Queue()
        self.may_work = asyncio.Event()
        self.may_work.set()

    def add(self, job: Job) -> None:
        """Work on a job after those that came before it; the book bounds how many are open."""
        self._waiting.put_nowait(job)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work while the context lasts."""
        task = asyncio.create_task(self._run(), name="sandbox jobs")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            job = await self._waiting.get()
            await self.may_work.wait()
            try:
                await self._work(job)
            except Exception as error:  # noqa: BLE001 - the next job may do better
                _log.error("a job failed", exc_info=error)
                self._book.end(job, JobStatus.FAILED)
            if job.status is not JobStatus.CANCELLED:
                self._ended(job)

    async def _work(self, job: Job) -> None:
        costs = job.submitted.credits_of()
        items: Sequence[ComputeRequest | MatrixRequest] = job.submitted.items
        for index, item in enumerate(items):
            if job.status not in OPEN:
                job.account.credits.give_back(sum(costs[index:]))
                return
            job.status = JobStatus.RUNNING
            result = await self._item(item)
            if "error" in result:
                job.failures += 1
                job.account.credits.give_back(costs[index])
            job.results.append({"index": index, **result})
        self._book.end(job, _end_of(job))

    async def _item(self, item: ComputeRequest | MatrixRequest) -> dict[str, Any]:
        while True:
            try:
                return await self._computed(item)
            except ApiProblem as problem:
                if problem.code in _BUSY:  # a job has time
                    await self._sleep(limits.OVERLOADED_RETRY_S)
                    continue
                return {"status": "error", "error": problem.members()}

    async def _computed(self, item: ComputeRequest | MatrixRequest) -> dict[str, Any]:
        if isinstance(item, MatrixRequest):
            matrix = await self._surveyor.matrix(item)
            told = matrix.model_dump(mode="json", exclude_none=True)
            return {"status": "ok", "matrix": told}
        answer = await self._computer.compute(item)
        return {"status": "ok", "route": answer.routes[0].model_dump(mode="json")}


def _end_of(job: Job) -> JobStatus:
    if not job.failures:
        return JobStatus.SUCCEEDED
    every = job.failures == len(job.submitted.items)
    return JobStatus.FAILED if every else JobStatus.PARTIALLY_FAILED
