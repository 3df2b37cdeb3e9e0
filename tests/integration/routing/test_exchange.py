"""One HTTP exchange against a server that does everything wrong, on real sockets."""

import asyncio
import socket
import threading
import time
from itertools import count
from typing import Any

import httpx2
import pytest
from tests.support.fault_server import FaultServer, Reply, Script, Seen, gzipped, json_reply
from tests.support.routing import always, soon

from tandem.resilience.deadline import Deadline
from tandem.routing.domain.errors import (
    BadPayload,
    ConnectFailed,
    ReadTimeout,
    RoutingError,
    Truncated,
)
from tandem.routing.exchange import Answer, Exchange
from tandem.routing.limits import BODY_BYTES_MAX

pytestmark = pytest.mark.anyio


async def _ask(exchange: Exchange, deadline: Deadline | None = None) -> Answer:
    return await exchange.post(
        "/ask",
        b"{}",
        media_type="application/json",
        headers={"Authorization": "Bearer canary"},
        deadline=deadline or soon(),
    )


async def test_a_whole_answer() -> None:
    """Status, type, headers and decoded body come back, whatever the status."""
    reply = gzipped(json_reply(418, {"a": 1}, X_Test="yes"))
    async with FaultServer(always(reply)) as server, Exchange(server.url + "/") as exchange:
        answer = await _ask(exchange)
    assert (answer.status, answer.media_type, answer.body) == (
        418,
        "application/problem+json",
        b'{"a": 1}',
    )
    assert answer.headers["x-test"] == "yes"
    assert b"a" not in repr(answer).encode().partition(b"body")[2]
    (seen,) = server.seen
    assert seen.path == "/ask"
    assert seen.headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(body=b"x" * (BODY_BYTES_MAX + 1)), BadPayload),
        (gzipped(Reply(body=b"\0" * (64 * 1024 * 1024))), BadPayload),
        (Reply(body=b"no gzip", headers={"Content-Encoding": "gzip"}), BadPayload),
        (Reply(body=b"whole body", cut=4), Truncated),
        (Reply(headers={"Content-Length": "many"}), Truncated),
    ],
    ids=["large", "bomb", "broken-gzip", "cut", "broken-length"],
)
async def test_hostile_bodies(reply: Reply, error: type[RoutingError]) -> None:
    """Bodies too large before or after decoding, broken or cut off, are errors of their kind."""
    async with FaultServer(always(reply)) as server, Exchange(server.url) as exchange:
        with pytest.raises(error):
            await _ask(exchange)


async def test_nobody_listens() -> None:
    """A closed port is told at once."""
    async with FaultServer(always(Reply())) as server:
        url = server.url
    async with Exchange(url) as exchange:
        with pytest.raises(ConnectFailed):
            await _ask(exchange)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(wait_for=asyncio.Event()),
        Reply(body=b"x" * 10_000, drip_bytes=1),
        Reply(body=b"x" * 10_000, drip_bytes=1, no_length=True),
    ],
    ids=["silence", "drip", "endless-drip"],
)
async def test_time_is_bounded_as_a_whole(reply: Reply) -> None:
    """Neither silence nor a drip that never pauses for long holds a call beyond its deadline."""
    async with FaultServer(always(reply)) as server, Exchange(server.url) as exchange:
        started_s = time.monotonic()
        with pytest.raises(ReadTimeout):
            await _ask(exchange, soon(200))
        assert 0.19 <= time.monotonic() - started_s < 0.7


