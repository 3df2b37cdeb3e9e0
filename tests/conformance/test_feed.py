"""The change feed: every record once, in commit order, from any position on, through each door."""

import asyncio
from collections.abc import AsyncGenerator
from typing import cast

import pytest
from starlette.types import Message
from tests.support.clock import VirtualClock
from tests.support.doors import (
    USUAL_RECORDS,
    LedgerServer,
    Wire,
    code_of,
    fresh_name,
    fund,
    in_process,
    open_usual,
    refused,
)
from tests.support.processes import within

from tandem.ledger import api
from tandem.ledger.client import SyncLedgerClient
from tandem.ledger.core.limits import FEED_PAGE_SIZE, MAX_FEED_WAIT_MS
from tandem.ledger.feed import HeadWatcher, resumed
from tandem.ledger.http import feed
from tandem.ledger.storage.memory import MemoryStore
from tandem.ledger.storage.port import Head
from tandem.ledger.storage.postgres import PostgresStore

pytestmark = pytest.mark.anyio

RECORDS = 2 * FEED_PAGE_SIZE + 7


async def take(ledger: api.Ledger, after: int, count: int) -> list[int]:
    """Follow from a position until so many records have come; give their positions."""
    positions: list[int] = []
    async for record in ledger.follow(after=after):
        positions.append(record.position)
        if len(positions) == count:
            break
    return positions


async def fund_many(ledger: api.Ledger, count: int) -> None:
    """Write so many transfers, several at a time."""
    for start in range(0, count, 50):
        await asyncio.gather(*(fund(ledger, "wallets:a", 1) for _ in range(min(50, count - start))))


async def test_a_page_begins_after_a_position(ledger: api.Ledger) -> None:
    """The records after a position in order; after the last there are none; positions say where."""
    page = await ledger.changes()
    assert [record.position for record in page.items] == [1, 2, 3]
    assert page.items == (await ledger.records()).items
    assert [record.position for record in (await ledger.changes(after=1, limit=1)).items] == [2]
    assert (await ledger.changes(after=USUAL_RECORDS)).items == ()
    assert (await ledger.changes(after=USUAL_RECORDS, wait_ms=1)).items == ()


@pytest.mark.parametrize(
    "query", [{"after": -1}, {"wait_ms": -1}, {"wait_ms": MAX_FEED_WAIT_MS + 1}, {"limit": 0}]
)
async def test_an_odd_page_is_refused(ledger: api.Ledger, query: dict[str, int]) -> None:
    """Positions, waits and sizes have bounds."""
    refusal = await refused(ledger.changes(**query))
    assert (refusal.code, refusal.field) == ("malformed", next(iter(query)))


async def test_a_long_poll_wakes_on_a_record(ledger: api.Ledger) -> None:
    """Those who wait are answered by the next record, and not by the end of their wait."""
    waits = [
        asyncio.create_task(ledger.changes(after=USUAL_RECORDS, wait_ms=MAX_FEED_WAIT_MS))
        for _ in range(3)
    ]
    await asyncio.sleep(0)
    record = await fund(ledger, "wallets:a", 5)
    for wait in waits:
        assert [item.position for item in (await within(wait)).items] == [record.position]


async def test_following_sees_every_record_once(ledger: api.Ledger) -> None:
    """From the beginning and from the middle, while records are being written, without a gap."""
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        whole = tasks.create_task(take(ledger, 0, USUAL_RECORDS + RECORDS))
        part = tasks.create_task(take(ledger, 2, 1 + RECORDS))
        tasks.create_task(fund_many(ledger, RECORDS))
    assert whole.result() == list(range(1, USUAL_RECORDS + RECORDS + 1))
    assert part.result() == list(range(3, USUAL_RECORDS + RECORDS + 1))


async def test_another_process_wakes_a_waiter(
    postgres_store: PostgresStore, clock: VirtualClock
) -> None:
    """A record of another writer is noticed by polling the head."""
    name = fresh_name()
    async with (
        in_process(postgres_store, clock, name) as one,
        in_process(postgres_store, clock, name) as other,
    ):
        wait = asyncio.create_task(one.changes(wait_ms=MAX_FEED_WAIT_MS))
        await open_usual(other)
        assert len((await within(wait)).items) > 0


class CountingStore(MemoryStore):
    """A store that counts how often a head is read."""

    heads_read = 0

    async def head(self, name: str) -> Head | None:
        """Count and read."""
        self.heads_read += 1
        return await super().head(name)


async def test_the_head_is_polled_once_and_only_while_somebody_waits() -> None:
    """A hundred waiters are one poll; none are none; closing answers all of them."""
    store = CountingStore(lambda: 0)
    await store.create("main")
    watcher = HeadWatcher(store, "main", poll_ms=1)
    assert not any(await asyncio.gather(*(watcher.beyond(0, 30) for _ in range(100))))
    polls = store.heads_read
    assert 1 <= polls <= 31
    assert not await watcher.beyond(0, 0)
    waits = [asyncio.create_task(watcher.beyond(0, MAX_FEED_WAIT_MS)) for _ in range(3)]
    await asyncio.sleep(0)
    watcher.close()
    assert not any([await within(wait) for wait in waits])


async def test_an_in_process_follower_ends_with_the_ledger(clock: VirtualClock) -> None:
    """It gets what there is, waits, and ends when the ledger closes."""
    async with in_process(MemoryStore(clock), clock) as ledger:
        await open_usual(ledger)
        positions: list[int] = []

        async def follow() -> None:
            positions.extend([record.position async for record in ledger.follow()])

        following = asyncio.create_task(follow())
        await ledger.changes(after=USUAL_RECORDS, wait_ms=1)
    await within(following)
    assert positions == [1, 2, 3]


