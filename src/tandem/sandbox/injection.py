"""Faults on the wire: what `faults.py` decides, done to a real answer."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Final

from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tandem.sandbox import limits
from tandem.sandbox.faults import FaultKind, FaultRule, Faults
from tandem.sandbox.problems import ApiProblem, for_status, is_old
from tandem.sandbox.traffic import Traffic
from tandem.sandbox.v1.errors import error_response

_HTML: Final = """<html>
<head><title>{status} {phrase}</title></head>
<body><center><h1>{status} {phrase}</h1></center><hr><center>gateway</center></body>
</html>
"""
_DEFAULT_STATUS: Final = {FaultKind.STATUS: 503, FaultKind.HTML: 502}
_MS_PER_S: Final = 1_000

type Sleep = Callable[[float], Awaitable[None]]


class InjectFaults:
    """Makes requests under prefixes go wrong as the plan in force says."""

    def __init__(
        self,
        app: ASGIApp,
        faults: Faults,
        traffic: Traffic,
        prefix: tuple[str, ...],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.app = app
        self.faults = faults
        self.traffic = traffic
        self.prefix = prefix
        self.sleep = sleep

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or not."""
        applies = scope["type"] == "http" and scope["path"].startswith(self.prefix)
        rule = self.faults.decide(scope["path"]) if applies else None
        if rule is None:
            await self.app(scope, receive, send)
            return
        self.traffic.of(scope["path"]).faults[rule.kind] += 1
        match rule.kind:
            case FaultKind.STATUS | FaultKind.HTML:
                await _instead(rule, scope)(scope, receive, send)
            case FaultKind.LATENCY:
                await self.sleep(_pause_s(rule))
                await self.app(scope, receive, send)
            case FaultKind.BLACKHOLE:
                await _say_nothing(receive)
            case FaultKind.DRIP:
                await self._drip(rule, scope, receive, send)
            case FaultKind.TRUNCATE:
                await self._truncate(scope, receive, send)

    async def _drip(self, rule: FaultRule, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the true answer a few bytes at a time."""
        start, body = await self._answer(scope, receive)
        await send(start)
        for begin in range(0, len(body), rule.chunk_bytes):
            chunk = body[begin : begin + rule.chunk_bytes]
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await self.sleep(_pause_s(rule))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _truncate(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Announce the whole answer, send half, and cut the connection."""
        start, body = await self._answer(scope, receive)
        await send(start)
        half = body[: len(body) // 2]
        # Never saying that this was all makes the server close the connection under the caller.
        await send({"type": "http.response.body", "body": half, "more_body": True})

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
        start: Message = {}
        body = bytearray()

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                body.extend(message.get("body", b""))

        await self.app(scope, receive, keep)
        return start, bytes(body)


def _instead(rule: FaultRule, scope: Scope) -> Response:
    status = rule.status or _DEFAULT_STATUS[rule.kind]
    if rule.kind is FaultKind.HTML:
        phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"
        return HTMLResponse(_HTML.format(status=status, phrase=phrase), status)
    headers = {} if rule.retry_after_s is None else {"Retry-After": str(rule.retry_after_s)}
    problem = ApiProblem(for_status(status), "This fault was asked for", headers=headers)
    if is_old(scope["path"]):
        return error_response(problem, status)
    request_id = scope["state"]["request_id"]
    response = problem.response(instance=scope["path"], trace_id=request_id)
    response.status_code = status
    return response


async def _say_nothing(receive: Receive) -> None:
    """Hold the connection until the caller hangs up, or for the longest time allowed."""
    with suppress(TimeoutError):
        async with asyncio.timeout(limits.BLACKHOLE_S_MAX):
            while (await receive())["type"] != "http.disconnect":
                pass


def _pause_s(rule: FaultRule) -> float:
    return (rule.latency_ms or 0) / _MS_PER_S
