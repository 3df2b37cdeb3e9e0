"""Webhooks through each door: made, changed, rotated, listed, ended; and what is refused."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.clock import VirtualClock
from tests.support.doors import (
    USUAL_RECORDS,
    LedgerServer,
    Wire,
    code_of,
    fresh_name,
    in_process,
    refused,
)

from tandem.ledger import api
from tandem.ledger.client import SyncLedgerClient
from tandem.ledger.core.limits import MAX_WEBHOOKS_PER_LEDGER
from tandem.ledger.local import LocalLedger
from tandem.ledger.service import LedgerService
from tandem.ledger.storage.memory import MemoryStore
from tandem.ledger.storage.postgres import PostgresStore
from tandem.ledger.storage.webhooks import Due, Letter, Subscription
from tandem.platform.auth import Permission
from tandem.platform.webhooks.signing import write_secret

pytestmark = pytest.mark.anyio

URL = "https://example.com/hook"
SECRET = write_secret(bytes(32))


async def test_a_webhook_begins_now_or_where_it_is_told(ledger: api.Ledger) -> None:
    """Its secret is shown once; making it again changes URL and kinds and nothing else."""
    made = await ledger.webhooks.put("one", url=URL)
    assert made.secret is not None
    assert (made.position, made.status, made.kinds) == (USUAL_RECORDS, "active", ())
    assert made.created_at <= datetime.now(UTC)
    told = await ledger.webhooks.put("two", url=URL, kinds=["hold"], after=1, secret=SECRET)
    assert (told.position, told.secret, told.kinds) == (1, SECRET, ("hold",))
    again = await ledger.webhooks.put("two", url=f"{URL}2", after=2, secret=write_secret(b"x" * 32))
    assert (again.position, again.secret, again.url, again.kinds) == (1, None, f"{URL}2", ())
    listed = await ledger.webhooks.subscriptions()
    assert [(one.name, one.url, one.secret) for one in listed] == [
        ("one", URL, None),
        ("two", f"{URL}2", None),
    ]
    await ledger.webhooks.delete("one")
    await ledger.webhooks.delete("one")
    assert [one.name for one in await ledger.webhooks.subscriptions()] == ["two"]


async def test_a_secret_is_rotated_without_harm(ledger: api.Ledger) -> None:
    """A new one is shown; the same one again changes nothing."""
    await ledger.webhooks.put("one", url=URL, secret=SECRET)
    fresh = (await ledger.webhooks.rotate_secret("one")).secret
    assert fresh not in (None, SECRET)
    assert (await ledger.webhooks.rotate_secret("one", secret=fresh)).secret == fresh
    assert (await ledger.webhooks.resume("one")).status == "active"


@pytest.mark.parametrize(
    ("field", "members"),
    [
        ("url", {"url": "ftp://example.com"}),
        ("url", {"url": "https://user:word@example.com"}),
        ("name", {"name": "No Name"}),
        ("kinds", {"kinds": ["nothing"]}),
        ("secret", {"secret": "whsec_short"}),
        ("after", {"after": USUAL_RECORDS + 1}),
        ("after", {"after": -1}),
    ],
)
async def test_odd_webhooks_are_refused(
    shared_ledger: api.Ledger, field: str, members: dict[str, Any]
) -> None:
    """Each member has its form."""
    asked = {"name": "odd", "url": URL, **members}
    refusal = await refused(shared_ledger.webhooks.put(asked.pop("name"), **asked))
    assert (refusal.code, refusal.field) == ("malformed", field)


async def test_what_is_not_there_is_not_found(shared_ledger: api.Ledger) -> None:
    """Webhooks and dead letters."""
    webhooks = shared_ledger.webhooks
    for call in (
        webhooks.rotate_secret("none"),
        webhooks.resume("none"),
        webhooks.dead_letters("none"),
        webhooks.resend("none", 1),
    ):
        assert (await refused(call)).code == "webhook_not_found"
    await webhooks.put("there", url=URL)
    assert (await refused(webhooks.resend("there", 1))).code == "webhook_not_found"
    assert await webhooks.dead_letters("there") == ()


async def test_a_ledger_has_a_bounded_number(timed: LocalLedger) -> None:
    """One more is refused; changing one that is there is not."""
    for number in range(MAX_WEBHOOKS_PER_LEDGER):
        await timed.webhooks.put(f"hook-{number}", url=URL)
    assert (await refused(timed.webhooks.put("more", url=URL))).code == "too_large"
    await timed.webhooks.put("hook-0", url=f"{URL}2")


async def test_without_a_key_no_secret_is_kept(clock: VirtualClock) -> None:
    """A process that cannot seal refuses to make a webhook."""
    ledgers = LedgerService(MemoryStore(clock), clock)
    ledger = await ledgers.create_ledger("main")
    assert (await refused(ledger.webhooks.put("one", url=URL))).code == "unavailable"
    await ledgers.close()


async def test_changing_webhooks_takes_admin(wire: Wire) -> None:
    """A key that may read and write cannot send records anywhere."""
    token = await wire.server.keys.create_key("clerk", [Permission.READ, Permission.WRITE])
    clerk = {"Authorization": f"Bearer {token}"}
    calls = [
        ("PUT", "/webhooks/one", {"url": URL}),
        ("DELETE", "/webhooks/one", None),
        ("PUT", "/webhooks/one/secret", {}),
        ("POST", "/webhooks/one/resumption", {}),
        ("POST", "/webhooks/one/dead-letters/1/resending", {}),
    ]
    for method, path, body in calls:
        assert code_of(await wire.send(method, path, body, **clerk)) == "forbidden"
    answer = await wire.send("GET", "/webhooks", **clerk)
    assert answer.json() == {"items": []}


async def test_the_synchronous_client_has_them(ledger_server: LedgerServer) -> None:
    """The same calls, without `await`."""
    token = str(ledger_server.http.headers["Authorization"]).removeprefix("Bearer ")

    def look_after() -> list[str]:
        with SyncLedgerClient(ledger_server.url, token, ledger=fresh_name()) as ledger:
            ledger.create_ledger()
            assert ledger.webhooks.put("one", url=URL, secret=SECRET).secret == SECRET
            assert ledger.webhooks.rotate_secret("one").secret is not None
            assert ledger.webhooks.resume("one").name == "one"
            assert ledger.webhooks.dead_letters("one") == ()
            with pytest.raises(api.Refused):
                ledger.webhooks.resend("one", 1)
            names = [one.name for one in ledger.webhooks.subscriptions()]
            ledger.webhooks.delete("one")
            return names

    assert await asyncio.to_thread(look_after) == ["one"]


# -- the stores ----------------------------------------------------------------------------------


async def test_the_stores_agree(postgres_store: PostgresStore, clock: VirtualClock) -> None:
    """Cursors, dead letters and what is due come out of both stores alike."""
    seen = []
    for store in (MemoryStore(clock), postgres_store):
        async with in_process(store, clock) as ledger:
            seen.append(await _story(store, ledger))
    assert seen[0] == seen[1]


async def _story(store: MemoryStore | PostgresStore, ledger: LocalLedger) -> list[object]:
    found = await store.head(ledger.name)
    assert found is not None
    ledger_id, webhooks = found.ledger_id, store.webhooks
    fresh = Subscription(
        ledger_id,
        "a",
        URL,
        ("hold",),
        (b"1", b"\0"),
        True,
        0,
        0,
        0,
        0,
        None,
        5,
    )
    told: list[object] = []

    async def tell() -> None:
        due = [one for one in await webhooks.due(100, 1_000) if one.ledger_id == ledger_id]
        assert due in ([], [Due(ledger_id, "a")])
        told.append(len(due))
        told.extend(
            (one._replace(ledger_id=0), dead) for one, dead in await webhooks.all(ledger_id)
        )
        told.append(await webhooks.letters(ledger_id, "a", 0, 10))

    assert await webhooks.put(fresh, 1) == fresh
    assert await webhooks.put(fresh._replace(name="b"), 1) is None
    await tell()
    await ledger.open_account("x", asset="EUR/2", account_class="asset", idempotency_key="x")
    await tell()
    later = fresh._replace(attempts=1, next_attempt_at_us=101, last_error="no")
    assert await webhooks.settle(fresh, later)
    assert not await webhooks.settle(fresh, later)
    await tell()
    moved = fresh._replace(position=1, dead_in_a_row=1)
    assert await webhooks.settle(later, moved, Letter(1, 2, "no", 7))
    assert not await webhooks.settle(moved._replace(created_at_us=6), moved, Letter(2, 2, "x", 7))
    await tell()
    assert await webhooks.change_letter(ledger_id, "a", Letter(1, 2, "no", 7, resending=True))
    assert not await webhooks.change_letter(ledger_id, "a", Letter(2, 2, "no", 7))
    told.append(await webhooks.resending(ledger_id, "a", 10))
    told.append([await webhooks.letter(ledger_id, "a", position) for position in (1, 2)])
    await tell()
    await webhooks.remove_letter(ledger_id, "a", 1)
    await webhooks.change_secrets(ledger_id, "a", [b"2"])
    await tell()
    await webhooks.delete(ledger_id, "a")
    assert await webhooks.get(ledger_id, "a") is None
    await tell()
    return told
