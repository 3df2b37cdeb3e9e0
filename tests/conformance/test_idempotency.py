"""Idempotency: the first outcome of a key is its outcome, for ever."""

import asyncio
from typing import Any

import pytest
from tests.support.clock import VirtualClock
from tests.support.doors import (
    USUAL_RECORDS,
    LedgerServer,
    Wire,
    available,
    code_of,
    fresh_name,
    fund,
    head,
    in_process,
    open_usual,
    refused,
)

from tandem.ledger import api, commands
from tandem.ledger.local import LocalLedger

pytestmark = pytest.mark.anyio


def _spend(ledger: api.Ledger, key: str | None = "spend", amount_minor: int = 60) -> Any:
    return ledger.transfer(
        debit_account="wallets:a",
        credit_account="wallets:b",
        amount_minor=amount_minor,
        idempotency_key=key,
    )


async def test_the_same_command_again_is_a_replay(ledger: api.Ledger) -> None:
    """It gives the first record, marked, and moves nothing."""
    first = await fund(ledger, "wallets:a", 100, "key")
    before = await head(ledger)
    for _ in range(3):
        again = await fund(ledger, "wallets:a", 100, "key")
        assert again.replayed
        assert again.position == first.position
        assert (again.entries, again.recorded_at) == (first.entries, first.recorded_at)
    assert not first.replayed
    assert (await head(ledger), await available(ledger, "wallets:a")) == (before, 100)


async def test_every_kind_of_command_is_replayed(ledger: api.Ledger) -> None:
    """Whatever a key did once, it does not do twice, even where the state has moved on."""
    entries = [api.debit("wallets:a", 10), api.credit("wallets:b", 10)]
    await fund(ledger, "wallets:a", 20, "fund")

    async def everything() -> list[Any]:
        opened = await ledger.open_account(
            "new", asset="EUR/2", account_class="asset", metadata={"b": "1", "a": "2"},
            idempotency_key="1",
        )  # fmt: skip
        frozen = await ledger.update_account("new", status="frozen", idempotency_key="2")
        posted = await ledger.post_transaction(entries, idempotency_key="3")
        hold = await ledger.hold(entries, capture_limit_minor=10, idempotency_key="4")
        capture = await ledger.capture(hold.position, amount_minor=4, idempotency_key="5")
        release = await ledger.release(hold.position, idempotency_key="6")
        reversal = await ledger.reverse(posted.position, idempotency_key="7")
        positions = [it.position for it in (posted, hold, capture, release, reversal)]
        return [opened, frozen, *positions]

    first = await everything()
    before = await head(ledger)
    await ledger.update_account("new", status="closed", idempotency_key="close")
    assert await everything() == first
    assert await head(ledger) == before + 1


async def test_a_key_belongs_to_one_command(ledger: api.Ledger) -> None:
    """With another body, of whatever kind, it is refused, and nothing is written."""
    await fund(ledger, "wallets:a", 100, "key")
    before = await head(ledger)
    entries = [api.debit("cash", 100), api.credit("wallets:a", 100)]
    for write in (
        fund(ledger, "wallets:a", 101, "key"),
        fund(ledger, "wallets:b", 100, "key"),
        fund(ledger, "nobody", 100, "key"),
        ledger.post_transaction(entries, reference="r", idempotency_key="key"),
        ledger.post_transaction(entries, metadata={"a": "b"}, idempotency_key="key"),
        ledger.post_transaction(entries[::-1], idempotency_key="key"),
        ledger.post_transaction(
            [api.debit("cash", 100, "EUR/2"), entries[1]], idempotency_key="key"
        ),
        ledger.hold(entries, idempotency_key="key"),
        ledger.capture(1, idempotency_key="key"),
        ledger.update_account("cash", status="frozen", idempotency_key="key"),
        ledger.submit_batch([commands.release(1)], mode="atomic", idempotency_key="key"),
    ):
        refusal = await refused(write)
        assert (refusal.code, refusal.field) == ("idempotency_key_reused", "idempotency_key")
    assert await head(ledger) == before


async def test_equal_commands_may_be_written_differently(ledger: api.Ledger) -> None:
    """Digits or integer, a transfer or its two entries, metadata in any order: one command."""
    first = await ledger.post_transaction(
        [api.debit("cash", 5), api.credit("wallets:a", 5)],
        metadata={"a": "1", "b": "2"},
        idempotency_key="key",
    )
    again = await ledger.transfer(
        debit_account="cash",
        credit_account="wallets:a",
        amount_minor="5",
        metadata={"b": "2", "a": "1"},
        idempotency_key="key",
    )
    assert (again.replayed, again.position) == (True, first.position)


