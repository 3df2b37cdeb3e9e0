"""A receiver of webhooks on real HTTP: notes what it gets, and refuses as it is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tandem.ledger.webhooks import verify_webhook
from tandem.platform.http.serving import HttpServer


@dataclass
class Progress:
    """The furthest position that a consumer has reached, and who waits for it."""

    furthest: int = 0
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, position: int) -> None:
        """Take notice of a position."""
        self.furthest = max(self.furthest, position)
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def reached(self, position: int) -> None:
        """Wait until a position was reached."""
        while self.furthest < position:
            await self._moved.wait()


@dataclass
class Receiver:
    """What came, in order. `refusing` are the positions it answers with `status`."""

    secrets: list[str] = field(default_factory=list)
    url: str = ""
    positions: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    refusing: set[int] = field(default_factory=set)
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    now: datetime | None = None
    progress: Progress = field(default_factory=Progress)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Verify a message, then take or refuse it."""
        request = Request(scope, receive)
        body = await request.body()
        message_id = verify_webhook(
            self.secrets, request.headers, body, self.now or datetime.now(UTC)
        )
        message = json.loads(body)
        position = message["data"]["record"]["position"]
        status = 204
        if position in self.refusing:
            self.refused.append(position)
            status = self.status
        else:
            self.positions.append(position)
            self.ids.append(message_id)
            self.kinds.append(message["type"])
            self.progress.note(position)
        await Response(status_code=status, headers=self.headers)(scope, receive, send)

    @property
    def first_deliveries(self) -> Sequence[int]:
        """The positions in the order in which each came first."""
        return list(dict.fromkeys(self.positions))


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Serve a receiver on loopback."""
    receiver = Receiver()
    async with HttpServer(receiver, host="127.0.0.1", port=0) as server:
        receiver.url = server.url
        yield receiver
