"""A proxy before PostgreSQL that cuts connections at the one moment that matters: the commit.

It speaks enough of the protocol to know where a commit is: `COMMIT`, or outside of a transaction
the execution of a statement that begins as the one that is watched for.
"""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Final

from psycopg.conninfo import conninfo_to_dict

PORT: Final = 5432
_COPY_DATA: Final = b"d"
_READY: Final = b"Z"
_IDLE: Final = b"I"


class Cut(Enum):
    """Where a connection is cut."""

    DURING_COPY = "when the first rows of a COPY arrive; the server sees none of them"
    BEFORE_COMMIT = "when the commit arrives; the server never sees it"
    AFTER_COMMIT = "when the commit is done; the client never hears of it"


class FaultProxy:
    """Listens on a Unix socket and passes on what it gets, until it is told to cut.

    `conninfo` says where the server is; `watched` is how a statement begins that commits by itself.
    """

    def __init__(self, conninfo: str, watched: str) -> None:
        self.cuts = 0
        self._upstream = conninfo_to_dict(conninfo)
        self._watched = watched.encode()
        self._armed: Cut | None = None
        self._left = 0
        self._sessions: set[asyncio.Task[None]] = set()

    def arm(self, cut: Cut, times: int) -> None:
        """Cut at the next so many moments of this kind."""
        self._armed, self._left = cut, times

    @asynccontextmanager
    async def listening(self, directory: Path) -> AsyncIterator[None]:
        """Listen on `PORT` in a directory, which is the `host` of a connection string."""
        path = str(directory / f".s.PGSQL.{PORT}")
        server = await asyncio.start_unix_server(self._accept, path)
        try:
            yield
        finally:
            server.close()
            for session in self._sessions:
                session.cancel()
            await asyncio.gather(*self._sessions, return_exceptions=True)

    def takes(self, cut: Cut) -> bool:
        """Use a cut up, if one of this kind is to be made now."""
        if self._armed is not cut or self._left == 0:
            return False
        self._left -= 1
        self.cuts += 1
        return True

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = str(self._upstream["host"]), int(self._upstream.get("port") or PORT)
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._sessions.add(task)
        task.add_done_callback(self._sessions.discard)
        try:
            up_reader, up_writer = await self._connect()
        except BaseException:
            writer.close()
            raise
        session = _Session(self, self._watched)
        ways = [
            asyncio.create_task(session.to_server(reader, up_writer)),
            asyncio.create_task(session.to_client(up_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Closed before anything is awaited: the proxy's end may cancel this very end.
            for end in (writer, up_writer):
                end.close()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, up_writer):
                with suppress(OSError):
                    await end.wait_closed()


class _Session:
    """One connection: which statements it prepared, and whether it is in a transaction."""

    def __init__(self, proxy: FaultProxy, watched: bytes) -> None:
        self._proxy = proxy
        self._watched = watched
        self._prepared: set[bytes] = set()
        self._idle = True
        self._mute = False

    async def to_server(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what the client says, until a cut before the commit or the end."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            # The first message has no type.
            size = await reader.readexactly(4)
            writer.write(size + await reader.readexactly(struct.unpack("!i", size)[0] - 4))
            while True:
                kind, body, message = await _read(reader)
                if kind == _COPY_DATA and self._proxy.takes(Cut.DURING_COPY):
                    return
                if self._commits(kind, body):
                    if self._proxy.takes(Cut.BEFORE_COMMIT):
                        return
                    self._mute = self._proxy.takes(Cut.AFTER_COMMIT)
                writer.write(message)
                await writer.drain()

    def _commits(self, kind: bytes, body: bytes) -> bool:
        if kind == b"Q":
            return body.startswith(b"COMMIT")
        if kind == b"P":
            name, _, rest = body.partition(b"\0")
            if rest.startswith(self._watched):
                self._prepared.add(name)
            else:
                self._prepared.discard(name)
        if kind != b"B":
            return False
        name = body.split(b"\0", 2)[1]
        return self._idle and name in self._prepared

    async def to_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what the server says, until a cut after the commit or the end."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, body, message = await _read(reader)
                if kind == _READY:
                    self._idle = body == _IDLE
                    if self._mute:
                        return
                if not self._mute:
                    writer.write(message)
                    await writer.drain()


async def _read(reader: asyncio.StreamReader) -> tuple[bytes, bytes, bytes]:
    head = await reader.readexactly(5)
    body = await reader.readexactly(struct.unpack("!i", head[1:])[0] - 4)
    return head[:1], body, head + body