def _record(position: int) -> api.Record:
    return cast("api.Record", type("Record", (), {"position": position})())


async def test_streams_are_joined_without_gap_or_repetition() -> None:
    """Streams that break off, repeat, or skip give each record once; a real refusal is raised."""
    scripts: list[list[int | api.RefusalCode]] = [
        [1, 2, api.RefusalCode.UNAVAILABLE],
        [2, 3, 5],
        [],
        [4, 5, api.RefusalCode.FORBIDDEN],
    ]
    begun: list[int] = []

    async def stream(after: int) -> AsyncGenerator[api.Record]:
        begun.append(after)
        for step in scripts.pop(0):
            if isinstance(step, int):
                yield _record(step)
            else:
                raise api.Refused(api.Refusal(step, "no"))

    positions: list[int] = []

    async def follow() -> None:
        records = resumed(stream, 0, pause_s=lambda _: 0.0, over=lambda: False)
        while True:
            positions.append((await anext(records)).position)

    assert (await refused(follow())).code == "forbidden"
    assert positions == [1, 2, 3, 4, 5]
    assert begun == [0, 2, 3, 3]


# -- server-sent events --------------------------------------------------------------------------


async def read_events(wire: Wire, path: str, count: int, **headers: str) -> list[tuple[str, str]]:
    """Read events off a stream; give the id and kind of each."""
    events: list[tuple[str, str]] = []
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with wire.server.http.sse(wire.path + path, headers=named) as source:
        assert source.response.headers["content-type"].startswith("text/event-stream")
        async for event in source:
            if event.event == "message":
                continue
            events.append((event.id, event.event))
            if len(events) == count:
                break
    return events


async def test_events_carry_their_position(wire: Wire) -> None:
    """The id is the position; `Last-Event-ID` resumes and wins; both URLs give the same."""
    wanted = [("2", "record"), ("3", "record")]
    assert await read_events(wire, "/records/stream?after=1", 2) == wanted
    assert await read_events(wire, "/records/stream", 2, Last_Event_ID="1") == wanted
    assert await read_events(wire, "/records/stream?after=3", 2, Last_Event_ID="1") == wanted
    assert await read_events(wire, "/records?after=1", 2) == wanted


@pytest.mark.parametrize(
    "path",
    [
        "/records/stream?after=-1",
        "/records/stream?since=1",
        "/records?after=1&kind=hold",
        "/records?after=1&metadata[a]=b",
        "/records?wait_ms=1&cursor=x",
        "/records?after=x",
    ],
)
async def test_the_feed_takes_no_filter(wire: Wire, path: str) -> None:
    """What it does not know is refused, never ignored."""
    assert code_of(await wire.get(path)) == "malformed"


async def test_an_odd_last_event_is_refused(wire: Wire) -> None:
    """A position, or nothing."""
    assert code_of(await wire.get("/records/stream", Last_Event_ID="a")) == "malformed"


async def test_a_silent_stream_sends_heartbeats(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comments that nobody sees but the connection."""
    monkeypatch.setattr(feed, "FEED_HEARTBEAT_MS", 1)
    async with wire.server.http.stream("GET", f"{wire.path}/records/stream?after=3") as answer:
        async for line in answer.aiter_lines():
            if line == ": heartbeat":
                break


async def test_streams_are_bounded() -> None:
    """One more than a process may serve is refused, and an ended one makes room."""
    slots = feed.Slots(1)
    slots.take()
    with pytest.raises(api.Refused) as caught:
        slots.take()
    assert caught.value.code == "overloaded"
    slots.give_back()
    slots.take()


async def test_a_stream_ends_clearly_when_the_ledger_closes(clock: VirtualClock) -> None:
    """What is left is sent, then the reason."""
    async with in_process(MemoryStore(clock), clock) as ledger:
        await open_usual(ledger)
    pieces = [piece async for piece in feed.events(ledger, 1)]
    assert b"id: 2\nevent: record" in pieces[1]
    assert pieces[-1] == b'event: end\ndata: {"reason": "draining"}\n\n'


async def test_a_consumer_that_takes_nothing_is_cut_off(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the stall time the stream is over, and its slot is free."""
    monkeypatch.setattr(feed, "FEED_STALL_MS", 20)
    slots = feed.Slots(1)

    async def receive() -> Message:
        await asyncio.Event().wait()
        return {}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    async with in_process(MemoryStore(clock), clock) as ledger:
        scope = {"type": "http", "asgi": {"spec_version": "2.3"}}
        stream = feed.EventStream(ledger, 0, slots)
        await asyncio.wait_for(stream(scope, receive, send), 10)
    slots.take()


async def test_the_synchronous_client_follows(ledger_server: LedgerServer) -> None:
    """An ordinary loop in a thread, left in the middle and taken up again."""
    token = str(ledger_server.http.headers["Authorization"]).removeprefix("Bearer ")

    def follow() -> list[int]:
        with SyncLedgerClient(ledger_server.url, token, ledger=fresh_name()) as ledger:
            ledger.create_ledger()
            for wallet in ("a", "b", "c"):
                ledger.open_account(
                    wallet, asset="EUR/2", account_class="asset", idempotency_key=wallet
                )
            seen = []
            for record in ledger.follow():
                seen.append(record.position)
                if len(seen) == 2:
                    break
            seen.append(next(iter(ledger.follow(after=2))).position)
            assert ledger.changes(after=3, wait_ms=1).items == ()
            return seen

    assert await asyncio.to_thread(follow) == [1, 2, 3]
