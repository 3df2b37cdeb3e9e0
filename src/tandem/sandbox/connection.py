"""The caller's connection itself, for what no HTTP server does: a reset, or a body without an end.

The server runs in this process, so its descriptors are ours. The one that a request came by is
found by the caller's address.
"""

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from starlette.types import Scope

_DESCRIPTORS: Final = Path("/dev/fd")
# On, and no time to send what is left: closing sends a reset.
_LINGER_NOT: Final = struct.pack("ii", 1, 0)


def reset(scope: Scope) -> None:
    """End the connection of a request with a reset."""
    with suppress(OSError):
        server_fd, connection = _of_request(scope)
        one, other = socket.socketpair()
        # The server keeps its number, but with a dead line behind it: the copy closed here is the
        # last of the connection.
        with connection, one, other:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            os.dup2(one.fileno(), server_fd, inheritable=False)


async def send_and_close(scope: Scope, pieces: AsyncIterator[bytes]) -> None:
    """Send bytes as they are, and end the connection as if that were all."""
    with suppress(OSError):
        _server_fd, connection = _of_request(scope)
        with connection:
            connection.setblocking(False)
            loop = asyncio.get_running_loop()
            async for piece in pieces:
                await loop.sock_sendall(connection, piece)
            connection.shutdown(socket.SHUT_RDWR)


def _of_request(scope: Scope) -> tuple[int, socket.socket]:
    """Return the server's descriptor of a request's connection, and a copy as a socket.

    Raises:
        ConnectionError: There is none any more.
    """
    host, port = scope["client"]
    # The server tells the port as a text.
    caller = (host, int(port))
    for descriptor in _DESCRIPTORS.iterdir():
        server_fd = int(descriptor.name)
        try:
            copy = socket.socket(fileno=os.dup(server_fd))
        except OSError:
            continue
        with suppress(OSError):
            if copy.getpeername()[:2] == caller:
                return server_fd, copy
        copy.close()
    raise ConnectionError("the caller has hung up")
