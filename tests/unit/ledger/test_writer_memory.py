"""What the writer remembers: small caches, slow loads and another writer change nothing."""

import asyncio
import random
from collections.abc import Sequence

import pytest
from tests.support.clock import VirtualClock
from tests.support.doors import (
    account,
    available,
    fresh_name,
    fund,
    head,
    in_process,
    open_accounts,
    open_usual,
    refused,
)
from tests.unit.ledger.gates import GatedStore, answers_of, quiet, spend, started

from tandem.ledger import api, commands, working, writer
from tandem.ledger.core.commands import SingleCommand
from tandem.ledger.local import LocalLedger
from tandem.ledger.storage.memory import MemoryStore

pytestmark = pytest.mark.anyio


async def test_a_landing_is_not_lost_to_a_slow_load(
    gated: LocalLedger, store: GatedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hold that lands while its state is being loaded is found, whichever comes first."""
    monkeypatch.setattr(working, "CACHED_PARENTS", 0)
    store.appends.clear()
    entries = [api.debit("wallets:a", 10), api.credit("wallets:b", 10)]
    hold = started(gated.hold(entries, idempotency_key="hold"))
    await quiet()
    store.loads.clear()
    position = await head(gated) + 1
    capture = started(gated.capture(position, idempotency_key="capture"))
    await quiet()
    store.appends.set()
    await quiet()
    store.loads.set()
    held, captured = await answers_of([hold, capture])
    assert held.position == position
    assert isinstance(captured, api.Record)


def _random_commands(chance: random.Random, count: int) -> list[list[SingleCommand]]:
    """Groups of commands over few accounts and many holds, some with keys used before."""
    wallets = [f"wallets:{number}" for number in range(40)]
    groups: list[list[SingleCommand]] = []
    made: list[SingleCommand] = []
    for number in range(count):
        one, two = chance.sample(wallets, 2)
        amount = chance.randint(1, 50)
        key = f"key-{number}"
        entries = [api.debit(one, amount), api.credit(two, amount)]
        position = chance.randint(45, 45 + number)
        command: SingleCommand = chance.choice(
            [
                commands.post_transaction(entries, idempotency_key=key),
                commands.hold(entries, idempotency_key=key),
                commands.capture(position, amount_minor=amount, idempotency_key=key),
                commands.release(position, idempotency_key=key),
                commands.reverse(position, idempotency_key=key),
                commands.update_account(one, metadata={"n": key}, idempotency_key=key),
                chance.choice(made) if made else commands.release(1, idempotency_key=key),
            ]
        )
        made.append(command)
        if chance.random() < 0.4 or not groups:
            groups.append([])
        groups[-1].append(command)
    return groups


async def _bodies(clock: VirtualClock, groups: Sequence[Sequence[SingleCommand]]) -> list[str]:
    """Run groups of concurrent commands on a ledger of its own; give its log."""
    store, name = MemoryStore(clock), fresh_name()
    async with in_process(store, clock, name) as ledger:
        await open_usual(ledger)
        await open_accounts(ledger, [account(f"wallets:{n}") for n in range(40)])
        for n in range(40):
            await fund(ledger, f"wallets:{n}", 100, f"fund-{n}")
        for group in groups:
            await asyncio.gather(*(ledger.submit_batch([command]) for command in group))
        assert (await ledger.verify()).holds
    found = await store.head(name)
    assert found is not None
    return list(await store.bodies(found.ledger_id, 0, 10_000))


async def test_small_caches_change_nothing(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With next to nothing remembered, every record is byte for byte the same."""
    groups = _random_commands(random.Random(7), 400)
    roomy = await _bodies(clock, groups)
    monkeypatch.setattr(working, "CACHED_ACCOUNTS", 8)
    monkeypatch.setattr(working, "CACHED_PARENTS", 4)
    monkeypatch.setattr(working, "CACHED_KEYS", 30)
    monkeypatch.setattr(writer, "RETRY_PAUSE_MS", 0)
    assert await _bodies(clock, groups) == roomy
    assert len(roomy) > 300


@pytest.mark.parametrize("followed_records", [0, 5, 20_000])
async def test_a_writer_follows_another(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch, followed_records: int
) -> None:
    """Over a few records it reads them, over many it starts anew; it is right either way."""
    monkeypatch.setattr(working, "MAX_FOLLOWED_RECORDS", followed_records)
    store = MemoryStore(clock)
    async with in_process(store, clock, "one") as one, in_process(store, clock, "one") as two:
        await open_usual(one)
        for turn in range(4):
            for number in range(10):
                await fund(one, "wallets:a", 10, f"one-{turn}-{number}")
            await two.update_account(
                "wallets:b", metadata={"t": str(turn)}, idempotency_key=f"u{turn}"
            )
            await spend(two, 100, f"two-{turn}")
            assert (await fund(two, "wallets:a", 10, f"one-{turn}-3")).replayed
            assert (await refused(spend(one, 1, f"late-{turn}"))).available_minor == 0
        assert await available(one, "wallets:b") == 400
        assert (await two.verify()).holds


async def test_more_replays_than_keys_are_remembered(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys that were looked up in the log are known until the batch that needs them is decided."""
    batch: list[SingleCommand] = [
        commands.transfer(
            debit_account="cash", credit_account="wallets:b", amount_minor=1, idempotency_key=str(n)
        )
        for n in range(10)
    ]
    store = MemoryStore(clock)
    async with in_process(store, clock, "one") as ledger:
        await open_usual(ledger)
        first = await ledger.submit_batch(batch)
    monkeypatch.setattr(working, "CACHED_KEYS", 4)
    monkeypatch.setattr(writer, "RETRY_PAUSE_MS", 0)
    async with in_process(store, clock, "one") as restarted:
        again = await restarted.submit_batch(batch)
    assert [receipt.position for receipt in again] == [receipt.position for receipt in first]
    assert all(receipt.replayed for receipt in again)


async def test_another_writers_hold_is_captured(clock: VirtualClock) -> None:
    """What is remembered may be older than what is looked up: that is decided again, no fault."""
    store = MemoryStore(clock)
    entries = [api.debit("wallets:a", 10), api.credit("wallets:b", 10)]
    async with in_process(store, clock, "one") as one, in_process(store, clock, "one") as two:
        await open_usual(one)
        await fund(one, "wallets:a", 100)
        await spend(one, 1, "remember-both")
        hold = await two.hold(entries, idempotency_key="hold")
        captured = await one.capture(hold.position, final=True, idempotency_key="capture")
        assert captured.entries[0].pending_debits_minor == 0
        assert (await one.verify()).holds


async def test_another_writers_hold_is_released(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that was half remembered when that failed is not what a key then replays."""
    monkeypatch.setattr(writer, "CONTENDED_APPENDS", 0)  # decide before the lock is taken
    store = MemoryStore(clock)
    entries = [api.debit("wallets:a", 10), api.credit("wallets:b", 10)]
    async with in_process(store, clock, "one") as one, in_process(store, clock, "one") as two:
        await open_usual(two)
        await fund(two, "wallets:a", 100)
        await open_accounts(one, [account("wallets:late")])
        hold = await two.hold(entries, idempotency_key="hold")
        released = await one.release(hold.position, idempotency_key="release")
        assert (released.position, released.replayed) == (hold.position + 1, False)
        assert (await one.verify()).holds
