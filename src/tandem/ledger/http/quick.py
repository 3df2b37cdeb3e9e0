"""The usual writes, answered in front of the framework, which costs more than the ledger does.

Whatever is not usual here is left to the routes behind: no key or one that may not write, a body
that does not validate, a refusal by shape. They see the same request, so every error looks as they
make it; that what succeeds looks alike both ways is a test. A command that reached the ledger is
answered here, whatever it came to.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

from fastapi import FastAPI
from pydantic import ValidationError
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tandem.ledger.core.commands import SingleCommand
from tandem.ledger.core.refusals import Refused
from tandem.ledger.http import answers, bodies
from tandem.ledger.http.batches import submit
from tandem.ledger.local import LocalLedger
from tandem.ledger.service import LedgerService
from tandem.ledger.storage.port import StorageError
from tandem.platform.auth import Permission, Principal
from tandem.platform.errors import DatabaseUnavailable
from tandem.platform.http.metrics import ROUTE
from tandem.platform.http.problems import HttpProblem

type Verify = Callable[[str], Awaitable[Principal | None]]

_PATH: Final = re.compile(
    r"/v1/ledgers/([a-z0-9_-]{1,63})/"
    r"(transfers|transactions|holds|batches|holds/([1-9][0-9]{0,17})/(?:captures|releases))",
    re.ASCII,
)
_BEARER: Final = b"bearer "


class _Call(NamedTuple):
    """What a request asks for."""

    ledger: LocalLedger
    what: str
    hold: int | None
    key: str | None
    principal: Principal


# The shape of each call's body.
_SHAPES: Final[Mapping[str, type[Any]]] = {
    "transfers": bodies.TransferBody,
    "transactions": bodies.TransactionBody,
    "holds": bodies.HoldBody,
    "captures": bodies.CaptureChanges,
    "releases": bodies.PartBody,
    "batches": bodies.BatchBody,
}


def install(app: FastAPI, service: LedgerService, verify: Verify) -> None:
    """Put it in front of an application's routes, behind everything else."""
    app.user_middleware.append(Middleware(_QuickWrites, service=service, verify=verify))


class _QuickWrites:
    """Middleware, the innermost: all that is around it counts and guards these too."""

    def __init__(self, app: ASGIApp, service: LedgerService, verify: Verify) -> None:
        self._app = app
        self._service = service
        self._verify = verify

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on as it came."""
        call = await self._call(scope)
        if call is None:
            await self._app(scope, receive, send)
            return
        try:
            body = await _read(receive)
        except HttpProblem as problem:  # it is too large
            await problem.response()(scope, receive, send)
            return
        response = None if body is None else await _answered(call, body)
        if response is None:
            await self._app(scope, _again(body, receive), send)
            return
        below = "" if call.hold is None else "holds/{position}/"
        scope[ROUTE] = f"/v1/ledgers/{{ledger}}/{below}{call.what}"
        await response(scope, receive, send)

    async def _call(self, scope: Scope) -> _Call | None:
        """Read what a request asks for; None where that is not usual."""
        if scope["type"] != "http" or scope["method"] != "POST" or scope["query_string"]:
            return None
        match = _PATH.fullmatch(scope["path"])
        headers = _headers(scope) if match is not None else None
        if match is None or headers is None:
            return None
        token = headers.get(b"authorization", b"")
        if token[: len(_BEARER)].lower() != _BEARER:
            return None
        try:
            principal = await self._verify(token[len(_BEARER) :].decode("latin-1"))
            if principal is None or Permission.WRITE not in principal.permissions:
                return None
            ledger = await self._service.ledger(match[1])
        except (Refused, StorageError, DatabaseUnavailable):
            return None
        key = headers.get(b"idempotency-key")
        parent = None if match[3] is None else int(match[3])
        what = match[2].rpartition("/")[2]
        return _Call(
            ledger, what, parent, None if key is None else key.decode("latin-1"), principal
        )


def _headers(scope: Scope) -> dict[bytes, bytes] | None:
    """The headers that matter here; None where one is there twice, or the body is no JSON."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in (b"authorization", b"idempotency-key", b"content-type"):
            if name in found:
                return None
            found[name] = value
    return found if found.get(b"content-type") == b"application/json" else None


async def _read(receive: Receive) -> bytes | None:
    """Read the whole body; None where the client left."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _again(body: bytes | None, receive: Receive) -> Receive:
    """Let the body be read once more."""
    first: list[Message] = [
        {"type": "http.disconnect"}
        if body is None
        else {"type": "http.request", "body": body, "more_body": False}
    ]

    async def again() -> Message:
        return first.pop() if first else await receive()

    return again


async def _answered(call: _Call, body: bytes) -> Response | None:
    try:
        read = _SHAPES[call.what].__pydantic_validator__.validate_json(body)
        command = None if call.what == "batches" else _command(call, read)
    except (ValidationError, Refused):
        return None
    try:
        if command is None:
            return await submit(call.ledger, call.principal, read, call.key)
        return answers.written(await call.ledger.execute(command))
    except Refused as error:
        return answers.refused(error.refusal, replayed=error.replayed)


def _command(call: _Call, body: Any) -> SingleCommand:
    if call.hold is not None:
        shape = bodies.CaptureBody if call.what == "captures" else bodies.ReleaseBody
        body = shape.model_construct(hold=call.hold, **dict(body))
    command: SingleCommand = body.command(call.key)
    return command
