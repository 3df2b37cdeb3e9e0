"""Reversals: mirrored entries, in whole or in parts, and of reversals themselves."""

import pytest
from tests.support.doors import Wire, account, available, code_of, fund, open_accounts, refused

from tandem.ledger import api
from tandem.platform.auth import Permission

pytestmark = pytest.mark.anyio


async def test_a_reversal_mirrors_the_whole(ledger: api.Ledger) -> None:
    """Every entry comes back on the other side, and the balances are as before."""
    original = await fund(ledger, "wallets:a", 100)
    record = await ledger.reverse(
        original.position, reference="mistake", metadata={"why": "typo"}, idempotency_key="reverse"
    )
    assert (record.kind, record.parent, record.reference) == (
        "reversal",
        original.position,
        "mistake",
    )
    mirrored = [(entry.account, entry.direction, entry.amount_minor) for entry in record.entries]
    assert mirrored == [("cash", "credit", 100), ("wallets:a", "debit", 100)]
    assert (await available(ledger, "cash"), await available(ledger, "wallets:a")) == (0, 0)
    refusal = await refused(ledger.reverse(original.position, idempotency_key="again"))
    assert refusal.code == "already_reversed"


async def test_parts_add_up_to_the_whole(ledger: api.Ledger) -> None:
    """Several reversals take what is left, and never more."""
    original = await fund(ledger, "wallets:a", 100)
    await ledger.reverse(original.position, amount_minor=30, idempotency_key="1")
    refusal = await refused(ledger.reverse(original.position, amount_minor=71, idempotency_key="2"))
    assert (refusal.code, refusal.field) == ("reversal_exceeds_original", "amount_minor")
    await ledger.reverse(original.position, amount_minor=30, idempotency_key="3")
    rest = await ledger.reverse(original.position, idempotency_key="4")
    assert rest.entries[0].amount_minor == 40
    assert await available(ledger, "wallets:a") == 0
    refusal = await refused(ledger.reverse(original.position, amount_minor=1, idempotency_key="5"))
    assert refusal.code == "already_reversed"


async def test_a_reversal_can_be_reversed(ledger: api.Ledger) -> None:
    """Twice mirrored is as posted; the original itself stays reversed."""
    original = await fund(ledger, "wallets:a", 100)
    first = await ledger.reverse(original.position, idempotency_key="1")
    second = await ledger.reverse(first.position, idempotency_key="2")
    assert (second.kind, second.parent) == ("reversal", first.position)
    assert await available(ledger, "wallets:a") == 100
    refusal = await refused(ledger.reverse(original.position, idempotency_key="3"))
    assert refusal.code == "already_reversed"
    await ledger.reverse(second.position, idempotency_key="4")
    assert await available(ledger, "wallets:a") == 0


async def test_captures_are_reversed_by_what_they_posted(ledger: api.Ledger) -> None:
    """Also the excess above the hold; what a final capture released is not touched."""
    await fund(ledger, "wallets:a", 100)
    entries = [api.debit("wallets:a", 50), api.credit("wallets:b", 50)]
    hold = await ledger.hold(entries, capture_limit_minor=60, idempotency_key="1")
    tipped = await ledger.capture(hold.position, amount_minor=55, final=True, idempotency_key="2")
    await ledger.reverse(tipped.position, idempotency_key="3")
    assert (await available(ledger, "wallets:a"), await available(ledger, "wallets:b")) == (100, 0)
    hold = await ledger.hold(entries, idempotency_key="4")
    partly = await ledger.capture(hold.position, amount_minor=20, final=True, idempotency_key="5")
    record = await ledger.reverse(partly.position, idempotency_key="6")
    assert [entry.amount_minor for entry in record.entries] == [20, 20]
    assert await available(ledger, "wallets:a") == 100
    assert (await ledger.verify()).holds


async def test_only_what_was_posted_can_be_reversed(ledger: api.Ledger) -> None:
    """Holds, releases, accounts, refusals and positions beyond the log are no transactions."""
    await fund(ledger, "wallets:a", 10)
    entries = [api.debit("wallets:a", 5), api.credit("wallets:b", 5)]
    hold = await ledger.hold(entries, idempotency_key="hold")
    release = await ledger.release(hold.position, idempotency_key="release")
    assert (await refused(fund(ledger, "nobody", 1))).code == "account_not_found"
    for position in (1, hold.position, release.position, release.position + 1, 999):
        write = ledger.reverse(position, idempotency_key=f"reverse-{position}")
        assert (await refused(write)).code == "transaction_not_found"


