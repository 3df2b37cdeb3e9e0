"""A provider that can do only so much at a time: a queue in front of the sandbox."""

import asyncio
import time
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from bench.routing.stage import COMPUTE_PATH


class Bottleneck:
    """Lets calls for routes through one after the other where it is told how long each takes.

    As with most servers, what has come in is worked off in order, and whether its client still
    waits makes no difference: how retries keep a provider down that is up again.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app: Final = app
        self._free_at_s = [0.0]
        self._service_s = 0.0
        self._up = asyncio.Event()
        self._up.set()
        self.waiting = 0

    def narrow(self, per_second: float, servers: int = 1) -> None:
        """Serve so many a second from now on, this many at a time."""
        self._service_s = servers / per_second
        self._free_at_s = [0.0] * servers

    def widen(self) -> None:
        """Serve whatever comes at once."""
        self._service_s = 0.0
        self.resume()

    def pause(self) -> None:
        """Take everything in, and answer nothing until resumed."""
        self._up.clear()

    def resume(self) -> None:
        """Work off what has come in."""
        self._up.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["path"] == COMPUTE_PATH and self._service_s:
            self.waiting += 1
            try:
                await self._turn()
            finally:
                self.waiting -= 1
        await self._app(scope, receive, send)

    async def _turn(self) -> None:
        await self._up.wait()
        now_s = time.monotonic()
        first = min(range(len(self._free_at_s)), key=self._free_at_s.__getitem__)
        done_s = max(now_s, self._free_at_s[first]) + self._service_s
        self._free_at_s[first] = done_s
        await asyncio.sleep(done_s - now_s)
