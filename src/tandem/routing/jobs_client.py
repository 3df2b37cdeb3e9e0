"""The Python client of routing jobs: many routes or matrices at once.

    async with RoutingJobsClient("http://127.0.0.1:8650", api_key) as jobs:
        job = await jobs.create(requests, key="tuesday")
        await jobs.finished(job.job_id)
        async for item in jobs.results(job.job_id):
            print(item.index, item.result or item.error)

It does not retry; each call can be repeated.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

from pydantic import ValidationError

from tandem.resilience.deadline import Deadline
from tandem.routing.client import read_error
from tandem.routing.domain.errors import BadPayload, InvalidRequest
from tandem.routing.domain.request import MatrixRequest, RouteRequest
from tandem.routing.domain.result import Result
from tandem.routing.exchange import Answer, Exchange
from tandem.routing.jobs.core import FINISHED, JobKind, JobState
from tandem.routing.jobs.items import ItemError, JobResults, Succeeded
from tandem.routing.limits import (
    CLIENT_TIMEOUT_MS,
    DEADLINE_MS_DEFAULT,
    JOB_ITEMS_MAX,
    JOB_STATUS_RETRY_S,
)
from tandem.routing.wire.jobs import Job
from tandem.routing.wire.matrices import MatrixQuestion
from tandem.routing.wire.routes import PlanRequest

PATH: Final = "/v1/routing-jobs"
# A page has to fit into the bound of an answer, with long routes too.
_PAGE_ITEMS: Final = 100
_TAKEN: Final = frozenset({200, 202})


@dataclass(frozen=True, slots=True)
class JobItem:
    """What became of an item: its result, or why there is none."""

    index: int
    result: Result[Any] | None
    error: ItemError | None


class RoutingJobsClient:
    """Jobs over HTTP; an asynchronous context manager.

    Every call raises RoutingError: InvalidRequest where a job makes no sense, is unknown, or its
    key was used for another; AuthFailed and PlanForbidden for the API key; Overloaded where too
    much is waiting; ConnectFailed, ReadTimeout, Truncated, BadPayload, ServerError and GatewayHtml
    where no sane answer came. Each call can be repeated.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeout_ms: int = CLIENT_TIMEOUT_MS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._exchange = Exchange(base_url)
        self._authorization = f"Bearer {api_key}"
        self._timeout_ms = timeout_ms
        self._sleep = sleep

    async def __aenter__(self) -> Self:
        await self._exchange.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._exchange.__aexit__(exc_type, exc_value, traceback)

    async def create(
        self,
        requests: Sequence[RouteRequest] | Sequence[MatrixRequest],
        *,
        key: str,
        callback_url: str | None = None,
        callback_secret: str | None = None,
    ) -> Job:
        """Ask for up to 10,000 routes, or matrices; the same again under the key is the same job.

        `callback_url` is sent a message, signed with `callback_secret`, when the job has ended.
        """
        body: dict[str, Any] = _body(requests)
        if callback_url is not None:
            body |= {"callback_url": callback_url, "callback_secret": callback_secret}
        content = await asyncio.to_thread(lambda: json.dumps(body).encode())
        return _job(await self._ask("POST", "", content, key))

    async def get(self, job_id: str) -> Job:
        """Look at a job."""
        return _job(await self._ask("GET", f"/{quote(job_id, safe='')}"))

    async def cancel(self, job_id: str) -> Job:
        """Cancel what goes on; results that are there stay."""
        return _job(await self._ask("DELETE", f"/{quote(job_id, safe='')}"))

    async def finished(self, job_id: str) -> Job:
        """Wait until a job has ended; bound it by `asyncio.timeout`."""
        while (job := await self.get(job_id)).state not in FINISHED:
            await self._sleep(JOB_STATUS_RETRY_S)
        return job

    async def results(self, job_id: str) -> AsyncIterator[JobItem]:
        """Give the results that are there, in the order of the items."""
        cursor: str | None = None
        while True:
            query = "" if cursor is None else f"&cursor={quote(cursor, safe='')}"
            path = f"/{quote(job_id, safe='')}/results?limit={_PAGE_ITEMS}{query}"
            page = _page(await self._ask("GET", path))
            for item in page.items:
                if isinstance(item, Succeeded):
                    yield JobItem(item.index, item.answer.to_domain(), None)
                else:
                    yield JobItem(item.index, None, item.error)
            # While the job runs there is a cursor for what will come.
            if page.next_cursor is None or not page.items:
                return
            cursor = page.next_cursor

    async def _ask(
        self, method: str, path: str, content: bytes | None = None, key: str | None = None
    ) -> Answer:
        headers = {"Authorization": self._authorization}
        if content is not None:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers["Idempotency-Key"] = key
        answer = await self._exchange.send(
            method,
            PATH + path,
            content,
            headers=headers,
            deadline=Deadline.after_ms(self._timeout_ms),
        )
        if answer.status not in _TAKEN:
            raise read_error(answer)
        return answer


def _body(requests: Sequence[RouteRequest] | Sequence[MatrixRequest]) -> dict[str, Any]:
    if not 1 <= len(requests) <= JOB_ITEMS_MAX:
        raise InvalidRequest(f"items: a job has 1 to {JOB_ITEMS_MAX}", field="items")
    try:
        items = [_item(request) for request in requests]
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise InvalidRequest(f"items: {first['msg']}", field="items") from error
    kinds = {kind.value for kind, _ in items}
    if len(kinds) > 1:
        raise InvalidRequest("items: a job is of routes, or of matrices", field="items")
    return {"kind": kinds.pop(), "items": [item for _, item in items]}


def _item(request: RouteRequest | MatrixRequest) -> tuple[JobKind, dict[str, Any]]:
    # A job has its own time: what is said of a deadline is left aside.
    if isinstance(request, RouteRequest):
        planned = PlanRequest.of(request, DEADLINE_MS_DEFAULT)
        return JobKind.ROUTES, planned.model_dump(mode="json")
    asked = MatrixQuestion.of(request, DEADLINE_MS_DEFAULT)
    return JobKind.MATRICES, asked.model_dump(mode="json")


def _job(answer: Answer) -> Job:
    try:
        return Job.model_validate_json(answer.body)
    except ValidationError as error:
        raise BadPayload("the server's answer is not as documented") from error


def _page(answer: Answer) -> JobResults:
    try:
        return JobResults.model_validate_json(answer.body)
    except ValidationError as error:
        raise BadPayload("the server's answer is not as documented") from error


__all__ = ["Job", "JobItem", "JobKind", "JobState", "RoutingJobsClient"]
