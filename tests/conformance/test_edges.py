"""Edge cases: several writers, opposite orders, first debits, names that only look alike."""

import asyncio
from itertools import pairwise
from typing import Any, Final

import psycopg
import pytest
from tests.support.clock import VirtualClock
from tests.support.doors import (
    STORES,
    LedgerServer,
    account,
    api_of,
    available,
    code_of,
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
from tandem.ledger.storage.postgres import PostgresStore
from tandem.platform.http.serving import HttpServer

pytestmark = pytest.mark.anyio

_PATIENCE_S: Final = 20.0


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


async def test_money_passes_through_an_account_that_stays_at_zero(ledger: api.Ledger) -> None:
    """Bounded to zero either way it takes what it gives in one transaction, and nothing else."""
    await open_accounts(ledger, [account("transit", max_balance_minor=0)])
    through = [
        api.debit("transit", 30),
        api.credit("wallets:b", 30),
        api.debit("cash", 30),
        api.credit("transit", 30),
    ]
    await ledger.post_transaction(through, idempotency_key="through")
    assert (await ledger.balance("transit")).balance_minor == 0
    refusal = await refused(fund(ledger, "transit", 1))
    assert (refusal.code, refusal.index) == ("limit_exceeded", 1)
    short = [api.debit("transit", 31), *through[1:2], api.credit("cash", 1), *through[2:]]
    refusal = await refused(ledger.post_transaction(short, idempotency_key="short"))
    assert (refusal.code, refusal.index, refusal.available_minor) == ("insufficient_funds", 0, 0)


async def test_opposite_orders_through_one_door(ledger: api.Ledger) -> None:
    """Callers that touch the same accounts in opposite order at once all get through."""
    names = [f"pot:{number}" for number in range(8)]
    await open_accounts(ledger, [account(name, min_balance_minor=None) for name in names])
    await asyncio.gather(
        *(
            ledger.submit_batch(
                [_move(one, two, 1) for one, two in pairwise(order)],
                mode="atomic",
                idempotency_key=f"{order[0]}-{turn}",
            )
            for turn in range(4)
            for order in (names, names[::-1])
        )
    )
    for name in names:
        assert (await ledger.balance(name)).balance_minor == 0
    assert (await ledger.verify()).holds


async def test_a_reversal_of_money_that_is_gone(ledger: api.Ledger) -> None:
    """Where the destination is empty by now nothing is taken back, in whole or in part."""
    paid = await fund(ledger, "wallets:a", 100)
    await ledger.transfer(
        debit_account="wallets:a", credit_account="wallets:b", amount_minor=100, idempotency_key="t"
    )
    for key, part in (("all", None), ("part", 1)):
        write = ledger.reverse(paid.position, amount_minor=part, idempotency_key=key)
        refusal = await refused(write)
        assert (refusal.code, refusal.available_minor) == ("insufficient_funds", 0)
    await fund(ledger, "wallets:a", 40)
    await ledger.reverse(paid.position, amount_minor=40, idempotency_key="again")
    assert await available(ledger, "wallets:a") == 0


async def test_a_walk_while_others_write(ledger: api.Ledger) -> None:
    """Page by page beside writers that do not wait for it: no record twice, none left out."""
    writing = asyncio.gather(*(fund(ledger, "wallets:a", 1) for _ in range(30)))
    seen: list[int] = []
    cursor = None
    while True:
        page = await ledger.records(cursor=cursor, limit=3)
        seen += [record.position for record in page.items]
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert seen == list(range(1, len(seen) + 1))
    await writing
    rest = await ledger.records(cursor=cursor)
    assert rest.items[-1].position == await head(ledger) == 33


async def _held(local: LocalLedger, clock: VirtualClock) -> api.Record:
    """Of 100 in `wallets:a`, hold 60 for ten seconds."""
    await open_usual(local)
    await fund(local, "wallets:a", 100)
    return await local.hold(
        [api.debit("wallets:a", 60), api.credit("wallets:b", 60)],
        expires_at=clock.after(10),
        idempotency_key="hold",
    )


async def test_a_hold_expires_while_the_head_is_locked(
    postgres_store: PostgresStore, ledger_database: str, clock: VirtualClock
) -> None:
    """A capture decided in time stands, however long another keeps the database's row lock."""
    async with in_process(postgres_store, clock) as local:
        hold = await _held(local, clock)
        async with await psycopg.AsyncConnection.connect(ledger_database) as intruder:
            await intruder.execute(
                "SELECT FROM ledger.head WHERE ledger_id = %s FOR UPDATE", [local._ledger_id]
            )
            capture = asyncio.ensure_future(
                local.capture(hold.position, amount_minor=60, idempotency_key="capture")
            )
            await _until_waiting(ledger_database, intruder.info.backend_pid)
            clock.move(11)
            assert not capture.done()
        record = await capture
        assert hold.expires_at is not None
        assert record.recorded_at < hold.expires_at
        assert (await local.hold_state(hold.position)).status == "captured"
        assert await available(local, "wallets:b") == 60
        assert (await local.verify()).holds


async def _until_waiting(database: str, holder: int) -> None:
    """Look until a backend waits for a lock of another."""
    query = "SELECT FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"
    async with (
        asyncio.timeout(_PATIENCE_S),
        await psycopg.AsyncConnection.connect(database, autocommit=True) as connection,
    ):
        while await (await connection.execute(query, [holder])).fetchone() is None:
            pass


async def test_a_hold_expires_over_http_too(
    postgres_store: PostgresStore, ledger_server: LedgerServer, clock: VirtualClock
) -> None:
    """By the time of the server's clock, to the microsecond, with nobody having written it down."""
    async with in_process(postgres_store, clock) as local:
        hold = await _held(local, clock)
    service = LedgerService(postgres_store, clock)
    try:
        async with HttpServer(api_of(service, ledger_server), host="127.0.0.1", port=0) as server:
            path = f"{server.url}/v1/ledgers/{local.name}"
            http = ledger_server.http
            clock.move(9.999999)
            balance = (await http.get(f"{path}/accounts/wallets:a/balance")).json()
            assert balance["available_minor"] == "40"
            clock.move(0.000001)
            balance = (await http.get(f"{path}/accounts/wallets:a/balance")).json()
            assert balance["available_minor"] == "100"
            assert (await http.get(f"{path}/holds/{hold.position}")).json()["status"] == "expired"
            headers = {"Idempotency-Key": "late"}
            url = f"{path}/holds/{hold.position}/captures"
            answer = await http.post(url, json={}, headers=headers)
            assert code_of(answer) == "hold_not_open"
            assert answer.json()["hold_status"] == "expired"
    finally:
        await service.close()
