"""Reads: strong by default, exact and repeatable in the past, listings that never skip."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.clock import VirtualClock
from tests.support.doors import (
    USUAL_RECORDS,
    account,
    available,
    fund,
    head,
    in_process,
    open_accounts,
    refused,
)

from tandem.ledger import api, commands
from tandem.ledger.local import LocalLedger

pytestmark = pytest.mark.anyio


async def test_an_account_without_entries_is_at_zero(ledger: api.Ledger) -> None:
    """From the position at which it was opened on; before that it is not found."""
    opened = await ledger.account("wallets:b")
    balance = await ledger.balance("wallets:b")
    assert (balance.balance_minor, balance.available_minor) == (0, 0)
    assert (balance.account, balance.asset) == ("wallets:b", "EUR/2")
    at = await ledger.balance("wallets:b", at_position=opened.opened_position)
    assert (at.balance_minor, at.position) == (0, opened.opened_position)
    before = ledger.balance("wallets:b", at_position=opened.opened_position - 1)
    assert (await refused(before)).code == "account_not_found"


async def test_a_balance_at_a_position_never_changes(ledger: api.Ledger) -> None:
    """Each past position has its own balance, and keeps it."""
    positions = [(await fund(ledger, "wallets:a", 10)).position for _ in range(4)]

    async def read() -> list[int]:
        return [
            (await ledger.balance("wallets:a", at_position=position)).balance_minor
            for position in positions
        ]

    assert await read() == [10, 20, 30, 40]
    await fund(ledger, "wallets:a", 10)
    assert await read() == [10, 20, 30, 40]


async def test_a_balance_at_a_time_is_that_of_its_last_record(ledger: api.Ledger) -> None:
    """At a record's own time it counts; between records the earlier one stands."""
    await open_accounts(ledger, [account("later")])
    records = [await fund(ledger, "wallets:a", 10) for _ in range(3)]
    for number, record in enumerate(records, 1):
        at = await ledger.balance("wallets:a", at_time=record.recorded_at)
        assert (at.balance_minor, at.position) == (10 * number, record.position)
    before = (await ledger.account("later")).opened_at
    assert (await ledger.balance("wallets:a", at_time=before)).balance_minor == 0
    early = datetime(2001, 1, 1, tzinfo=UTC)
    assert (await refused(ledger.balance("wallets:a", at_time=early))).code == "account_not_found"


async def test_a_time_that_was_read_is_closed(timed: LocalLedger, clock: VirtualClock) -> None:
    """What is recorded afterwards is recorded later, so the answer stays, whoever writes."""
    await fund(timed, "wallets:a", 10)
    clock.move(10)
    now = clock.now
    assert (await timed.balance("wallets:a", at_time=now)).balance_minor == 10
    record = await fund(timed, "wallets:a", 10)
    assert record.recorded_at > now
    clock.move(-5)
    later = await fund(timed, "wallets:a", 10)
    assert later.recorded_at > record.recorded_at
    assert (await timed.balance("wallets:a", at_time=now)).balance_minor == 10


async def test_a_time_that_is_closed_needs_no_clock(
    timed: LocalLedger, clock: VirtualClock
) -> None:
    """Where the clock lags behind the log, a recorded time can be read all the same."""
    clock.move(30)
    record = await fund(timed, "wallets:a", 10)
    clock.move(-20)
    at = await timed.balance("wallets:a", at_time=record.recorded_at)
    assert at.balance_minor == 10


async def test_the_future_can_not_be_read(ledger: api.Ledger) -> None:
    """Neither a position that is not written nor a time that has not passed."""
    beyond = await head(ledger) + 1
    refusal = await refused(ledger.balance("cash", at_position=beyond))
    assert (refusal.code, refusal.field) == ("malformed", "at_position")
    refusal = await refused(ledger.trial_balance(at_position=beyond))
    assert (refusal.code, refusal.field) == ("malformed", "at_position")
    soon = datetime(2091, 1, 1, tzinfo=UTC)
    refusal = await refused(ledger.balance("cash", at_time=soon))
    assert (refusal.code, refusal.field) == ("malformed", "at_time")


async def test_a_moment_is_said_in_one_way(ledger: api.Ledger) -> None:
    """A position or a time, with an offset, and not both."""
    both = ledger.balance("cash", at_position=1, at_time=datetime(2026, 1, 1, tzinfo=UTC))
    assert (await refused(both)).code == "malformed"
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - a time without an offset is the point
    assert (await refused(ledger.balance("cash", at_time=naive))).code == "malformed"
    for position in (0, -1, 2**63):
        assert (await refused(ledger.balance("cash", at_position=position))).code == "malformed"
        assert (await refused(ledger.trial_balance(at_position=position))).code == "malformed"