async def test_a_refusal_stays_a_refusal(ledger: api.Ledger) -> None:
    """Even where the same command would succeed by now; another key may succeed."""
    with pytest.raises(api.Refused) as first:
        await _spend(ledger)
    await fund(ledger, "wallets:a", 100)
    with pytest.raises(api.Refused) as again:
        await _spend(ledger)
    assert again.value.refusal == first.value.refusal
    assert (first.value.replayed, again.value.replayed) == (False, True)
    await _spend(ledger, "another")
    assert await available(ledger, "wallets:b") == 60


async def test_the_first_answer_comes_back_byte_for_byte(wire: Wire) -> None:
    """On the wire a replay is the first body again, with a header that says so."""
    await fund(wire.ledger, "wallets:a", 10)
    position = await head(wire.ledger)
    for path, body, status in (
        ("/transfers", {"debit_account": "cash", "credit_account": "wallets:a",
                        "amount_minor": "12", "metadata": {"\U0001f6b2": "<&>"}}, 201),
        ("/accounts", {"address": "new", "asset": "EUR/2", "account_class": "asset"}, 201),
        (f"/transactions/{position}/reversals", {"amount_minor": 3}, 201),
        ("/transfers", {"debit_account": "wallets:b", "credit_account": "wallets:a",
                        "amount_minor": 99999}, 422),
        ("/holds/2/captures", {}, 404),
    ):  # fmt: skip
        key = f"key-{path}-{status}".replace("/", "-")
        first = await wire.post(path, body, Idempotency_Key=key)
        await fund(wire.ledger, "wallets:b", 1_000)
        again = await wire.post(path, body, Idempotency_Key=key)
        assert (first.status_code, again.status_code) == (status, status)
        assert again.content == first.content
        assert again.headers["content-type"] == first.headers["content-type"]
        assert "idempotency-replayed" not in first.headers
        assert again.headers["idempotency-replayed"] == "true"


async def test_one_key_twice_in_a_batch_has_one_effect(ledger: api.Ledger) -> None:
    """Both are answered with it; another body under the key is refused in its place."""
    move = commands.transfer(
        debit_account="cash", credit_account="wallets:a", amount_minor=5, idempotency_key="key"
    )
    other = commands.transfer(
        debit_account="cash", credit_account="wallets:a", amount_minor=6, idempotency_key="key"
    )
    receipts = await ledger.submit_batch([move, other, move])
    assert [receipt.replayed for receipt in receipts] == [False, False, True]
    assert receipts[0].position == receipts[2].position == USUAL_RECORDS + 1
    assert receipts[1].refusal is not None
    assert receipts[1].refusal.code == "idempotency_key_reused"
    assert await available(ledger, "wallets:a") == 5


async def test_concurrent_requests_with_one_key_share_one_success(ledger: api.Ledger) -> None:
    """With funds for only one of them, all get the one success."""
    await fund(ledger, "wallets:a", 60)
    records = await asyncio.gather(*(_spend(ledger) for _ in range(16)))
    assert len({record.position for record in records}) == 1
    assert sum(not record.replayed for record in records) == 1
    assert (await available(ledger, "wallets:a"), await available(ledger, "wallets:b")) == (0, 60)


async def test_two_processes_share_one_key(timed: LocalLedger, clock: VirtualClock) -> None:
    """Concurrent writers of one ledger: one effect, and each caller gets it."""
    await fund(timed, "wallets:a", 60)
    async with in_process(timed._store, clock, timed.name) as other:  # type: ignore[arg-type]  # one of the two stores
        records = await asyncio.gather(
            *(_spend(one, f"key-{n}", 10) for n in range(6) for one in (timed, other))
        )
        assert sum(not record.replayed for record in records) == 6
        assert len({(record.idempotency_key, record.position) for record in records}) == 6
        assert (await other.balance("wallets:b")).balance_minor == 60
    assert (await timed.verify()).holds


