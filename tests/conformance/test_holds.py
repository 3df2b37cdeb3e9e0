"""Holds: reserve, capture in parts and beyond, release, and what each leaves behind."""

from typing import Any

import pytest
from tests.support.doors import account, available, fund, head, open_accounts, refused

from tandem.ledger import api

pytestmark = pytest.mark.anyio


async def _hold(
    ledger: api.Ledger, amount_minor: int = 100, limit_minor: int | None = None
) -> api.Record:
    """Hold an amount of a wallet that has 1,000."""
    await fund(ledger, "wallets:a", 1_000)
    return await ledger.hold(
        [api.debit("wallets:a", amount_minor), api.credit("wallets:b", amount_minor)],
        capture_limit_minor=limit_minor,
        idempotency_key="hold",
    )


async def test_a_hold_moves_pending_totals_only(ledger: api.Ledger) -> None:
    """Posted balances stay; what is available shrinks on the paying side alone."""
    hold = await _hold(ledger)
    assert (hold.kind, [entry.effect for entry in hold.entries]) == ("hold", ["hold", "hold"])
    payer, payee = await ledger.balance("wallets:a"), await ledger.balance("wallets:b")
    assert (payer.balance_minor, payer.available_minor) == (1_000, 900)
    assert (payer.pending_debits_minor, payee.pending_credits_minor) == (100, 100)
    assert (payee.balance_minor, payee.available_minor) == (0, 0)
    state = await ledger.hold_state(hold.position)
    assert (state.status, state.held_minor, state.remaining_minor) == ("open", 100, 100)
    assert (state.captured_minor, state.capture_limit_minor) == (0, 100)
    assert state.record == hold


async def test_a_full_capture_posts_what_was_held(ledger: api.Ledger) -> None:
    """Pending goes to posted, nothing else moves, and the hold is captured."""
    hold = await _hold(ledger)
    record = await ledger.capture(hold.position, idempotency_key="capture")
    assert (record.kind, record.parent) == ("capture", hold.position)
    assert [entry.effect for entry in record.entries] == ["capture", "capture"]
    payer = await ledger.balance("wallets:a")
    assert (payer.balance_minor, payer.available_minor, payer.pending_debits_minor) == (900, 900, 0)
    assert await available(ledger, "wallets:b") == 100
    assert (await ledger.hold_state(hold.position)).status == "captured"


async def test_captures_add_up_to_the_hold(ledger: api.Ledger) -> None:
    """Several partial captures leave it open until nothing remains."""
    hold = await _hold(ledger)
    for key, (amount, left) in enumerate(((30, 70), (30, 40), (40, 0))):
        await ledger.capture(hold.position, amount_minor=amount, idempotency_key=str(key))
        state = await ledger.hold_state(hold.position)
        assert state.remaining_minor == left
        assert state.status == ("open" if left else "captured")
    assert await available(ledger, "wallets:b") == 100


async def test_a_final_capture_releases_the_rest(ledger: api.Ledger) -> None:
    """The part that is not wanted is available again, in the same record."""
    hold = await _hold(ledger)
    record = await ledger.capture(
        hold.position, amount_minor=30, final=True, idempotency_key="capture"
    )
    effects = [(entry.effect, entry.amount_minor) for entry in record.entries]
    assert effects == [("capture", 30), ("capture", 30), ("release", 70), ("release", 70)]
    assert (await available(ledger, "wallets:a"), await available(ledger, "wallets:b")) == (970, 30)
    refusal = await refused(ledger.capture(hold.position, idempotency_key="more"))
    assert (refusal.code, refusal.hold_status) == ("hold_not_open", "captured")


async def test_a_capture_never_passes_the_hold(ledger: api.Ledger) -> None:
    """Without a limit above the amount, no capture and no sum of captures goes beyond it."""
    hold = await _hold(ledger)
    refusal = await refused(
        ledger.capture(hold.position, amount_minor=101, idempotency_key="beyond")
    )
    assert (refusal.code, refusal.field) == ("capture_exceeds_hold", "amount_minor")
    await ledger.capture(hold.position, amount_minor=60, idempotency_key="sixty")
    refusal = await refused(ledger.capture(hold.position, amount_minor=41, idempotency_key="rest"))
    assert refusal.code == "capture_exceeds_hold"
    assert (await ledger.hold_state(hold.position)).remaining_minor == 40