async def test_a_read_sees_what_was_acknowledged(ledger: api.Ledger) -> None:
    """Of many concurrent writers each finds its own write at once."""

    async def write(number: int) -> None:
        record = await fund(ledger, "wallets:a", 1, f"key-{number}")
        balance = await ledger.balance("wallets:a")
        assert balance.position >= record.position
        assert balance.balance_minor >= record.entries[1].posted_credits_minor

    await asyncio.gather(*(write(number) for number in range(20)))
    assert await available(ledger, "wallets:a") == 20


async def test_another_process_sees_it_too(timed: LocalLedger, clock: VirtualClock) -> None:
    """Reads go to the store, not to what one writer remembers."""
    async with in_process(timed._store, clock, timed.name) as other:  # type: ignore[arg-type]  # one of the two stores
        await fund(timed, "wallets:a", 10)
        assert await available(other, "wallets:a") == 10
        await fund(other, "wallets:a", 10)
        assert await available(timed, "wallets:a") == 20
        assert (await other.balance("wallets:a", at_position=USUAL_RECORDS)).balance_minor == 0


async def test_records_are_read_by_position(ledger: api.Ledger) -> None:
    """Each exactly as its command was answered; beyond the log there is none."""
    record = await fund(ledger, "wallets:a", 5)
    assert await ledger.transaction(record.position) == record
    refusal = await refused(ledger.transaction(record.position + 1))
    assert refusal.code == "transaction_not_found"
    for position in (0, -1, 2**63, True, "1", None):
        call = ledger.transaction(position)  # type: ignore[arg-type]  # on purpose
        assert (await refused(call)).code == "malformed"


