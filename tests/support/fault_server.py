"""An HTTP server on a real socket that answers as it is told, right or wrong.

A server that does not answer waits for an event or for the end of the test; only the drip has a
pace, because a slow peer is what it is.
"""

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Self

_REASON = "As Told"
_DRIP_PAUSE_S = 0.02


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came in; header names are in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer.

    `cut`: send only so many bytes of the body and close. `no_length`: say no length, so that the
    end of the connection is the end of the body. `wait_for`: answer only after it is set.
    `drip_bytes`: send the body in pieces of so many bytes, slowly.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    no_length: bool = False
    wait_for: asyncio.Event | None = None
    drip_bytes: int | None = None


type Script = Callable[[Seen], Reply]


def json_reply(status: int, content: Any, **headers: str) -> Reply:
    """Answer JSON; underscores in header names stand for hyphens."""
    media_type = "application/json" if status < 400 else "application/problem+json"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps(content).encode(), {"Content-Type": media_type, **named})


def html_reply(status: int) -> Reply:
    """Answer as a gateway does that speaks to people."""
    return Reply(status, b"<html><h1>Bad Gateway</h1></html>", {"Content-Type": "text/html"})


def gzipped(reply: Reply) -> Reply:
    """Compress a reply's body."""
    headers = {**reply.headers, "Content-Encoding": "gzip"}
    return replace(reply, body=gzip.compress(reply.body), headers=headers)


class FaultServer:
    """Serves a script; an asynchronous context manager. `seen` has all requests in order."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.seen: list[Seen] = []
        self.connections_now = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The base URL, without a final slash."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def count(self, path: str) -> int:
        """Count the requests to a path."""
        return sum(seen.path == path for seen in self.seen)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # Not in the task: one that is cancelled before it begins closes nothing.
        task.add_done_callback(lambda _task: writer.close())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections_now += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the caller hung up, as callers do
        finally:
            self.connections_now -= 1
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False where the connection ends with it."""
        seen = await _read(reader)
        self.seen.append(seen)
        reply = self.script(seen)
        if reply.wait_for is not None and not await _or_hang_up(reply.wait_for.wait(), reader):
            return False
        writer.write(_head(reply))
        body = reply.body if reply.cut is None else reply.body[: reply.cut]
        step = reply.drip_bytes or max(1, len(body))
        for begin in range(0, len(body), step):
            writer.write(body[begin : begin + step])
            await writer.drain()
            if reply.drip_bytes:
                await asyncio.sleep(_DRIP_PAUSE_S)
        await writer.drain()
        return reply.cut is None and not reply.no_length


async def _read(reader: asyncio.StreamReader) -> Seen:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    request_line, *lines = head.strip().split("\r\n")
    pairs = (line.split(":", 1) for line in lines)
    headers = {name.strip().lower(): value.strip() for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    method, path, _version = request_line.split(" ")
    return Seen(path, headers, body, method)


async def _or_hang_up(wait: Awaitable[Any], reader: asyncio.StreamReader) -> bool:
    """Wait, but no longer than the caller does."""
    waiting = asyncio.ensure_future(wait)
    leaving = asyncio.ensure_future(reader.read(1))
    done, pending = await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    return waiting in done


def _head(reply: Reply) -> bytes:
    headers = dict(reply.headers)
    if reply.no_length:
        headers["Connection"] = "close"
    else:
        headers.setdefault("Content-Length", str(len(reply.body)))
    lines = [f"HTTP/1.1 {reply.status} {_REASON}", *(f"{k}: {v}" for k, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