async def test_keys_outlive_the_process(timed: LocalLedger, clock: VirtualClock) -> None:
    """A writer that has never seen a key finds its outcome in the log: effect, refusal, batch."""
    first = await fund(timed, "wallets:a", 10, "fund")
    refusal = await refused(_spend(timed, "spend"))
    batch = [commands.transfer(debit_account="cash", credit_account="wallets:a", amount_minor=1)]
    receipts = await timed.submit_batch(batch, mode="atomic", idempotency_key="batch")
    async with in_process(timed._store, clock, timed.name) as later:  # type: ignore[arg-type]  # one of the two stores
        again = await fund(later, "wallets:a", 10, "fund")
        assert (again.replayed, again.entries) == (True, first.entries)
        assert await refused(_spend(later, "spend")) == refusal
        again_receipts = await later.submit_batch(batch, mode="atomic", idempotency_key="batch")
        assert [r.position for r in again_receipts] == [r.position for r in receipts]
        assert (
            await refused(fund(later, "wallets:a", 11, "fund"))
        ).code == "idempotency_key_reused"
        assert await available(later, "wallets:a") == 11


async def test_keys_are_scoped_by_ledger(ledger_server: LedgerServer) -> None:
    """The same key in another ledger is another key."""
    one, two = ledger_server.client(fresh_name()), ledger_server.client(fresh_name())
    for client in (one, two):
        await client.create_ledger()
        await open_usual(client)
        assert not (await fund(client, "wallets:a", 7, "key")).replayed
    assert await available(two, "wallets:a") == 7


@pytest.mark.parametrize("key", [None, ""])
async def test_a_write_without_a_key_is_refused(shared_ledger: api.Ledger, key: str | None) -> None:
    """Every kind of write, before anything else is looked at."""
    entries = [api.debit("cash", 1), api.credit("wallets:a", 1)]
    for write in (
        shared_ledger.open_account("x", asset="EUR/2", account_class="asset", idempotency_key=key),
        shared_ledger.update_account("cash", status="frozen", idempotency_key=key),
        shared_ledger.transfer(
            debit_account="cash", credit_account="nobody", amount_minor=1, idempotency_key=key
        ),
        shared_ledger.post_transaction(entries, idempotency_key=key),
        shared_ledger.hold(entries, idempotency_key=key),
        shared_ledger.capture(9, idempotency_key=key),
        shared_ledger.release(9, idempotency_key=key),
        shared_ledger.reverse(9, idempotency_key=key),
    ):
        refusal = await refused(write)
        assert (refusal.code, refusal.field) == ("idempotency_key_missing", "idempotency_key")
    assert await head(shared_ledger) == USUAL_RECORDS


_BAD_KEYS: list[Any] = [
    " ", "a b", " a", "a ", "a\n", "a\t", "a\0", "\x7f", "\u00e4", "\ud800", "x" * 129, 5, b"k",
    ["k"],
]  # fmt: skip


@pytest.mark.parametrize("key", _BAD_KEYS, ids=lambda value: ascii(value)[:16])
async def test_what_is_no_key_is_malformed(shared_ledger: api.Ledger, key: Any) -> None:
    """A key is 1 to 128 visible ASCII characters; nothing is trimmed."""
    refusal = await refused(_spend(shared_ledger, key))
    assert (refusal.code, refusal.field) == ("malformed", "idempotency_key")
    assert await head(shared_ledger) == USUAL_RECORDS


@pytest.mark.parametrize("key", ["!", "~", "x" * 128, "\\N", "\\", "a\\tb", "'\";--", "{}", "%00"])
async def test_what_is_a_key_is_taken_as_it_is(ledger: api.Ledger, key: str) -> None:
    """Any visible ASCII, also what databases and shells give a meaning."""
    record = await fund(ledger, "wallets:a", 1, key)
    assert record.idempotency_key == key
    assert (await fund(ledger, "wallets:a", 1, key)).replayed


@pytest.mark.parametrize("key", ["a b", "x" * 129, "a\tb"])
async def test_bad_keys_on_the_wire(shared_wire: Wire, key: str) -> None:
    """The header is held to the same rule."""
    body = {"debit_account": "cash", "credit_account": "wallets:a", "amount_minor": 1}
    assert code_of(await shared_wire.post("/transfers", body, Idempotency_Key=key)) == "malformed"
    answer = await shared_wire.post("/transfers", body, Idempotency_Key=None)
    assert code_of(answer) == "idempotency_key_missing"
    assert await head(shared_wire.ledger) == USUAL_RECORDS


async def test_a_shape_that_is_refused_uses_no_key(ledger: api.Ledger) -> None:
    """What never became a command leaves its key free."""
    await refused(fund(ledger, "wallets:a", 0, "key"))
    record = await fund(ledger, "wallets:a", 1, "key")
    assert not record.replayed
