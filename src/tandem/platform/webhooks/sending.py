"""One attempt to deliver one message over HTTP: bounded in time and bytes, straight to its host."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple, Protocol

import httpx2

from tandem.platform.config import WebhookReach as Reach
from tandem.platform.limits import WEBHOOK_ANSWER_BYTES_MAX, WEBHOOK_TIMEOUT_MS
from tandem.platform.webhooks.addresses import AddressForbidden, NameUnknown, resolve
from tandem.resilience.hints import retry_after_s

_GONE = 410


class Outcome(NamedTuple):
    """What became of an attempt. No `error`: it was taken. `gone`: it is not wanted any more."""

    error: str | None
    gone: bool = False
    retry_after_s: float | None = None


class Sender(Protocol):
    """Sends a message once."""

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Send, and say what became of it; never raises for what the network or receiver does."""
        ...


class HttpSender:
    """Sends over HTTP to where `reach` allows."""

    def __init__(self, http: httpx2.AsyncClient, reach: Reach) -> None:
        self._http = http
        self._reach = reach

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Send, and say what became of it."""
        try:
            async with asyncio.timeout(WEBHOOK_TIMEOUT_MS / 1000):
                return await self._send(url, headers, body)
        except TimeoutError:
            return Outcome(f"no answer within {WEBHOOK_TIMEOUT_MS} ms")
        except (AddressForbidden, NameUnknown) as error:
            return Outcome(str(error))
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError) as error:
            return Outcome(f"the receiver cannot be reached ({type(error).__name__})")

    async def _send(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        host, address = await resolve(url, self._reach)
        target = httpx2.URL(url)
        async with self._http.stream(
            "POST",
            target.copy_with(host=address),
            content=body,
            headers={
                **headers,
                "Host": target.netloc.decode("ascii"),
                "Content-Type": "application/json",
                "User-Agent": "tandem-webhooks",
            },
            # The certificate must be the name's, not the address's.
            extensions={"sni_hostname": host},
        ) as answer:
            await _read_some(answer)
            return _outcome(answer)


async def _read_some(answer: httpx2.Response) -> None:
    """Read the body, so that the connection can be used again; a long one ends the connection."""
    read = 0
    async for chunk in answer.aiter_raw():
        read += len(chunk)
        if read > WEBHOOK_ANSWER_BYTES_MAX:
            return


def _outcome(answer: httpx2.Response) -> Outcome:
    if answer.is_success:
        return Outcome(None)
    asked_s = retry_after_s(
        answer.headers.get("Retry-After"), datetime.now(UTC), answer.headers.get("Date")
    )
    error = f"the receiver answered {answer.status_code}"
    return Outcome(error, answer.status_code == _GONE, asked_s)


@asynccontextmanager
async def open_sender(reach: Reach, connections_max: int) -> AsyncIterator[HttpSender]:
    """Open a sender; its connections end with it."""
    async with httpx2.AsyncClient(
        timeout=WEBHOOK_TIMEOUT_MS / 1000,
        limits=httpx2.Limits(max_connections=connections_max),
        follow_redirects=False,  # a redirect could lead to where the URL may not
        trust_env=False,
    ) as http:
        yield HttpSender(http, reach)
