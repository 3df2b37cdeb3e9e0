"""The change feed over HTTP: long polls, and server-sent events.

An event's `id` is the record's position, so that a browser's `Last-Event-ID` resumes. A stream ends
with an `end` event that says why; one whose consumer takes nothing is just cut off.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query
from pydantic import BaseModel, ConfigDict, TypeAdapter
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from tandem.ledger import api
from tandem.ledger.core.limits import (
    FEED_HEARTBEAT_MS,
    FEED_PAGE_SIZE,
    FEED_RETRY_MS,
    FEED_STALL_MS,
    MAX_FEED_STREAMS,
)
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused
from tandem.ledger.feed import start_position
from tandem.ledger.http.answers import answer
from tandem.ledger.local import LocalLedger

MEDIA_TYPE: Final = "text/event-stream"
_RECORD: Final = TypeAdapter(api.Record)
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class StreamFrom(BaseModel):
    """Where a stream begins."""

    model_config = ConfigDict(extra="forbid")

    after: int = 0


class Slots:
    """How many streams a process has open; one more than it may is refused `overloaded`."""

    def __init__(self, streams_max: int = MAX_FEED_STREAMS) -> None:
        self._streams_max = streams_max
        self._open = 0

    def take(self) -> None:
        """Take a slot; raises `Refused`."""
        if self._open >= self._streams_max:
            detail = f"this process serves at most {self._streams_max} streams"
            raise Refused(Refusal(RefusalCode.OVERLOADED, detail))
        self._open += 1

    def give_back(self) -> None:
        """Give a slot back."""
        self._open -= 1


class EventStream(StreamingResponse):
    """Records as server-sent events, for as long as the consumer keeps up."""

    media_type = MEDIA_TYPE

    def __init__(self, ledger: LocalLedger, after: int, slots: Slots) -> None:
        super().__init__(events(ledger, after), headers=_HEADERS)
        self._slots = slots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream within a slot."""
        self._slots.take()
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._slots.give_back()

    async def stream_response(self, send: Send) -> None:
        """Send each piece within the stall time; the transport holds back who does not read."""

        async def send_in_time(message: Any) -> None:
            async with asyncio.timeout(FEED_STALL_MS / 1000):
                await send(message)

        try:
            await super().stream_response(send_in_time)
        except TimeoutError:
            # Nothing can be said to somebody who does not listen: the connection just ends.
            return


async def events(ledger: LocalLedger, after: int) -> AsyncGenerator[bytes]:
    """Write a ledger's records after a position as events, and a heartbeat where there are none."""
    yield f"retry: {FEED_RETRY_MS}\n\n".encode()
    while True:
        try:
            page = await ledger.changes(
                after=after, wait_ms=FEED_HEARTBEAT_MS, limit=FEED_PAGE_SIZE
            )
        except Refused as error:
            yield _end(error.refusal.code.value)
            return
        if page.items:
            after = page.items[-1].position
            yield b"".join(map(_event, page.items))
        elif ledger.closing:
            yield _end("draining")
            return
        else:
            yield b": heartbeat\n\n"


def _event(record: api.Record) -> bytes:
    body = _RECORD.dump_json(record, exclude_none=True)
    return b"id: %d\nevent: record\ndata: %s\n\n" % (record.position, body)


def _end(reason: str) -> bytes:
    return f"event: end\ndata: {json.dumps({'reason': reason})}\n\n".encode()


def resume_at(after: int, last_event_id: str | None) -> int:
    """Where to go on: after what the consumer had last, or after what its URL says."""
    given: object = after
    if last_event_id is not None:
        given = int(last_event_id) if last_event_id.isdecimal() else last_event_id
    return start_position(given)


LastEventId = Annotated[
    str | None,
    Header(alias="Last-Event-ID", description="The last position received; wins over `after`."),
]


async def asked(
    ledger: LocalLedger,
    given: dict[str, Any],
    accept: str,
    last_event_id: str | None,
    slots: Slots,
) -> Response | None:
    """Answer a listing that asks for the feed, as events or as a long poll; None where it is not.

    `given` is the query as it was sent. The feed is whole: a filter is refused, never ignored.
    """
    if MEDIA_TYPE in accept:
        _refuse_others(given, {"after"})
        return EventStream(ledger, resume_at(given.get("after", 0), last_event_id), slots)
    if given.keys().isdisjoint({"after", "wait_ms"}):
        return None
    _refuse_others(given, {"after", "wait_ms", "limit"})
    return answer(await ledger.changes(**given))


def _refuse_others(given: dict[str, Any], known: set[str]) -> None:
    for name in sorted(given.keys() - known):
        detail = f"the change feed takes no {name}"
        raise Refused(Refusal(RefusalCode.MALFORMED, detail, name))


def add_stream(router: APIRouter, require: Any, ledger: Any, slots: Slots) -> None:
    """Add the stream of a ledger's records."""

    @router.get(
        "/records/stream",
        status_code=200,
        dependencies=[Depends(require("read"))],
        response_class=Response,  # its problems are JSON, whatever the stream is
        response_model=None,
        responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}},
    )
    async def stream_records(
        ledger: Annotated[LocalLedger, Depends(ledger)],
        chosen: Annotated[StreamFrom, Query()],
        last_event_id: LastEventId = None,
    ) -> Response:
        """Stream records in commit order as server-sent events, from a position on."""
        return EventStream(ledger, resume_at(chosen.after, last_event_id), slots)
