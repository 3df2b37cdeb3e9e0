"""One bounded HTTP exchange: what the providers' adapters and our own client have in common.

Bounded in time as a whole, in the decoded bytes of the answer and in connections. It follows no
redirect, takes no proxy or password from the environment and talks to one host, so a credential
never goes elsewhere. What the answer means is not decided here.
"""

import functools
import logging
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

import httpx2

from tandem.resilience.deadline import Deadline
from tandem.routing.domain.errors import (
    BadPayload,
    ConnectFailed,
    LocallyRejected,
    ReadTimeout,
    RoutingError,
    Truncated,
)
from tandem.routing.limits import BODY_BYTES_MAX, CONNECTIONS_MAX, KEEPALIVE_EXPIRY_S
from tandem.routing.names import OwnNames

JSON_TYPES: Final = frozenset({"application/json", "application/problem+json"})


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; `media_type` is lower-case and without parameters. Bodies are not shown."""

    status: int
    media_type: str
    headers: Mapping[str, str]
    received_at: datetime
    body: bytes = field(repr=False)

    @property
    def is_json(self) -> bool:
        """Tell whether it says of itself that it is JSON."""
        return self.media_type in JSON_TYPES


class _NoQueries(logging.Filter):
    """Takes the query out of what the HTTP library logs: some providers want their key there."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without the query of its URL."""
        if isinstance(record.args, tuple):
            record.args = tuple(
                str(argument.copy_with(query=None))
                if isinstance(argument, httpx2.URL)
                else argument
                for argument in record.args
            )
        return True


logging.getLogger("httpx2").addFilter(_NoQueries())


class _Use:
    """What the HTTP library tells of one request's connection."""

    def __init__(self) -> None:
        self._is_fresh = False
        self._is_answered = False

    @property
    def was_gone(self) -> bool:
        """Whether the connection was a kept one, and broke before a byte of the answer."""
        return not (self._is_fresh or self._is_answered)

    async def note(self, event: str, _details: Mapping[str, object]) -> None:
        """Take an event of the library's trace extension."""
        if event.startswith("connection.connect_"):
            self._is_fresh = True
        elif event.endswith(".receive_response_headers.complete"):
            self._is_answered = True


class Exchange:
    """Requests to one base URL; an asynchronous context manager."""

    def __init__(
        self,
        base_url: str,
        *,
        connections_max: int = CONNECTIONS_MAX,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Prepare; raises ValueError where the URL is not one of http or https with a host."""
        self._utc_now = utc_now
        url = httpx2.URL(base_url)
        if url.scheme not in {"http", "https"} or not url.host or url.userinfo:
            raise ValueError("the base URL must be http or https, with a host and no password")
        self._origin = (url.scheme, url.host, url.port)
        self._base_url = str(url).rstrip("/")
        self._client = httpx2.AsyncClient(
            transport=_transport(connections_max),
            # Only what is surely decoded in small pieces is asked for.
            headers={"Accept-Encoding": "gzip", "User-Agent": "tandem-routing"},
            follow_redirects=False,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._client.__aexit__(exc_type, exc_value, traceback)

    async def post(
        self,
        path: str,
        content: bytes,
        *,
        media_type: str,
        headers: Mapping[str, str],
        deadline: Deadline,
        is_repeatable: bool = False,
    ) -> Answer:
        """POST, and return the whole answer, whatever its status. Raises as `send` does."""
        return await self.send(
            "POST",
            path,
            content,
            headers={**headers, "Content-Type": media_type},
            deadline=deadline,
            is_repeatable=is_repeatable,
        )

    async def send(
        self,
        method: str,
        path: str,
        content: bytes | None = None,
        *,
        headers: Mapping[str, str],
        deadline: Deadline,
        is_repeatable: bool = False,
    ) -> Answer:
        """Send and return the whole answer, whatever its status.

        A kept connection that turns out to be gone is replaced, once, where the request
        `is_repeatable`: this is no retry, for nobody has begun to answer.

        Raises:
            ConnectFailed: The host cannot be reached, or went away.
            ReadTimeout: The answer was not whole at the deadline.
            Truncated: The answer broke off.
            BadPayload: The answer is too large, or its encoding broken.
            LocallyRejected: All connections are in use.
        """
        url = httpx2.URL(self._base_url + path)
        if (url.scheme, url.host, url.port) != self._origin:
            raise ValueError("a request may go to its own host only")
        ours = {**headers, "Accept": ", ".join(JSON_TYPES)}

        def request(use: _Use) -> httpx2.Request:
            return self._client.build_request(
                method,
                url,
                content=content,
                headers=ours,
                timeout=httpx2.Timeout(max(deadline.remaining_s(), 0.001)),
                extensions={"trace": use.note},
            )

        try:
            async with deadline.scope():
                return await self._send_over_live(request, is_repeatable=is_repeatable)
        except TimeoutError as error:
            raise ReadTimeout("the answer was not whole in time") from error
        except httpx2.HTTPError as error:
            raise _translated(error) from error

    async def _send_over_live(
        self, request: Callable[[_Use], httpx2.Request], *, is_repeatable: bool
    ) -> Answer:
        use = _Use()
        try:
            return await self._send(request(use))
        except (httpx2.NetworkError, httpx2.RemoteProtocolError):
            if not (is_repeatable and use.was_gone):
                raise
        return await self._send(request(_Use()))

    async def _send(self, request: httpx2.Request) -> Answer:
        response = await self._client.send(request, stream=True)
        try:
            pieces, size_bytes = [], 0
            async for piece in response.aiter_bytes():
                size_bytes += len(piece)
                if size_bytes > BODY_BYTES_MAX:
                    raise BadPayload(f"the answer has more than {BODY_BYTES_MAX} bytes")
                pieces.append(piece)
        finally:
            await response.aclose()
        media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        return Answer(
            response.status_code, media_type, response.headers, self._utc_now(), b"".join(pieces)
        )


def _transport(connections_max: int) -> httpx2.AsyncHTTPTransport:
    transport = httpx2.AsyncHTTPTransport(
        limits=httpx2.Limits(
            max_connections=connections_max,
            max_keepalive_connections=connections_max,
            keepalive_expiry=KEEPALIVE_EXPIRY_S,
        ),
        verify=_tls(),
        trust_env=False,
    )
    # The pool takes it as a parameter, which the transport around it does not pass on.
    transport._pool._network_backend = OwnNames()  # noqa: SLF001 - as said
    return transport


@functools.cache
def _tls() -> ssl.SSLContext:
    """Load the trusted authorities once: that takes longer than most exchanges."""
    return httpx2.create_ssl_context()


def _translated(error: httpx2.HTTPError) -> RoutingError:
    """Name a failure of the transport; its own text may hold what was sent, and is left out."""
    match error:
        case httpx2.PoolTimeout():
            return LocallyRejected("all connections are in use")
        case httpx2.ConnectError() | httpx2.ConnectTimeout():
            return ConnectFailed("the host cannot be reached")
        case httpx2.TimeoutException():
            return ReadTimeout("the answer was not whole in time")
        case httpx2.RemoteProtocolError():
            return Truncated("the answer broke off or was no HTTP")
        case httpx2.DecodingError():
            return BadPayload("the answer's encoding is broken")
        case _:
            return ConnectFailed("the connection failed")