async def test_named_entries_say_which_part(ledger: api.Ledger) -> None:
    """They are the original's own, as they were posted, and must balance."""
    await open_accounts(ledger, [account("fees")])
    original = await ledger.post_transaction(
        [api.debit("cash", 100), api.credit("wallets:a", 90), api.credit("fees", 10)],
        idempotency_key="post",
    )
    refusal = await refused(ledger.reverse(original.position, amount_minor=5, idempotency_key="1"))
    assert (refusal.code, refusal.field) == ("malformed", "amount_minor")
    part = [api.debit("cash", 10), api.credit("fees", 10)]
    await ledger.reverse(original.position, entries=part, idempotency_key="2")
    assert (await available(ledger, "fees"), await available(ledger, "wallets:a")) == (0, 90)
    refusal = await refused(ledger.reverse(original.position, entries=part, idempotency_key="3"))
    assert refusal.code == "reversal_exceeds_original"
    turned = [api.credit("cash", 10), api.debit("wallets:a", 10)]
    refusal = await refused(ledger.reverse(original.position, entries=turned, idempotency_key="4"))
    assert (refusal.code, refusal.index) == ("reversal_exceeds_original", 0)
    uneven = [api.debit("cash", 10), api.credit("wallets:a", 9)]
    refusal = await refused(ledger.reverse(original.position, entries=uneven, idempotency_key="5"))
    assert refusal.code == "unbalanced"


async def test_limits_apply_unless_overridden(ledger: api.Ledger) -> None:
    """Where the money is gone, a reversal is refused; the override says so in its record."""
    original = await fund(ledger, "wallets:a", 100)
    await ledger.transfer(
        debit_account="wallets:a", credit_account="wallets:b", amount_minor=80, idempotency_key="t"
    )
    refusal = await refused(ledger.reverse(original.position, idempotency_key="1"))
    assert (refusal.code, refusal.available_minor) == ("insufficient_funds", 20)
    await ledger.reverse(original.position, override_limits=True, idempotency_key="2")
    assert await available(ledger, "wallets:a") == -80
    assert (await ledger.verify()).holds


async def test_an_override_needs_its_permission(wire: Wire) -> None:
    """A key that may write but not override is forbidden, alone and in either batch."""
    original = await fund(wire.ledger, "wallets:a", 100)
    token = await wire.server.keys.create_key("writer", [Permission.WRITE])
    may_not = {"Authorization": f"Bearer {token}"}
    path = f"/transactions/{original.position}/reversals"
    answer = await wire.post(path, {"override_limits": True}, **may_not)
    assert (code_of(answer), answer.json()["field"]) == ("forbidden", "override_limits")
    command = {
        "kind": "reversal",
        "transaction": original.position,
        "override_limits": True,
    }
    atomic = await wire.post("/batches", {"mode": "atomic", "commands": [command]}, **may_not)
    assert code_of(atomic) == "forbidden"
    keyed = {**command, "idempotency_key": "k"}
    answer = await wire.post("/batches", {"commands": [keyed]}, **may_not)
    (receipt,) = answer.json()["receipts"]
    assert receipt["refusal"]["code"] == "forbidden"
    assert await available(wire.ledger, "wallets:a") == 100
    assert (await wire.post(path, {}, **may_not)).status_code == 201


async def test_a_frozen_account_stops_a_reversal(ledger: api.Ledger) -> None:
    """A reversal is new outflow and inflow; an override is of limits only."""
    original = await fund(ledger, "wallets:a", 100)
    await ledger.update_account("wallets:a", status="frozen", idempotency_key="freeze")
    for key, override in enumerate((False, True)):
        write = ledger.reverse(
            original.position, override_limits=override, idempotency_key=str(key)
        )
        assert (await refused(write)).code == "account_frozen"


async def test_a_transfer_to_itself_can_be_reversed(ledger: api.Ledger) -> None:
    """Both sides of the one account come back."""
    original = await ledger.transfer(
        debit_account="wallets:a", credit_account="wallets:a", amount_minor=5, idempotency_key="t"
    )
    record = await ledger.reverse(original.position, idempotency_key="r")
    assert record.entries[1].posted_debits_minor == 10
    assert await available(ledger, "wallets:a") == 0