async def test_a_limit_above_the_amount_allows_a_tip(ledger: api.Ledger) -> None:
    """The excess is posted, up to the limit and no further."""
    hold = await _hold(ledger, 100, limit_minor=120)
    refusal = await refused(ledger.capture(hold.position, amount_minor=121, idempotency_key="1"))
    assert refusal.code == "capture_exceeds_hold"
    record = await ledger.capture(hold.position, amount_minor=115, idempotency_key="2")
    effects = [(entry.effect, entry.amount_minor) for entry in record.entries]
    assert effects == [("capture", 100), ("post", 15), ("capture", 100), ("post", 15)]
    state = await ledger.hold_state(hold.position)
    assert (state.status, state.captured_minor, state.remaining_minor) == ("open", 115, 0)
    await ledger.capture(hold.position, amount_minor=5, idempotency_key="3")
    assert (await ledger.hold_state(hold.position)).status == "captured"
    assert await available(ledger, "wallets:a") == 880


async def test_the_excess_of_a_capture_needs_funds(ledger: api.Ledger) -> None:
    """What was held is there for certain; what goes beyond it is checked when it is captured."""
    hold = await _hold(ledger, 1_000, limit_minor=1_200)
    refusal = await refused(ledger.capture(hold.position, amount_minor=1_001, idempotency_key="1"))
    assert (refusal.code, refusal.available_minor) == ("insufficient_funds", 0)
    assert (await ledger.hold_state(hold.position)).status == "open"
    await fund(ledger, "wallets:a", 50)
    await ledger.capture(hold.position, amount_minor=1_050, idempotency_key="2")
    assert await available(ledger, "wallets:a") == 0


async def test_a_capture_limit_is_not_below_the_amount(ledger: api.Ledger) -> None:
    """A limit that the hold itself would break is malformed; the amount itself is a limit."""
    for key, (limit, fine) in enumerate(((99, False), (100, True))):
        write = ledger.hold(
            [api.debit("cash", 100), api.credit("wallets:a", 100)],
            capture_limit_minor=limit,
            idempotency_key=str(key),
        )
        if fine:
            assert (await write).kind == "hold"
        else:
            refusal = await refused(write)
            assert (refusal.code, refusal.field) == ("malformed", "capture_limit_minor")


async def test_a_capture_limit_is_of_one_asset(ledger: api.Ledger) -> None:
    """A sum over two assets means nothing, so it cannot be a limit."""
    await open_accounts(
        ledger, [account("sek", "SEK/2", min_balance_minor=None), account("sek:b", "SEK/2")]
    )
    entries = [
        api.debit("cash", 1),
        api.credit("wallets:a", 1),
        api.debit("sek", 1),
        api.credit("sek:b", 1),
    ]
    refusal = await refused(ledger.hold(entries, capture_limit_minor=5, idempotency_key="limited"))
    assert (refusal.code, refusal.field) == ("asset_mismatch", "capture_limit_minor")
    hold = await ledger.hold(entries, idempotency_key="unlimited")
    await ledger.capture(hold.position, idempotency_key="capture")
    assert (await available(ledger, "wallets:a"), await available(ledger, "sek:b")) == (1, 1)


async def test_a_release_gives_back_all_or_part(ledger: api.Ledger) -> None:
    """What is released is available again; the last of it ends the hold."""
    hold = await _hold(ledger)
    record = await ledger.release(hold.position, amount_minor=40, idempotency_key="1")
    assert (record.kind, record.parent) == ("release", hold.position)
    assert await available(ledger, "wallets:a") == 940
    assert (await ledger.hold_state(hold.position)).status == "open"
    refusal = await refused(ledger.release(hold.position, amount_minor=61, idempotency_key="2"))
    assert (refusal.code, refusal.field) == ("capture_exceeds_hold", "amount_minor")
    await ledger.release(hold.position, idempotency_key="3")
    state = await ledger.hold_state(hold.position)
    assert (state.status, state.remaining_minor, state.captured_minor) == ("released", 0, 0)
    assert await available(ledger, "wallets:a") == 1_000
    for key, write in enumerate((ledger.release, ledger.capture)):
        refusal = await refused(write(hold.position, idempotency_key=f"ended-{key}"))
        assert (refusal.code, refusal.hold_status) == ("hold_not_open", "released")


