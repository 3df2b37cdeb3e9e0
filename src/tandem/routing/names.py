"""Connections to hosts by name, where a resolver that does not answer stalls nothing else.

The event loop looks names up in the few threads that it has for everything, and a look-up cannot be
cancelled: a handful of calls to a host that nobody resolves, and flags are no longer read, jobs no
longer written, and the fallback's name no longer found. Here each host has one look-up of its own
at a time, in a thread of its own, and all who want to connect wait for it no longer than they may.
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import httpcore2

from tandem.routing.limits import CONNECT_ADDRESS_S_MAX

type _Addresses = tuple[str, ...]


class _Stream(httpcore2.AsyncNetworkStream):
    """A connection that is closed where its handshake is given up, which the library forgets."""

    def __init__(self, inner: httpcore2.AsyncNetworkStream) -> None:
        self._inner = inner
        # The rest is the inner one's, without a step between.
        self.read = inner.read  # type: ignore[method-assign]  # as said
        self.write = inner.write  # type: ignore[method-assign]  # as said
        self.aclose = inner.aclose  # type: ignore[method-assign]  # as said
        self.get_extra_info = inner.get_extra_info  # type: ignore[method-assign]  # as said

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
    ) -> httpcore2.AsyncNetworkStream:
        """Begin TLS. Raises the library's errors."""
        try:
            return await self._inner.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            await self._inner.aclose()
            raise


class OwnNames(httpcore2.AsyncNetworkBackend):
    """Connects by address, after having looked the host up; the addresses are tried in order."""

    def __init__(self) -> None:
        self._inner = httpcore2.AnyIOBackend()
        self._lookups: dict[str, asyncio.Future[_Addresses]] = {}

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect; `timeout` (s) is the last address's. Raises the library's errors."""

        async def connect(address: str, seconds: float | None) -> httpcore2.AsyncNetworkStream:
            stream = await self._inner.connect_tcp(
                address,
                port,
                timeout=seconds,
                local_address=local_address,
                socket_options=socket_options,
            )
            return _Stream(stream)

        *others, last = await self._addresses(host)
        for address in others:
            with suppress(httpcore2.ConnectError, httpcore2.ConnectTimeout):
                return await connect(address, CONNECT_ADDRESS_S_MAX)
        return await connect(last, timeout)

    async def _addresses(self, host: str) -> _Addresses:
        if host not in self._lookups:
            loop = asyncio.get_running_loop()
            self._lookups[host] = loop.create_future()
            # A daemon: no process waits at its end for a resolver.
            threading.Thread(target=self._look_up, args=(host, loop), daemon=True).start()
        # Shielded: who gives up leaves it to the others, and to whoever comes next.
        addresses = await asyncio.shield(self._lookups[host])
        if not addresses:
            raise httpcore2.ConnectError("the host's name is not known")
        return addresses

    def _look_up(self, host: str, loop: asyncio.AbstractEventLoop) -> None:
        """Look a host up, in a thread, and tell the loop."""
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            found = []
        addresses = tuple(dict.fromkeys(str(one[4][0]) for one in found))
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(self._settle, host, addresses)

    def _settle(self, host: str, addresses: _Addresses) -> None:
        self._lookups.pop(host).set_result(addresses)
