"""Deliveries to a real receiver: in order, retried, dead, resent, paused, resumed; and the jobs."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from tests.support.clock import VirtualClock
from tests.support.doors import USUAL_RECORDS, WEBHOOK_KEY, fund, in_process, open_usual
from tests.support.receiver import Receiver, receiving

from tandem.ledger.core import limits
from tandem.ledger.core.limits import DEAD_LETTERS_TO_PAUSE, WEBHOOK_ATTEMPTS
from tandem.ledger.local import LocalLedger
from tandem.ledger.storage.memory import MemoryStore
from tandem.ledger.storage.postgres import PostgresStore
from tandem.ledger.webhooks.api import Webhook
from tandem.ledger.webhooks.delivery import Deliverer
from tandem.platform.config import WebhookReach
from tandem.platform.limits import WEBHOOK_ANSWER_BYTES_MAX
from tandem.platform.webhooks import sending
from tandem.platform.webhooks.sealing import SecretBox
from tandem.platform.webhooks.sending import HttpSender, Outcome, open_sender

pytestmark = pytest.mark.anyio

NAME = "hook"


@dataclass
class Stage:
    """A ledger with the usual accounts, a receiver, and a deliverer between them."""

    ledger: LocalLedger
    receiver: Receiver
    deliverer: Deliverer
    ledger_id: int
    clock: VirtualClock

    async def subscribe(self, after: int = 0, kinds: tuple[str, ...] = ()) -> None:
        """Make the webhook."""
        made = await self.ledger.webhooks.put(NAME, url=self.receiver.url, after=after, kinds=kinds)
        assert made.secret is not None
        self.receiver.secrets = [made.secret]

    async def deliver(self) -> Webhook:
        """Deliver what is due, as a job does, and look at the webhook."""
        self.receiver.now = self.clock.now
        await self.deliverer.deliver(self.ledger_id, NAME)
        return await self.look()

    async def look(self) -> Webhook:
        """Look at the webhook."""
        (found,) = await self.ledger.webhooks.subscriptions()
        return found

    async def exhaust(self, attempts: int = WEBHOOK_ATTEMPTS) -> Webhook:
        """Deliver again and again, each time when it is due."""
        for _ in range(attempts):
            found = await self.deliver()
            if found.next_attempt_at is not None:
                self.clock.move(limits.WEBHOOK_LONGEST_PAUSE_S)
        return found


@pytest.fixture(params=["memory", "postgres"])
async def stage(
    request: pytest.FixtureRequest, clock: VirtualClock, postgres_store: PostgresStore
) -> AsyncIterator[Stage]:
    """On either store."""
    store = MemoryStore(clock) if request.param == "memory" else postgres_store
    async with (
        receiving() as receiver,
        open_sender(WebhookReach.LOOPBACK, 2) as sender,
        in_process(store, clock) as ledger,
    ):
        await open_usual(ledger)
        head = await store.head(ledger.name)
        assert head is not None
        deliverer = Deliverer(store, SecretBox(WEBHOOK_KEY), sender, clock, lambda: 1.0)
        yield Stage(ledger, receiver, deliverer, head.ledger_id, clock)


async def test_records_come_in_order_and_signed(stage: Stage) -> None:
    """Every record once, verified by the receiver; the cursor follows; nothing comes twice."""
    await stage.subscribe()
    found = await stage.deliver()
    assert stage.receiver.positions == [1, 2, 3]
    assert stage.receiver.kinds == ["record.open_account"] * 3
    assert stage.receiver.ids == [f"rec_{stage.ledger_id}_{NAME}_{number}" for number in (1, 2, 3)]
    assert (found.position, found.attempts, found.next_attempt_at) == (3, 0, None)
    await fund(stage.ledger, "wallets:a", 5)
    await stage.deliver()
    await stage.deliver()
    assert stage.receiver.positions == [1, 2, 3, 4]


async def test_only_wanted_kinds_come(stage: Stage) -> None:
    """The others are passed over, also where they are the last."""
    await stage.subscribe(kinds=("transaction",))
    await fund(stage.ledger, "wallets:a", 5)
    await stage.ledger.open_account("x", asset="EUR/2", account_class="asset", idempotency_key="x")
    assert (await stage.deliver()).position == USUAL_RECORDS + 2
    assert stage.receiver.positions == [USUAL_RECORDS + 1]


async def test_a_refused_record_holds_up_the_others_and_is_tried_again(stage: Stage) -> None:
    """Not before its time, and later each time; then it comes, and the others after it."""
    await stage.subscribe()
    stage.receiver.refusing = {2}
    found = await stage.deliver()
    assert (found.position, found.attempts, found.last_error) == (
        1,
        1,
        "the receiver answered 500",
    )
    assert found.next_attempt_at is not None
    waits_s = (found.next_attempt_at - stage.clock.now).total_seconds()
    assert waits_s == limits.WEBHOOK_FIRST_PAUSE_S
    assert (await stage.deliver()).attempts == 1
    stage.clock.move(waits_s)
    found = await stage.deliver()
    assert found.next_attempt_at is not None
    assert (found.next_attempt_at - stage.clock.now).total_seconds() == 2 * waits_s
    stage.receiver.refusing = set()
    stage.clock.move(2 * waits_s)
    assert (await stage.deliver()).last_error is None
    assert stage.receiver.positions == [1, 2, 3]
    assert stage.receiver.refused == [2, 2]


async def test_a_record_that_dies_lets_the_others_pass(stage: Stage) -> None:
    """After the last attempt it is a dead letter; sent again when asked, and then it is gone."""
    await stage.subscribe()
    stage.receiver.refusing = {2}
    found = await stage.exhaust()
    assert (found.position, found.dead_letters, found.status) == (3, 1, "active")
    assert stage.receiver.positions == [1, 3]
    assert len(stage.receiver.refused) == WEBHOOK_ATTEMPTS
    webhooks = stage.ledger.webhooks
    (letter,) = await webhooks.dead_letters(NAME)
    assert (letter.position, letter.attempts) == (2, WEBHOOK_ATTEMPTS)
    await webhooks.resend(NAME, 2)
    assert (await webhooks.dead_letters(NAME))[0].resending
    await stage.deliver()
    (letter,) = await webhooks.dead_letters(NAME)
    assert (letter.attempts, letter.resending) == (WEBHOOK_ATTEMPTS + 1, False)
    stage.receiver.refusing = set()
    await webhooks.resend(NAME, 2)
    assert (await stage.deliver()).dead_letters == 0
    assert stage.receiver.positions == [1, 3, 2]


async def test_a_receiver_that_takes_nothing_is_paused(stage: Stage) -> None:
    """So many dead in a row are the receiver's fault; resumed, it goes on where it was."""
    await stage.subscribe()
    for _ in range(3):
        await fund(stage.ledger, "wallets:a", 1)
    stage.receiver.refusing = set(range(1, 10))
    found = await stage.exhaust(DEAD_LETTERS_TO_PAUSE * WEBHOOK_ATTEMPTS)
    assert (found.status, found.position) == ("paused", DEAD_LETTERS_TO_PAUSE)
    stage.receiver.refusing = set()
    assert (await stage.deliver()).position == DEAD_LETTERS_TO_PAUSE
    await stage.ledger.webhooks.resume(NAME)
    await stage.deliver()
    assert stage.receiver.positions == [4, 5, 6]


