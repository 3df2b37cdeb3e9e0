"""A proxy before PostgreSQL that cuts connections at the one moment that matters: the commit.

It speaks enough of the protocol to know where a commit is: `COMMIT`, or outside of a transaction
the execution of a statement that begins as the one that is watched for.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
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

    BEFORE_HEAD = "when the head is to move in a big append; the server has seen nothing of it"
    DURING_COPY = "when the first rows of a COPY arrive; the server sees none of them"
    BEFORE_COMMIT = "when the commit arrives; the server never sees it"
    AFTER_COMMIT = "when the commit is done; the client never hears of it"


class _Kind(Enum):
    """What a prepared statement means for an append."""

    COMMITS = "it is the whole append"
    BEGINS = "it is the first of several"
    OTHER = "it is not of an append"


class FaultProxy:
    """Listens on a Unix socket and passes on what it gets, until it is told to cut.

    `conninfo` says where the server is; `watched` is how a statement begins that commits by itself,
    and `head` how the first statement of a big append does. `then` is called at each cut.
    """

    def __init__(
        self, conninfo: str, watched: str, head: str = "\0", then: Callable[[], None] | None = None
    ) -> None:
        self.cuts = 0
        self.then = then
        self._upstream = conninfo_to_dict(conninfo)
        self.watched = {watched.encode(): _Kind.COMMITS, head.encode(): _Kind.BEGINS}
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
        return True

    def cut(self) -> None:
        """Count a cut that is being made."""
        self.cuts += 1
        if self.then is not None:
            self.then()

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
        except OSError:
            # The server is gone, as a test may have wanted it.
            writer.close()
            return
        except BaseException:
            writer.close()
            raise
        session = _Session(self)
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

    def __init__(self, proxy: FaultProxy) -> None:
        self._proxy = proxy
        self._prepared: dict[bytes, _Kind] = {}
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
                moment = self._moment(kind, body)
                if moment is not None and self._proxy.takes(moment):
                    self._proxy.cut()
                    return
                if moment is Cut.BEFORE_COMMIT:
                    self._mute = self._proxy.takes(Cut.AFTER_COMMIT)
                writer.write(message)
                await writer.drain()

    def _moment(self, kind: bytes, body: bytes) -> Cut | None:
        """Say before which moment of an append a message stands, if before any."""
        if kind == _COPY_DATA:
            return Cut.DURING_COPY
        if kind == b"Q":
            return Cut.BEFORE_COMMIT if body.startswith(b"COMMIT") else None
        if kind == b"P":
            self._prepare(body)
        if kind != b"B":
            return None
        what = self._prepared.get(body.split(b"\0", 2)[1], _Kind.OTHER)
        if what is _Kind.BEGINS:
            return Cut.BEFORE_HEAD
        return Cut.BEFORE_COMMIT if what is _Kind.COMMITS and self._idle else None

    def _prepare(self, body: bytes) -> None:
        name, _, rest = body.partition(b"\0")
        kinds = (what for begin, what in self._proxy.watched.items() if rest.startswith(begin))
        self._prepared[name] = next(kinds, _Kind.OTHER)

    async def to_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what the server says, until a cut after the commit or the end."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, body, message = await _read(reader)
                if kind == _READY:
                    self._idle = body == _IDLE
                    if self._mute:
                        self._proxy.cut()
                        return
                if not self._mute:
                    writer.write(message)
                    await writer.drain()


async def _read(reader: asyncio.StreamReader) -> tuple[bytes, bytes, bytes]:
    head = await reader.readexactly(5)
    body = await reader.readexactly(struct.unpack("!i", head[1:])[0] - 4)
    return head[:1], body, head + body
