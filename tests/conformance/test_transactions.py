"""Transactions: balanced per asset, limits on the state after the whole, never in leg order."""

from itertools import permutations

import pytest
from tests.support.doors import account, available, fund, head, open_accounts, refused

from tandem.ledger import api

pytestmark = pytest.mark.anyio


async def test_a_transfer_is_a_transaction_of_two_entries(ledger: api.Ledger) -> None:
    """It debits one account and credits the other, and tells their totals after it."""
    record = await ledger.transfer(
        debit_account="cash",
        credit_account="wallets:a",
        amount_minor=250,
        asset="EUR/2",
        reference="deposit 1",
        metadata={"channel": "app"},
        idempotency_key="t",
    )
    assert (record.kind, record.reference) == ("transaction", "deposit 1")
    assert record.metadata == {"channel": "app"}
    debit, credit = record.entries
    assert (debit.account, debit.direction, debit.effect) == ("cash", "debit", "post")
    assert (credit.account, credit.direction, credit.effect) == ("wallets:a", "credit", "post")
    assert (debit.posted_debits_minor, credit.posted_credits_minor) == (250, 250)
    assert await ledger.transaction(record.position) == record


async def test_sums_are_equal_per_asset(ledger: api.Ledger) -> None:
    """What balances over all assets but not in each is unbalanced, and writes no entry."""
    await open_accounts(
        ledger,
        [account("sek", "SEK/2", min_balance_minor=None), account("sek:b", "SEK/2")],
    )
    entries = [
        api.debit("cash", 10),
        api.credit("wallets:a", 5),
        api.debit("sek", 5),
        api.credit("sek:b", 10),
    ]
    refusal = await refused(ledger.post_transaction(entries, idempotency_key="1"))
    assert refusal.code == "unbalanced"
    entries = [
        api.debit("cash", 10),
        api.credit("wallets:a", 10),
        api.debit("sek", 7),
        api.credit("sek:b", 7),
    ]
    record = await ledger.post_transaction(entries, idempotency_key="2")
    assert len(record.entries) == 4
    trial = await ledger.trial_balance()
    assert {line.asset: line.posted_debits_minor for line in trial.lines} == {
        "EUR/2": 10,
        "SEK/2": 7,
    }
    assert trial.balanced


async def test_unequal_sums_are_unbalanced(ledger: api.Ledger) -> None:
    """Debits without as many credits are refused, be they too many or too few or alone."""
    for key, entries in enumerate(
        (
            [api.debit("cash", 10), api.credit("wallets:a", 9)],
            [api.debit("cash", 9), api.credit("wallets:a", 10)],
            [api.debit("cash", 5), api.debit("cash", 5)],
            [api.credit("wallets:b", 5), api.credit("wallets:a", 5)],
        )
    ):
        refusal = await refused(ledger.post_transaction(entries, idempotency_key=str(key)))
        assert refusal.code == "unbalanced"
    assert await available(ledger, "wallets:a") == 0


async def test_a_transfer_does_not_change_assets(ledger: api.Ledger) -> None:
    """Two entries of two assets are a mismatch, and so is naming another asset."""
    await open_accounts(ledger, [account("sek", "SEK/2")])
    refusal = await refused(fund(ledger, "sek", 5))
    assert (refusal.code, refusal.index) == ("asset_mismatch", 1)
    refusal = await refused(
        ledger.transfer(
            debit_account="cash",
            credit_account="wallets:a",
            amount_minor=5,
            asset="SEK/2",
            idempotency_key="t",
        )
    )
    assert (refusal.code, refusal.index) == ("asset_mismatch", 0)


async def test_limits_are_checked_after_the_whole(ledger: api.Ledger) -> None:
    """An account at zero may pass money through, in whatever order the entries come."""
    entries = [
        api.debit("cash", 30),
        api.credit("wallets:a", 30),
        api.debit("wallets:a", 30),
        api.credit("wallets:b", 30),
    ]
    for key, order in enumerate(permutations(entries)):
        await ledger.post_transaction(order, idempotency_key=str(key))
    assert await available(ledger, "wallets:a") == 0
    assert await available(ledger, "wallets:b") == 24 * 30