async def test_gone_means_gone(stage: Stage) -> None:
    """410 pauses at once; the record is not lost."""
    await stage.subscribe()
    stage.receiver.refusing, stage.receiver.status = {2}, 410
    found = await stage.deliver()
    assert (found.status, found.position, found.dead_letters) == ("paused", 1, 0)


async def test_a_receiver_can_ask_for_time(stage: Stage) -> None:
    """`Retry-After` is heeded where it is longer than ours."""
    await stage.subscribe()
    stage.receiver.refusing, stage.receiver.status = {1}, 429
    stage.receiver.headers = {"Retry-After": "120"}
    found = await stage.deliver()
    assert found.next_attempt_at is not None
    assert (found.next_attempt_at - stage.clock.now).total_seconds() == 120


async def test_both_secrets_sign_while_one_is_rotated(stage: Stage) -> None:
    """A receiver that knows only the old one, or only the new one verifies."""
    await stage.subscribe()
    first = stage.receiver.secrets[0]
    second = (await stage.ledger.webhooks.rotate_secret(NAME)).secret
    await stage.deliver()
    assert stage.receiver.positions == [1, 2, 3]
    assert second is not None
    stage.receiver.secrets = [second]
    await fund(stage.ledger, "wallets:a", 1)
    await stage.deliver()
    await stage.ledger.webhooks.rotate_secret(NAME)
    stage.receiver.secrets = [second]
    await fund(stage.ledger, "wallets:a", 1)
    await stage.deliver()
    assert stage.receiver.positions == [1, 2, 3, 4, 5]
    assert first != second


async def test_two_deliverers_repeat_and_never_skip(stage: Stage) -> None:
    """Both at once, as when a worker was taken for dead: first deliveries are in order."""
    await stage.subscribe()
    for _ in range(10):
        await fund(stage.ledger, "wallets:a", 1)
    stage.receiver.now = stage.clock.now
    work = (stage.deliverer.deliver(stage.ledger_id, NAME) for _ in range(2))
    await asyncio.gather(*work)
    await stage.deliver()
    assert stage.receiver.first_deliveries == [*range(1, 14)]


# -- sending -------------------------------------------------------------------------------------


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """A server that reads a bit, answers these bytes, and keeps the connection."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(64)
        writer.write(answer)
        try:
            await writer.drain()
            await reader.read()
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/"


async def send(url: str, reach: WebhookReach = WebhookReach.LOOPBACK) -> Outcome:
    """Send once."""
    headers: Mapping[str, str] = {}
    async with open_sender(reach, 2) as sender:
        assert isinstance(sender, HttpSender)
        return await sender.send(url, headers, b"{}")


async def test_a_long_answer_is_not_read() -> None:
    """A body of a gigabyte that never comes does not keep us."""
    start = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"
    async with answering(start + b"x" * (WEBHOOK_ANSWER_BYTES_MAX + 1)) as url:
        assert (await send(url)).error is None


async def test_a_redirect_is_not_followed() -> None:
    """It could lead to where the URL may not."""
    answer = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    async with answering(answer) as url:
        assert (await send(url)).error == "the receiver answered 302"


async def test_a_silent_receiver_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time for the whole attempt is bounded."""
    monkeypatch.setattr(sending, "WEBHOOK_TIMEOUT_MS", 50)
    async with answering(b"") as url:
        assert (await send(url)).error == "no answer within 50 ms"


async def test_a_private_address_is_refused_and_a_closed_port_is_an_error() -> None:
    """Neither is an exception."""
    async with answering(b"HTTP/1.1 200 OK\r\n\r\n") as url:
        refused = await send(url, WebhookReach.PUBLIC)
    assert refused.error == "127.0.0.1 is not an address that webhooks may be sent to"
    assert (await send(url)).error == "the receiver cannot be reached (ConnectError)"
