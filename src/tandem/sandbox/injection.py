"""Faults on the wire: what `faults.py` decides, done to a real answer."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tandem.sandbox import connection, limits
from tandem.sandbox.distortions import DISTORTIONS, distorted
from tandem.sandbox.faults import FaultKind, FaultRule, Faults, Hit
from tandem.sandbox.hostile import HOSTILE, hostile
from tandem.sandbox.problems import ApiProblem, for_status, is_old
from tandem.sandbox.traffic import Traffic
from tandem.sandbox.v1.errors import error_response

_HTML: Final = """<html>
<head><title>{status} {phrase}</title></head>
<body><center><h1>{status} {phrase}</h1></center><hr><center>gateway</center></body>
</html>
"""
_DEFAULT_STATUS: Final = {FaultKind.STATUS: 503, FaultKind.HTML: 502, FaultKind.REDIRECT: 307}
# Where what is left of the credits stands: a number alone, or a member of a structured field.
_CREDITS: Final = frozenset(
    {"ratelimit", "bikemap-credits", "x-ratelimit-remaining", "x-ratelimit-credits"}
)
_LEFT: Final = re.compile(r"^(|.*\"credits\";r=)-?[0-9.]+")

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
        hit = self.faults.decide(scope["path"]) if applies else None
        if hit is None:
            await self.app(scope, receive, send)
            return
        rule = hit.rule
        self.traffic.of(scope["path"]).faults[rule.kind] += 1
        if rule.kind is not FaultKind.DRIP and hit.pause_s:
            await self.sleep(hit.pause_s)
        if rule.kind in HOSTILE:
            await _drain(receive)
            await _send_hostile(rule, send)
        elif rule.kind in DISTORTIONS:
            await self._distort(rule, scope, receive, send)
        else:
            await self._inject(hit, scope, receive, send)

    async def _inject(self, hit: Hit, scope: Scope, receive: Receive, send: Send) -> None:
        match hit.rule.kind:
            case FaultKind.LATENCY:
                await self.app(scope, receive, send)
            case FaultKind.BLACKHOLE:
                await _say_nothing(receive)
            case FaultKind.DRIP:
                await self._drip(hit, scope, receive, send)
            case FaultKind.RESET:
                await _drain(receive)
                connection.reset(scope)
            case FaultKind.TRUNCATE:
                await self._truncate(scope, receive, send)
            case FaultKind.TRUNCATE_UNSEEN:
                start, body = await self._answer(scope, receive)
                await connection.send_and_close(scope, _without_an_end(start, body))
            case FaultKind.CREDITS:
                await self.app(scope, receive, _lying(hit.rule, send))
            case _:
                await _drain(receive)
                await _instead(hit, scope)(scope, receive, send)

    async def _drip(self, hit: Hit, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the true answer a few bytes at a time."""
        start, body = await self._answer(scope, receive)
        await send(start)
        for begin in range(0, len(body), hit.rule.chunk_bytes):
            chunk = body[begin : begin + hit.rule.chunk_bytes]
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await self.sleep(hit.pause_s)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _truncate(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Announce the whole answer, send half of it, and cut the connection."""
        start, body = await self._answer(scope, receive)
        await send(start)
        half = body[: len(body) // 2]
        # Never saying that this was all makes the server close the connection under the caller.
        await send({"type": "http.response.body", "body": half, "more_body": True})

    async def _distort(self, rule: FaultRule, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the true answer with one thing wrong."""
        start, body = await self._answer(scope, receive)
        body = distorted(rule, body)
        MutableHeaders(scope=start)["content-length"] = str(len(body))
        await send(start)
        await send({"type": "http.response.body", "body": body, "more_body": False})

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


def _instead(hit: Hit, scope: Scope) -> Response:
    rule = hit.rule
    status = hit.status(_DEFAULT_STATUS[rule.kind])
    if rule.kind is FaultKind.HTML:
        phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"
        return HTMLResponse(_HTML.format(status=status, phrase=phrase), status)
    if rule.kind is FaultKind.REDIRECT:
        return RedirectResponse(rule.location or "/", status)
    headers = {} if rule.retry_after_s is None else {"Retry-After": str(rule.retry_after_s)}
    problem = ApiProblem(for_status(status), "This fault was asked for", headers=headers)
    if is_old(scope["path"]):
        return error_response(problem, status)
    request_id = scope["state"]["request_id"]
    response = problem.response(instance=scope["path"], trace_id=request_id)
    response.status_code = status
    return response


async def _without_an_end(start: Message, body: bytes) -> AsyncIterator[bytes]:
    """Write half an answer whose end is the connection's: nothing tells that it is but half."""
    status = HTTPStatus(start["status"])
    yield f"HTTP/1.1 {status} {status.phrase}\r\n".encode()
    for name, value in start["headers"]:
        if name.lower() != b"content-length":
            yield name + b": " + value + b"\r\n"
    yield b"Connection: close\r\n\r\n"
    yield body[: len(body) // 2]


async def _drain(receive: Receive) -> None:
    """Read the request, within bounds, before it is answered without a look at it.

    A server that closes on bytes that it has not read resets the connection, and the answer may be
    lost on its way.
    """
    size_bytes = 0
    while size_bytes <= limits.BODY_BYTES_MAX:
        message = await receive()
        size_bytes += len(message.get("body", b""))
        if not message.get("more_body", False):
            return


async def _say_nothing(receive: Receive) -> None:
    """Hold the connection until the caller hangs up, or for the longest time allowed."""
    with suppress(TimeoutError):
        async with asyncio.timeout(limits.BLACKHOLE_S_MAX):
            while (await receive())["type"] != "http.disconnect":
                pass


async def _send_hostile(rule: FaultRule, send: Send) -> None:
    headers, parts = hostile(rule)
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _lying(rule: FaultRule, send: Send) -> Send:
    """Say of the credits that are left what the rule says."""

    async def lie(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name in _CREDITS & set(headers):
                headers[name] = _LEFT.sub(f"\\g<1>{rule.credits:g}", headers[name])
        await send(message)

    return lie