async def test_parts_of_a_hold_of_many_are_named(ledger: api.Ledger) -> None:
    """An amount alone says nothing of three entries; entries say which, and must balance."""
    await fund(ledger, "wallets:a", 100)
    await open_accounts(ledger, [account("fees")])
    hold = await ledger.hold(
        [api.debit("wallets:a", 100), api.credit("wallets:b", 90), api.credit("fees", 10)],
        idempotency_key="hold",
    )
    refusal = await refused(ledger.capture(hold.position, amount_minor=5, idempotency_key="1"))
    assert (refusal.code, refusal.field) == ("malformed", "amount_minor")
    part = [api.debit("wallets:a", 50), api.credit("wallets:b", 45), api.credit("fees", 5)]
    await ledger.capture(hold.position, entries=part, idempotency_key="2")
    assert (await available(ledger, "wallets:b"), await available(ledger, "fees")) == (45, 5)
    uneven = [api.debit("wallets:a", 50), api.credit("wallets:b", 45)]
    refusal = await refused(ledger.capture(hold.position, entries=uneven, idempotency_key="3"))
    assert refusal.code == "unbalanced"
    stranger = [api.debit("wallets:a", 5), api.credit("cash", 5)]
    refusal = await refused(ledger.capture(hold.position, entries=stranger, idempotency_key="4"))
    assert (refusal.code, refusal.index) == ("capture_exceeds_hold", 1)
    greedy = [api.debit("wallets:a", 51), api.credit("wallets:b", 46), api.credit("fees", 5)]
    refusal = await refused(ledger.capture(hold.position, entries=greedy, idempotency_key="5"))
    assert refusal.code == "capture_exceeds_hold"
    await ledger.release(hold.position, entries=part, idempotency_key="6")
    state = await ledger.hold_state(hold.position)
    assert (state.status, state.captured_minor, state.remaining_minor) == ("released", 50, 0)


async def test_an_amount_or_entries_but_not_both(ledger: api.Ledger) -> None:
    """Two ways to say which part exclude each other, and an empty list says nothing."""
    hold = await _hold(ledger)
    part = [api.debit("wallets:a", 5), api.credit("wallets:b", 5)]
    writes: list[Any] = [ledger.capture, ledger.release, ledger.reverse]
    for index, write in enumerate(writes):
        both = write(hold.position, amount_minor=5, entries=part, idempotency_key=f"b{index}")
        assert (await refused(both)).code == "malformed"
        none = write(hold.position, entries=[], idempotency_key=f"n{index}")
        assert (await refused(none)).code == "malformed"
    assert await head(ledger) == hold.position


async def test_what_is_no_hold_is_not_found(ledger: api.Ledger) -> None:
    """Positions of other records, or of none, are no holds; zero is no position."""
    record = await fund(ledger, "wallets:a", 1)
    for position in (1, record.position, 999, 2**62):
        for call in (
            ledger.capture(position, idempotency_key=f"c{position}"),
            ledger.release(position, idempotency_key=f"r{position}"),
            ledger.hold_state(position),
        ):
            assert (await refused(call)).code == "hold_not_found"
    odd: list[Any] = [0, -1, 2**63, 10**30, True, "1", 1.0, None]
    for position in odd:
        for call in (
            ledger.capture(position, idempotency_key="c"),
            ledger.release(position, idempotency_key="r"),
            ledger.hold_state(position),
        ):
            assert (await refused(call)).code == "malformed"


async def test_a_hold_needs_funds_and_counts_in_later_checks(ledger: api.Ledger) -> None:
    """A second hold sees what the first reserved."""
    await fund(ledger, "wallets:a", 100)
    entries = [api.debit("wallets:a", 70), api.credit("wallets:b", 70)]
    await ledger.hold(entries, idempotency_key="1")
    refusal = await refused(ledger.hold(entries, idempotency_key="2"))
    assert (refusal.code, refusal.available_minor) == ("insufficient_funds", 30)


async def test_an_account_on_both_sides_of_a_hold(ledger: api.Ledger) -> None:
    """What it would receive does not pay for what it would spend."""
    await fund(ledger, "wallets:a", 10)
    entries = [
        api.debit("cash", 50),
        api.credit("wallets:a", 50),
        api.debit("wallets:a", 20),
        api.credit("wallets:b", 20),
    ]
    refusal = await refused(ledger.hold(entries, idempotency_key="1"))
    assert (refusal.code, refusal.available_minor) == ("insufficient_funds", 10)