async def _pages(ledger: api.Ledger, **options: Any) -> list[int]:
    found: list[int] = []
    cursor = None
    while True:
        page = await ledger.records(cursor=cursor, **options)
        found += [record.position for record in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return found


async def test_record_pages_cover_the_log_once(ledger: api.Ledger) -> None:
    """Whatever the size of a page, every record comes once, in order."""
    for _ in range(4):
        await fund(ledger, "wallets:a", 1)
    everything = list(range(1, await head(ledger) + 1))
    for limit in (1, 2, 3, len(everything), 1_000):
        assert await _pages(ledger, limit=limit) == everything


async def test_pages_are_stable_under_inserts(ledger: api.Ledger) -> None:
    """A walk that is under way skips and repeats nothing while others write."""
    for _ in range(3):
        await fund(ledger, "wallets:a", 1)
    page = await ledger.records(limit=4)
    seen = [record.position for record in page.items]
    while page.next_cursor is not None and len(seen) < 12:
        await fund(ledger, "wallets:a", 1)
        page = await ledger.records(limit=2, cursor=page.next_cursor)
        seen += [record.position for record in page.items]
    assert seen == list(range(1, len(seen) + 1))
    first = await ledger.accounts(limit=1)
    await open_accounts(ledger, [account("aaa"), account("wallets:0")])
    rest = await ledger.accounts(cursor=first.next_cursor)
    addresses = [item.address for item in rest.items]
    assert addresses == ["wallets:0", "wallets:a", "wallets:b"]


async def test_records_are_filtered_by_account_and_kind(ledger: api.Ledger) -> None:
    """Of an account: those with entries of it, each once; of a kind: those and no others."""
    mine = (await fund(ledger, "wallets:a", 5)).position
    await fund(ledger, "wallets:b", 5)
    both = await ledger.hold(
        [api.debit("wallets:a", 1), api.credit("wallets:a", 1)], idempotency_key="hold"
    )
    assert await _pages(ledger, account="wallets:a") == [mine, both.position]
    assert await _pages(ledger, account="wallets:a", kind="hold", limit=1) == [both.position]
    assert await _pages(ledger, kind="open_account", limit=2) == [1, 2, 3]
    assert await _pages(ledger, kind="batch") == []
    assert (await refused(ledger.records(kind="holds"))).code == "malformed"


async def test_accounts_are_listed_by_whole_segments(ledger: api.Ledger) -> None:
    """A prefix is an address and what is below it, in order of address."""
    names = ["wallets", "wallets-x", "wallets:a:b", "wallets:ab", "Wallets:a", "w", "wallets_"]
    await open_accounts(ledger, [account(name) for name in names])

    async def listed(prefix: str, limit: int = 100) -> list[str]:
        page = await ledger.accounts(prefix=prefix, limit=limit)
        found = [item.address for item in page.items]
        while page.next_cursor is not None:
            page = await ledger.accounts(prefix=prefix, limit=limit, cursor=page.next_cursor)
            found += [item.address for item in page.items]
        return found

    below = ["wallets", "wallets:a", "wallets:a:b", "wallets:ab", "wallets:b"]
    assert await listed("wallets") == below
    assert await listed("wallets", limit=1) == below
    assert await listed("wallets:a") == ["wallets:a", "wallets:a:b"]
    assert await listed("") == sorted([*names, "cash", "wallets:a", "wallets:b"])
    assert await listed("nobody") == []
    for prefix in ("wallets:", ":", "a b", "%"):
        assert (await refused(ledger.accounts(prefix=prefix))).code == "malformed"


_NO_CURSORS: list[Any] = ["", "x", "r1", "MQ", "====", "r" * 2_000, "\u00e4", "cg", "ci0x"]


@pytest.mark.parametrize("cursor", _NO_CURSORS, ids=lambda value: ascii(value)[:16])
async def test_only_own_cursors_are_taken(shared_ledger: api.Ledger, cursor: str) -> None:
    """Something else than a listing's own cursor is malformed."""
    for call in (shared_ledger.records(cursor=cursor), shared_ledger.accounts(cursor=cursor)):
        refusal = await refused(call)
        assert (refusal.code, refusal.field) == ("malformed", "cursor")


async def test_a_cursor_is_of_one_listing(shared_ledger: api.Ledger) -> None:
    """That of the accounts is none of the records, and the other way round."""
    records = await shared_ledger.records(limit=1)
    accounts = await shared_ledger.accounts(limit=1)
    assert (await refused(shared_ledger.records(cursor=accounts.next_cursor))).code == "malformed"
    assert (await refused(shared_ledger.accounts(cursor=records.next_cursor))).code == "malformed"


@pytest.mark.parametrize("limit", [0, -1, 1_001, 10**30, True])
async def test_pages_are_bounded(shared_ledger: api.Ledger, limit: int) -> None:
    """A page has 1 to 1,000 items."""
    for call in (shared_ledger.records(limit=limit), shared_ledger.accounts(limit=limit)):
        refusal = await refused(call)
        assert (refusal.code, refusal.field) == ("malformed", "limit")


async def test_the_trial_balance_is_zero_at_every_position(ledger: api.Ledger) -> None:
    """Per asset, posted and pending, whatever was written; and it tells how much that is."""
    await open_accounts(
        ledger, [account("sek", "SEK/2", min_balance_minor=None), account("sek:b", "SEK/2")]
    )
    await fund(ledger, "wallets:a", 100)
    hold = await ledger.hold(
        [api.debit("wallets:a", 40), api.credit("wallets:b", 40)], idempotency_key="hold"
    )
    await ledger.capture(hold.position, amount_minor=15, idempotency_key="capture")
    await ledger.transfer(
        debit_account="sek", credit_account="sek:b", amount_minor=7, idempotency_key="sek"
    )
    for position in range(1, await head(ledger) + 1):
        trial = await ledger.trial_balance(at_position=position)
        assert trial.balanced
        assert trial.position == position
    trial = await ledger.trial_balance()
    euro, krona = trial.lines
    assert (euro.asset, euro.accounts, krona.asset, krona.accounts) == ("EUR/2", 3, "SEK/2", 2)
    assert (euro.posted_debits_minor, euro.posted_credits_minor) == (115, 115)
    assert (euro.pending_debits_minor, euro.pending_credits_minor) == (25, 25)
    assert (krona.posted_debits_minor, krona.difference_minor) == (7, 0)


async def test_verification_counts_what_it_read(ledger: api.Ledger) -> None:
    """Records, entries and accounts, the tree's root, and no fault."""
    await fund(ledger, "wallets:a", 100)
    found = await ledger.verify()
    assert found.holds
    assert (found.records, found.entries, found.accounts) == (USUAL_RECORDS + 1, 2, 3)
    assert len(bytes.fromhex(found.root)) == 32
    await ledger.submit_batch(
        [commands.transfer(debit_account="cash", credit_account="wallets:a", amount_minor=1)] * 300,
        mode="atomic",
        idempotency_key="many",
    )
    later = await ledger.verify()
    assert later.holds
    assert (later.records, later.entries) == (USUAL_RECORDS + 302, 602)
    assert later.root != found.root