async def test_a_later_inflow_does_not_excuse_the_whole(ledger: api.Ledger) -> None:
    """What is short in the end is refused, whichever entry comes last."""
    entries = [
        api.credit("wallets:a", 30),
        api.debit("cash", 30),
        api.debit("wallets:a", 31),
        api.credit("wallets:b", 31),
    ]
    for key, order in enumerate((entries, entries[::-1])):
        refusal = await refused(ledger.post_transaction(order, idempotency_key=str(key)))
        assert refusal.code == "insufficient_funds"
        assert refusal.available_minor == 0


async def test_a_transfer_to_itself_changes_nothing(ledger: api.Ledger) -> None:
    """It is recorded, both totals grow, and it needs no funds."""
    record = await ledger.transfer(
        debit_account="wallets:a", credit_account="wallets:a", amount_minor=5, idempotency_key="t"
    )
    after = record.entries[1]
    assert (after.posted_debits_minor, after.posted_credits_minor) == (5, 5)
    assert await available(ledger, "wallets:a") == 0
    assert (await ledger.verify()).holds


async def test_one_account_may_appear_often(ledger: api.Ledger) -> None:
    """Its entries follow each other's totals, and the balance is that of the last."""
    entries = [api.debit("cash", 1) for _ in range(5)] + [api.credit("wallets:a", 5)]
    record = await ledger.post_transaction(entries, idempotency_key="t")
    assert [entry.posted_debits_minor for entry in record.entries[:5]] == [1, 2, 3, 4, 5]
    assert (await ledger.balance("cash")).posted_debits_minor == 5
    listed = await ledger.records(account="cash")
    assert [item.position for item in listed.items] == [record.position]


@pytest.mark.parametrize("count", [0, 1])
async def test_fewer_than_two_entries_are_no_transaction(ledger: api.Ledger, count: int) -> None:
    """Double entry: one side alone, or none, is malformed and writes nothing."""
    before = await head(ledger)
    entries = [api.debit("cash", 1)] * count
    for write in (
        ledger.post_transaction(entries, idempotency_key="p"),
        ledger.hold(entries, idempotency_key="h"),
    ):
        assert (await refused(write)).code == "malformed"
    assert await head(ledger) == before


async def test_entries_are_bounded(ledger: api.Ledger) -> None:
    """A thousand entries pass, one more and ten thousand accounts are too large."""
    before = await head(ledger)
    entries = [api.debit("cash", 1), api.credit("wallets:a", 1)] * 500
    record = await ledger.post_transaction(entries, idempotency_key="most")
    assert len(record.entries) == 1_000
    assert await available(ledger, "wallets:a") == 500
    for key, count in (("more", 1_001), ("many", 10_000), ("far", 20_000)):
        many = [api.debit(f"accounts:{number}", 1) for number in range(count)]
        assert (
            await refused(ledger.post_transaction(many, idempotency_key=key))
        ).code == "too_large"
        assert (await refused(ledger.hold(many, idempotency_key=key))).code == "too_large"
    assert await head(ledger) == before + 1


async def test_a_split_conserves_the_last_unit(ledger: api.Ledger) -> None:
    """A third, a third and the rest are posted as given; nothing is rounded away."""
    await fund(ledger, "wallets:a", 100)
    shares = [33, 33, 34]
    await open_accounts(ledger, [account(f"share:{index}") for index in range(3)])
    entries = [api.debit("wallets:a", 100)]
    entries += [api.credit(f"share:{index}", share) for index, share in enumerate(shares)]
    await ledger.post_transaction(entries, idempotency_key="split")
    assert [await available(ledger, f"share:{index}") for index in range(3)] == shares
    assert (await ledger.trial_balance()).balanced
