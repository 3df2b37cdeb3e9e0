"""Serve an ASGI application from this process and its event loop.

One process: a `kill -9` leaves nothing behind, and nothing of ours runs in a place that signals do
not reach. The caller runs the application's lifespan, so that its errors are the caller's.
"""

import asyncio
import socket
from typing import Final, Self

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server
from starlette.types import ASGIApp, Receive, Scope, Send

from tandem.platform.errors import ProcessError
from tandem.platform.limits import (
    HTTP_BACKLOG,
    HTTP_CONCURRENT_REQUESTS_MAX,
    HTTP_CUT_OFF_TIMEOUT_S,
    HTTP_DRAIN_TIMEOUT_S,
    HTTP_LISTEN_TIMEOUT_S,
    PROCESS_POLL_S,
)
from tandem.platform.processes import free_port

# Its own lines about its start and end would only double ours.
_SERVER_LOG: Final = {"loggers": {"_granian": {"propagate": True}}}


class HttpServer:
    """Listens between entry and exit; exit takes no new work and lets running requests end."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str,
        port: int,
        drain_timeout_s: float = HTTP_DRAIN_TIMEOUT_S,
    ) -> None:
        self._app = app
        self._host = host
        self._drain_timeout_s = drain_timeout_s
        self._port = port or free_port(host)
        self._requests: set[asyncio.Task[None]] = set()
        self._cutting_off = False
        self._server = Server(
            self._track,
            address=host,
            port=self._port,
            interface=Interfaces.ASGINL,
            websockets=False,
            backlog=HTTP_BACKLOG,
            backpressure=HTTP_CONCURRENT_REQUESTS_MAX,
            log_level=LogLevels.error,
            log_dictconfig=_SERVER_LOG,
        )
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The base URL, without a final slash."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    async def wait(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set. Raises ProcessError where the server ends before."""
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({stopped, self._running()}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        if not stop.is_set():
            raise ProcessError("the HTTP server ended by itself")

    async def __aenter__(self) -> Self:
        self._refuse_taken_port()
        self._task = asyncio.create_task(self._server.serve())
        try:
            async with asyncio.timeout(HTTP_LISTEN_TIMEOUT_S):
                await self._await_listening(self._task)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        task = self._running()
        self._server.stop()  # type: ignore[no-untyped-call]  # granian leaves it untyped
        done, _pending = await asyncio.wait({task}, timeout=self._drain_timeout_s)
        if not done:
            # The server waits for its requests; it is they that must end.
            self._cutting_off = True
            for request in self._requests:
                request.cancel()
            done, _pending = await asyncio.wait({task}, timeout=HTTP_CUT_OFF_TIMEOUT_S)
        if not done:
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _track(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = asyncio.current_task()
        assert request is not None  # noqa: S101 - the server runs each request as a task
        self._requests.add(request)
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            # Ours is no error of the application's; the client gets a 500 or half an answer.
            if not self._cutting_off:
                raise
        finally:
            self._requests.discard(request)

    def _running(self) -> asyncio.Task[None]:
        if self._task is None:
            raise ProcessError("the HTTP server was not started")
        return self._task

    def _refuse_taken_port(self) -> None:
        # The server shares a port with others that do so too; two of ours must not by mistake.
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self._host, self._port))
            except OSError as error:
                raise ProcessError(f"cannot listen on {self.url}: {error.strerror}") from error

    async def _await_listening(self, task: asyncio.Task[None]) -> None:
        while not await self._accepts():
            if task.done():
                raise ProcessError(f"cannot listen on {self.url}")
            await asyncio.sleep(PROCESS_POLL_S)

    async def _accepts(self) -> bool:
        try:
            _reader, writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            return False
        writer.close()
        return True
