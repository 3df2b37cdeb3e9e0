"""A lean HTTP/1.1 client in a process of its own: `python -m bench.ledger.driver`.

It sends prepared bytes and reads no more of an answer than it must, so that the client takes as
little as possible of what client, server and database share. One request at a time a connection.
"""

import argparse
import asyncio
import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, cast

import uvloop

from bench.ledger.child import serve
from bench.ledger.load import address, timed

_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"

type Make = Callable[[], bytes]


class Connection(asyncio.Protocol):
    """One connection: a request, then its answer."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._waiter: asyncio.Future[bytes] | None = None
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Collect an answer until it is whole."""
        self._buffer += data
        head = self._buffer.find(_END)
        if head < 0 or len(self._buffer) < head + len(_END) + _length(self._buffer[:head]):
            return
        answer, self._buffer = bytes(self._buffer), bytearray()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail whoever waits."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(exc or ConnectionResetError("the server hung up"))

    async def ask(self, request: bytes) -> bytes:
        """Send a request; return the whole answer."""
        assert self._transport is not None  # noqa: S101 - connected before it is handed out
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiter


def _length(head: bytes | bytearray) -> int:
    lowered = bytes(head).lower()
    start = lowered.find(_LENGTH)
    if start < 0:
        raise SystemExit(f"an answer without a length: {bytes(head)!r}")
    return int(lowered[start + len(_LENGTH) :].split(b"\r\n", 1)[0])


@dataclass(slots=True)
class Requests:
    """Makes requests to one ledger over its accounts."""

    host: str
    ledger: str
    token: str
    accounts: int
    dice: random.Random = field(default_factory=lambda: random.Random(3))
    serial: Iterator[int] = field(default_factory=count)

    def single(self) -> bytes:
        """One transfer."""
        key = f"Idempotency-Key: h-{next(self.serial)}\r\n"
        return self._request("transfers", "{" + self._transfer() + "}", key)

    def batch(self, size: int) -> bytes:
        """A batch of transfers."""
        commands = ",".join(
            f'{{"kind":"transfer","idempotency_key":"h-{next(self.serial)}",{self._transfer()}}}'
            for _ in range(size)
        )
        return self._request("batches", f'{{"mode":"independent","commands":[{commands}]}}', "")

    def _transfer(self) -> str:
        source = int(self.dice.random() * self.accounts)
        target = source + 1 + int(self.dice.random() * (self.accounts - 1))
        return (
            f'"debit_account":"{address(source)}",'
            f'"credit_account":"{address(target % self.accounts)}","amount_minor":1'
        )

    def _request(self, what: str, body: str, key: str) -> bytes:
        return (
            f"POST /v1/ledgers/{self.ledger}/{what} HTTP/1.1\r\nHost: {self.host}\r\n"
            f"Authorization: Bearer {self.token}\r\nContent-Type: application/json\r\n{key}"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


def check(answer: bytes, status: bytes) -> None:
    """Stop the run at any other status, and at a refusal within a batch."""
    if not answer.startswith(b"HTTP/1.1 " + status) or b'"refusal"' in answer:
        raise SystemExit(f"the server answered {answer[:600]!r}")


async def drive(
    host: str, port: int, make: Make, status: bytes, total: int, connections: int
) -> dict[str, Any]:
    """Send so many requests over so many connections; making them counts too."""
    loop, left, took = asyncio.get_running_loop(), iter(range(total)), list[float]()
    opened = [await loop.create_connection(Connection, host, port) for _ in range(connections)]

    async def caller(connection: Connection) -> None:
        for _ in left:
            request = make()
            began = time.perf_counter()
            check(await connection.ask(request), status)
            took.append(time.perf_counter() - began)

    started = time.perf_counter()
    await asyncio.gather(*(caller(protocol) for _, protocol in opened))
    result = timed(took, time.perf_counter() - started)
    for transport, _ in opened:
        transport.close()
    return {"rate": result.rate, "p50_ms": result.p50_ms, "p99_ms": result.p99_ms}


async def run(requests: Requests, host: str, port: int) -> None:
    """Drive when asked: single requests, or batches where their size is given."""

    async def work(asked: dict[str, Any]) -> dict[str, Any]:
        size: int | None = asked.get("batch")
        make = requests.single if size is None else lambda: requests.batch(size)
        status = b"201" if size is None else b"200"
        return await drive(host, port, make, status, asked["requests"], asked["connections"])

    await serve(work)


def main() -> None:
    """Read where to send; the API key comes by the first line of the input, not by an argument."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("ledger")
    parser.add_argument("accounts", type=int)
    arguments = parser.parse_args()
    token = json.loads(input())["token"]
    host = "127.0.0.1"
    requests = Requests(host, arguments.ledger, token, arguments.accounts)
    uvloop.run(run(requests, host, arguments.port))


if __name__ == "__main__":
    main()
