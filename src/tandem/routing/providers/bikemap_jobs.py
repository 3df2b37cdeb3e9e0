"""Bikemap's jobs, version 2: many routes handed over at once, looked at and fetched later."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import TracebackType
from typing import Annotated, Any, Final, Self
from urllib.parse import quote

from pydantic import Field

from tandem.platform.secrets import LiveSecrets
from tandem.resilience.deadline import Clock, Deadline
from tandem.routing.domain.answers import Routes
from tandem.routing.domain.errors import InvalidRequest, RoutingError
from tandem.routing.domain.request import RouteRequest
from tandem.routing.exchange import Answer, Exchange
from tandem.routing.limits import (
    PROVIDER_CURSOR_CHARS_MAX,
    PROVIDER_JOB_ID_CHARS_MAX,
    PROVIDER_PAGE_ITEMS_MAX,
)
from tandem.routing.providers import bikemap_v2_mapping as mapping
from tandem.routing.providers.bikemap_v2 import API_VERSION, TOKEN_PATH, compute_body, read_answer
from tandem.routing.providers.credentials import Credentials
from tandem.routing.providers.guard import Foreign, parse
from tandem.routing.providers.oauth import TokenSource
from tandem.routing.providers.status import wait_s

JOBS_PATH: Final = "/v2/jobs"
_ACCEPTED: Final = frozenset({200, 202})
_OK: Final = 200
_UNAUTHORIZED: Final = 401
_GONE: Final = frozenset({404, 410})
_ENDED: Final = frozenset({200, 202, 204, 404, 409, 410})


class RemoteState(StrEnum):
    """Where a job of theirs is; what they may add later counts as going on."""

    RUNNING = "running"
    DONE = "done"
    """There are results, of all items or of some."""
    LOST = "lost"
    """There are none, and there will be none."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A job of theirs; `hint_s` is when they wish to be asked again."""

    remote_id: str
    state: RemoteState
    hint_s: float | None


@dataclass(frozen=True, slots=True)
class RemoteItem:
    """What came of an item; `said` is read once it is known what was asked."""

    index: int
    said: Answer


@dataclass(frozen=True, slots=True)
class RemotePage:
    """Some items; no cursor: the last of them."""

    items: tuple[RemoteItem, ...]
    next_cursor: str | None


class _Job(Foreign):
    id: Annotated[
        str, Field(min_length=1, max_length=PROVIDER_JOB_ID_CHARS_MAX, pattern=r"^[A-Za-z0-9_.-]+$")
    ]
    status: str


class _Item(Foreign):
    index: Annotated[int, Field(ge=0)]
    route: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


class _Page(Foreign):
    items: Annotated[tuple[_Item, ...], Field(max_length=PROVIDER_PAGE_ITEMS_MAX)]
    next_cursor: Annotated[str, Field(max_length=PROVIDER_CURSOR_CHARS_MAX)] | None = None
    attribution: tuple[str, ...] = ()


_STATES: Final = {
    "succeeded": RemoteState.DONE,
    "partially_failed": RemoteState.DONE,
    "failed": RemoteState.DONE,
    "cancelled": RemoteState.LOST,
    "expired": RemoteState.LOST,
}


class BikemapJobs:
    """Their jobs; an asynchronous context manager. `base_url` is without the `/v2`.

    Every call raises RoutingError where they refuse or fail.
    """

    name = "bikemap"

    def __init__(
        self, base_url: str, client_id: str, client_secrets: LiveSecrets, clock: Clock
    ) -> None:
        self._exchange = Exchange(base_url)
        self.credentials: Final = Credentials(self.name, client_secrets, clock)
        self._tokens = TokenSource(self._exchange, TOKEN_PATH, client_id, self.credentials, clock)

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

    async def submit(
        self,
        requests: Sequence[RouteRequest],
        key: str,
        callback_url: str | None,
        deadline: Deadline,
    ) -> Seen:
        """Hand a job over; the same again under the same key is the same job."""
        body = {"kind": "batch-route", "items": [compute_body(request) for request in requests]}
        if callback_url is not None:
            body["callback_url"] = callback_url
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        answer = await self._ask("POST", "", deadline, json.dumps(body).encode(), headers)
        if answer.status not in _ACCEPTED:
            raise _refused(answer)
        return _seen(answer)

    async def look(self, remote_id: str, deadline: Deadline) -> Seen:
        """Say where a job is."""
        answer = await self._ask("GET", f"/{quote(remote_id, safe='')}", deadline)
        if answer.status in _GONE:
            return Seen(remote_id, RemoteState.LOST, None)
        if answer.status != _OK:
            raise _refused(answer)
        return _seen(answer)

    async def results(
        self, remote_id: str, cursor: str | None, deadline: Deadline
    ) -> RemotePage | None:
        """Fetch results, from a cursor on; None where they are kept no longer."""
        query = "" if cursor is None else f"?cursor={quote(cursor, safe='')}"
        path = f"/{quote(remote_id, safe='')}/results{query}"
        answer = await self._ask("GET", path, deadline)
        if answer.status in _GONE:
            return None
        if answer.status != _OK:
            raise _refused(answer)
        page = parse(answer, _Page)
        items = tuple(_item(item, page, answer) for item in page.items)
        return RemotePage(items, page.next_cursor)

    async def cancel(self, remote_id: str, deadline: Deadline) -> None:
        """End a job; it may have ended already."""
        answer = await self._ask("DELETE", f"/{quote(remote_id, safe='')}", deadline)
        if answer.status not in _ENDED:
            raise _refused(answer)

    async def _ask(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Ask with a token; one that is refused is renewed once."""
        token = await self._tokens.token(deadline)
        answer = await self._send(method, path, deadline, content, headers or {}, token)
        if answer.status == _UNAUTHORIZED:
            token = await self._tokens.token(deadline, refused=token)
            answer = await self._send(method, path, deadline, content, headers or {}, token)
        return answer

    async def _send(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        content: bytes | None,
        headers: dict[str, str],
        token: str,
    ) -> Answer:
        ours = {"Authorization": f"Bearer {token}", "Bikemap-Version": API_VERSION}
        return await self._exchange.send(
            method, JOBS_PATH + path, content, headers={**headers, **ours}, deadline=deadline
        )


def read_remote(item: RemoteItem, request: RouteRequest) -> Routes:
    """Read what came of an item as if it had been asked for alone. Raises RoutingError."""
    return read_answer(item.said, request)


def _item(item: _Item, page: _Page, whole: Answer) -> RemoteItem:
    said: dict[str, Any] = item.error or {}
    if item.route is not None:
        said = {"routes": [item.route], "attribution": page.attribution}
    return RemoteItem(item.index, replace(whole, body=json.dumps(said).encode()))


def _seen(answer: Answer) -> Seen:
    job = parse(answer, _Job)
    return Seen(job.id, _STATES.get(job.status, RemoteState.RUNNING), wait_s(answer))


def _refused(answer: Answer) -> RoutingError:
    """Name what they answered instead of doing it."""
    try:
        mapping.read_routes(answer)
    except RoutingError as error:
        return error
    return InvalidRequest(f"the provider answered {answer.status}")
