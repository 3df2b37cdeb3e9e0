"""A name for each request, in its answer and in every line logged on its behalf."""

import re
from collections.abc import Callable
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from tandem.platform.limits import REQUEST_ID_CHARS_MAX

HEADER: Final = "X-Request-Id"
_ACCEPTED: Final = re.compile(rb"[A-Za-z0-9_.-]{1,%d}" % REQUEST_ID_CHARS_MAX)


class RequestId:
    """Keeps a caller's well-formed request id, or makes one."""

    def __init__(self, app: ASGIApp, new_id: Callable[[], str]) -> None:
        self.app = app
        self.new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on under its id."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _given(scope) or self.new_id()

        async def name(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        with bound_contextvars(request_id=request_id):
            await self.app(scope, receive, name)


def _given(scope: Scope) -> str | None:
    wanted = HEADER.lower().encode()
    for name, value in scope["headers"]:
        if name == wanted and _ACCEPTED.fullmatch(value):
            return str(value, "ascii")
    return None