async def _lateness_s(url: str) -> float:
    """Make calls that cannot succeed at the same time; tell how late half of them were at most."""
    timeout_ms = 200.0

    async def late_s(exchange: Exchange) -> float:
        started_s = time.monotonic()
        with pytest.raises(ReadTimeout):
            await _ask(exchange, soon(timeout_ms))
        return time.monotonic() - started_s - timeout_ms / 1_000

    async with Exchange(url) as exchange:
        late = sorted(await asyncio.gather(*(late_s(exchange) for _ in range(9))))
    assert late[-1] < 0.5
    return late[len(late) // 2]


async def test_a_handshake_that_stalls() -> None:
    """A host that takes connections and never says a word of TLS holds nobody."""
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _reader, writer: held.append(writer), "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    try:
        assert await _lateness_s(f"https://127.0.0.1:{port}") <= 0.05
        assert len(held) == 9
    finally:
        for writer in held:
            writer.close()
        server.close()


async def test_names_that_nobody_resolves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that never answers holds nobody, and stops no work in other threads."""
    answers = threading.Event()
    truly = socket.getaddrinfo

    def stalled(host: Any, *others: Any, **named: Any) -> Any:
        if b"stalled.example" in (host, str(host).encode()):
            answers.wait()
        return truly("127.0.0.1", *others, **named)

    monkeypatch.setattr(socket, "getaddrinfo", stalled)
    try:
        for _ in range(4):
            assert await _lateness_s("http://stalled.example:9") <= 0.05
        async with asyncio.timeout(5):
            assert await asyncio.to_thread(lambda: "still works") == "still works"
    finally:
        answers.set()


async def test_a_name_with_several_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody listens at the first address, the next one is tried; unknown names are told."""
    truly = socket.getaddrinfo

    def several(host: Any, *others: Any, **named: Any) -> Any:
        addresses = {"two.example": ["127.0.0.2", "127.0.0.1"], "none.example": []}.get(host)
        if addresses is None:
            return truly(host, *others, **named)
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [found for one in addresses for found in truly(one, *others, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", several)
    async with FaultServer(always(Reply(body=b"fine"))) as server:
        port = server.url.rpartition(":")[2]
        async with Exchange(f"http://two.example:{port}") as exchange:
            assert (await _ask(exchange)).body == b"fine"
        async with Exchange(f"http://none.example:{port}") as exchange:
            with pytest.raises(ConnectFailed):
                await _ask(exchange)


async def test_redirects_are_not_followed() -> None:
    """A redirect is an answer like any other: no key goes to another place."""
    async with FaultServer(always(Reply())) as sink:
        reply = Reply(307, headers={"Location": f"{sink.url}/steal"})
        async with FaultServer(always(reply)) as server, Exchange(server.url) as exchange:
            assert (await _ask(exchange)).status == 307
        assert sink.seen == []


@pytest.mark.parametrize("path", ["@elsewhere.example/", ":1/", ".elsewhere.example/"])
async def test_requests_stay_on_their_host(path: str) -> None:
    """No path can turn a request towards another host."""
    async with FaultServer(always(Reply())) as server, Exchange(server.url) as exchange:
        with pytest.raises((ValueError, httpx2.InvalidURL), match=r"own host|port"):
            await exchange.post(path, b"", media_type="a/b", headers={}, deadline=soon())
        assert server.seen == []


@pytest.mark.parametrize(
    "url", ["ftp://host", "http://", "host", "http://user:word@host", "file:///etc/passwd"]
)
def test_base_urls_are_checked(url: str) -> None:
    """Only http and https, with a host and without a password."""
    with pytest.raises(ValueError, match="base URL"):
        Exchange(url)


async def test_cancelled_calls_leave_nothing_behind() -> None:
    """After hundreds of calls given up at any moment, the pool serves every next one."""
    server = FaultServer(always(Reply(body=b"x" * 200, drip_bytes=20)))
    async with server, Exchange(server.url, connections_max=4) as exchange:
        for round_number in range(20):
            calls = [asyncio.create_task(_ask(exchange, soon(60_000))) for _ in range(12)]
            for _ in range(round_number):
                await asyncio.sleep(0)
            if round_number % 3:
                await asyncio.wait(calls, timeout=0.005 * round_number)
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        server.script = always(Reply(body=b"fine"))
        answers = await asyncio.gather(*(_ask(exchange) for _ in range(20)))
    assert [answer.body for answer in answers] == [b"fine"] * 20


def _hangs_up_at(*numbers: int) -> Script:
    """Answer, but hang up without a word at the requests of these numbers."""
    seen = count(1)

    def script(_seen: Seen) -> Reply:
        if next(seen) in numbers:
            raise ConnectionResetError
        return Reply(body=b"fine")

    return script


@pytest.mark.parametrize(
    ("hangs_up_at", "is_repeatable", "statuses", "requests"),
    [
        # A kept connection is gone: replaced once.
        ((2,), True, [200, 200], 3),
        ((2, 3), True, [200, None], 3),
        ((2,), False, [200, None], 2),
        # A fresh one that breaks is a failure like any other.
        ((1,), True, [None, 200], 2),
    ],
)
async def test_idle_keep_alive_closed(
    hangs_up_at: tuple[int, ...], is_repeatable: bool, statuses: list[int | None], requests: int
) -> None:
    """A kept connection that is gone costs no failure, and no more than one request."""
    got: list[int | None] = []
    async with (
        FaultServer(_hangs_up_at(*hangs_up_at)) as server,
        Exchange(server.url, connections_max=1) as exchange,
    ):
        for _ in statuses:
            try:
                answer = await exchange.send(
                    "GET", "/", headers={}, deadline=soon(), is_repeatable=is_repeatable
                )
                got.append(answer.status)
            except Truncated:
                got.append(None)
        assert (got, len(server.seen)) == (statuses, requests)
