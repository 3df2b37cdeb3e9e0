"""Errors over HTTP as RFC 9457 problem+json, with a stable `code` for programs."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tandem.platform.limits import PROBLEM_FAULTS_MAX, PROBLEM_FIELD_CHARS_MAX

MEDIA_TYPE: Final = "application/problem+json"

_log: Final = structlog.get_logger(__name__)

_CODES: Final[Mapping[int, str]] = {
    400: "malformed",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    500: "internal",
    503: "unavailable",
}


class Problem(BaseModel):
    """A refused or failed request (RFC 9457). `code` is stable; `title` and `detail` are prose."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str
    detail: str | None = None


class ProblemResponse(JSONResponse):
    """A response of media type application/problem+json."""

    media_type = MEDIA_TYPE


class HttpProblem(HTTPException):
    """Raise to answer with a problem; `extra` members stand beside the standard ones."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(status, detail or title, headers)
        self.code = code
        self.title = title
        self.prose = detail
        self.extra = extra

    def response(self) -> ProblemResponse:
        """Build the answer."""
        return problem(
            self.status_code, self.code, self.title, self.prose, headers=self.headers, **self.extra
        )


def problem(
    status: int,
    code: str,
    title: str,
    detail: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    **extra: Any,
) -> ProblemResponse:
    """Build a problem response; members that are None are left out."""
    members = {"detail": detail, **extra}
    body = {
        "type": f"urn:tandem:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
        **{name: value for name, value in members.items() if value is not None},
    }
    return ProblemResponse(body, status_code=status, headers=headers)


def install(app: FastAPI) -> None:
    """Answer every error of the framework as a problem too."""
    app.add_exception_handler(HTTPException, _answer_http_exception)
    app.add_exception_handler(RequestValidationError, _answer_malformed)


class UnhandledErrors:
    """Logs an exception that nothing handled and answers 500 without a word of it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and catch what comes back."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception as error:  # noqa: BLE001 - this is the last line of defence
            _log.exception("unhandled error", error=type(error).__name__)
            if started:
                # Half an answer cannot be taken back; ending it short tells the client.
                return
            answer = problem(500, "internal", "The server failed to handle the request")
            await answer(scope, receive, send)


def _answer_http_exception(_request: Request, error: Exception) -> Response:
    if isinstance(error, HttpProblem):
        return error.response()
    if not isinstance(error, HTTPException):  # the registration rules it out; mypy does not know
        raise error
    status = error.status_code
    phrase = HTTPStatus(status).phrase
    code = _CODES.get(status, phrase.lower().replace(" ", "_"))
    detail = None if error.detail == phrase else str(error.detail)
    return problem(status, code, phrase, detail, headers=error.headers)


def _answer_malformed(_request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):  # as above
        raise error
    faults = [_fault(item) for item in error.errors()[:PROBLEM_FAULTS_MAX]]
    first = faults[0] if faults else {}
    where = f"{first['in']} {first['field']}".strip() if first else "request"
    return problem(
        400,
        "malformed",
        "The request is malformed",
        f"{where}: {first.get('detail', 'not as specified')}",
        field=first.get("field"),
        index=first.get("index"),
        errors=faults,
    )


def _fault(item: Mapping[str, Any]) -> dict[str, Any]:
    """Say where and what, but never repeat the value: it may be long, or secret."""
    place, *path = item["loc"] or ("request",)
    # A position in broken JSON text is a number as well, but no index of anything.
    index = next((step for step in path if isinstance(step, int)), None)
    if item["type"] == "json_invalid":
        path, index = [], None
    field = ".".join(str(step) for step in path)[:PROBLEM_FIELD_CHARS_MAX]
    fault = {"in": place, "field": field, "detail": item["msg"]}
    return fault if index is None else {**fault, "index": index}
