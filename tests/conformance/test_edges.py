"""Edge cases: several writers, opposite orders, first debits, names that only look alike."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from tests.support.clock import VirtualClock
from tests.support.doors import (
    STORES,
    account,
    available,
    fund,
    head,
    in_process,
    open_accounts,
    open_usual,
    refused,
)

from tandem.ledger import api, commands
from tandem.ledger.core.commands import SingleCommand
from tandem.ledger.local import LocalLedger
from tandem.ledger.service import LedgerService
from tandem.ledger.storage.memory import MemoryStore

pytestmark = pytest.mark.anyio


def _move(payer: str, payee: str, amount_minor: int, key: str | None = None) -> SingleCommand:
    return commands.transfer(
        debit_account=payer, credit_account=payee, amount_minor=amount_minor, idempotency_key=key
    )


async def test_two_first_debits_at_once(ledger: api.Ledger) -> None:
    """On an account without entries neither finds funds, and with funds for one only one does."""

    async def spend(key: str) -> str | None:
        try:
            await ledger.transfer(
                debit_account="wallets:a",
                credit_account="wallets:b",
                amount_minor=5,
                idempotency_key=key,
            )
        except api.Refused as refusal:
            return refusal.code
        return None

    assert {*await asyncio.gather(spend("1"), spend("2"))} == {"insufficient_funds"}
    await fund(ledger, "wallets:a", 5)
    outcomes = await asyncio.gather(*(spend(f"again-{number}") for number in range(8)))
    assert sorted(outcomes, key=str) == [None] + ["insufficient_funds"] * 7
    assert await available(ledger, "wallets:b") == 5


async def test_opposite_orders_do_not_lock(timed: LocalLedger, clock: VirtualClock) -> None:
    """Two processes that touch the same accounts in opposite order both get through."""
    names = [f"pot:{number}" for number in range(20)]
    await open_accounts(timed, [account(name, min_balance_minor=None) for name in names])
    async with in_process(timed._store, clock, timed.name) as other:  # type: ignore[arg-type]  # one of the two stores

        async def rounds(ledger: LocalLedger, order: list[str], mark: str) -> None:
            for turn in range(5):
                batch = [_move(one, two, 1) for one, two in pairwise(order)]
                await ledger.submit_batch(batch, mode="atomic", idempotency_key=f"{mark}-{turn}")

        await asyncio.gather(rounds(timed, names, "up"), rounds(other, names[::-1], "down"))
        for name in names:
            assert (await other.balance(name)).balance_minor == 0
    assert (await timed.trial_balance()).balanced
    assert (await timed.verify()).holds


async def test_an_account_is_opened_once_by_two_processes(
    timed: LocalLedger, clock: VirtualClock
) -> None:
    """One of them opens it, the other is told so, and both can use it at once."""
    async with in_process(timed._store, clock, timed.name) as other:  # type: ignore[arg-type]  # one of the two stores

        async def open_it(ledger: LocalLedger, key: str) -> str:
            try:
                await ledger.open_account(
                    "x", asset="EUR/2", account_class="liability", idempotency_key=key
                )
            except api.Refused as refusal:
                return refusal.code
            return "opened"

        outcomes = await asyncio.gather(open_it(timed, "1"), open_it(other, "2"))
        assert sorted(outcomes) == ["account_exists", "opened"]
        await asyncio.gather(fund(timed, "x", 3), fund(other, "x", 4))
        assert await available(other, "x") == 7
    assert (await timed.verify()).holds


async def test_limits_of_another_process_count_at_once(
    timed: LocalLedger, clock: VirtualClock
) -> None:
    """A freeze or a new limit holds for every writer from its position on."""
    await fund(timed, "wallets:a", 10)
    async with in_process(timed._store, clock, timed.name) as other:  # type: ignore[arg-type]  # one of the two stores
        await other.transfer(
            debit_account="wallets:a",
            credit_account="wallets:b",
            amount_minor=1,
            idempotency_key="warm",
        )
        await timed.update_account("wallets:a", status="frozen", idempotency_key="freeze")
        spending = other.transfer(
            debit_account="wallets:a",
            credit_account="wallets:b",
            amount_minor=1,
            idempotency_key="cold",
        )
        assert (await refused(spending)).code == "account_frozen"


async def test_names_that_look_alike_are_different(ledger: api.Ledger) -> None:
    """Case counts, and a hyphen is not an underscore; nothing is folded or trimmed."""
    names = ["Wallets:A", "wallets:A", "wallets_a", "wallets-a", "wallets:a:a", "00", "0"]
    await open_accounts(ledger, [account(name) for name in names])
    for number, name in enumerate(names, 1):
        await fund(ledger, name, number)
    assert [await available(ledger, name) for name in names] == list(range(1, len(names) + 1))
    assert await available(ledger, "wallets:a") == 0


async def test_metadata_order_is_no_difference(ledger: api.Ledger) -> None:
    """Written in any order it is one command and comes back in one order."""
    pairs = [("b", "1"), ("a", "2"), ("\u00e4", "3"), ("B", "4")]
    first = await ledger.post_transaction(
        [api.debit("cash", 1), api.credit("wallets:a", 1)],
        metadata=dict(pairs),
        idempotency_key="key",
    )
    again = await ledger.post_transaction(
        [api.debit("cash", 1), api.credit("wallets:a", 1)],
        metadata=dict(pairs[::-1]),
        idempotency_key="key",
    )
    assert again.replayed
    assert list(first.metadata) == list(again.metadata) == ["B", "a", "b", "\u00e4"]


async def test_an_account_of_a_refused_batch_was_never_there(ledger: api.Ledger) -> None:
    """Its number and address are free, and so is the scale of its asset."""
    batch: list[SingleCommand] = [
        commands.open_account("new", asset="SEK/2", account_class="asset"),
        _move("new", "nobody", 1),
    ]
    refusal = await refused(ledger.submit_batch(batch, mode="atomic", idempotency_key="batch"))
    assert (refusal.code, refusal.field) == ("account_not_found", "commands[1].account")
    assert (await refused(ledger.account("new"))).code == "account_not_found"
    opened = await ledger.open_account(
        "new", asset="SEK/0", account_class="asset", idempotency_key="open"
    )
    assert opened.asset == "SEK/0"
    assert (await ledger.verify()).holds


async def test_many_ledgers_do_not_mix(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has its own accounts, keys and positions; how many one process serves is bounded."""
    monkeypatch.setattr("tandem.ledger.service.MAX_LEDGERS_PER_PROCESS", 8)
    service = LedgerService(MemoryStore(clock), clock)
    try:
        one, two = await service.create_ledger("one"), await service.create_ledger("two")
        assert await service.create_ledger("one") is one
        await open_usual(one)
        assert (await refused(two.account("cash"))).code == "account_not_found"
        assert (await head(one), await head(two)) == (3, 0)
        for number in range(6):
            await service.create_ledger(f"more-{number}")
        refusal = await refused(service.create_ledger("last"))
        assert refusal.code == "overloaded"
        assert (await refused(service.ledger("nowhere"))).code in ("ledger_not_found", "overloaded")
    finally:
        await service.close()


@pytest.mark.parametrize("store", STORES)
async def test_an_empty_ledger_can_be_read(
    store: str, clock: VirtualClock, postgres_store: Any
) -> None:
    """Nothing is zero records, no lines, and holds."""
    chosen = MemoryStore(clock) if store == "memory" else postgres_store
    async with in_process(chosen, clock) as empty:
        trial = await empty.trial_balance()
        assert (trial.position, trial.lines, trial.balanced) == (0, (), True)
        assert ((await empty.records()).items, (await empty.accounts()).items) == ((), ())
        found = await empty.verify()
        assert (found.holds, found.records, found.accounts) == (True, 0, 0)
        assert (await refused(empty.balance("cash"))).code == "account_not_found"
        assert (await refused(empty.balance("cash", at_time=clock.now))).code == "account_not_found"
        await open_usual(empty)
        assert await head(empty) == 3
