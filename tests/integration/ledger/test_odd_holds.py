"""Holds that once could not be ended: captured unevenly, or expired in their own batch."""

import pytest
from tests.support.clock import VirtualClock
from tests.support.doors import fresh_name, in_process

from tandem.ledger import commands
from tandem.ledger.api import HoldStatus, Record, RefusalCode, Refused, credit, debit
from tandem.ledger.core.commands import SingleCommand
from tandem.ledger.local import LocalLedger
from tandem.ledger.storage.postgres import PostgresStore

pytestmark = pytest.mark.anyio

FUNDS_MINOR = 1_000


async def open_books(ledger: LocalLedger) -> None:
    """Open and fund what the holds are on."""
    for address, asset in (
        ("cash", "EUR/2"),
        ("alice", "EUR/2"),
        ("bob", "EUR/2"),
        ("shop", "EUR/2"),
        ("till", "JPY/0"),
        ("dora", "JPY/0"),
    ):
        await ledger.open_account(
            address,
            asset=asset,
            account_class="asset" if address in ("cash", "till") else "liability",
            idempotency_key=f"open-{address}",
        )
    for source, target in (("cash", "alice"), ("cash", "bob"), ("till", "dora")):
        await ledger.transfer(
            debit_account=source,
            credit_account=target,
            amount_minor=FUNDS_MINOR,
            idempotency_key=f"fund-{target}",
        )


async def check(ledger: LocalLedger) -> None:
    """Posted and pending balance in every asset at every position, and the log verifies."""
    position = (await ledger.trial_balance()).position
    for at_position in range(1, position + 1):
        totals = await ledger.trial_balance(at_position=at_position)
        for line in totals.lines:
            assert line.posted_debits_minor == line.posted_credits_minor, at_position
            assert line.pending_debits_minor == line.pending_credits_minor, at_position
    verification = await ledger.verify()
    assert verification.holds, verification.faults


async def hold_of_two_wallets(ledger: LocalLedger, clock: VirtualClock) -> Record:
    """Hold 10 of one wallet and 50 of another for a shop, with room for tips."""
    return await ledger.hold(
        [debit("alice", 10), debit("bob", 50), credit("shop", 60)],
        capture_limit_minor=200,
        expires_at=clock.after(60),
        idempotency_key="hold",
    )


async def test_a_capture_above_one_entry_leaves_a_balanced_hold(
    postgres_store: PostgresStore, clock: VirtualClock
) -> None:
    """An excess on one side only would leave a hold that can never end, so it is refused."""
    async with in_process(postgres_store, clock) as ledger:
        await open_books(ledger)
        held = await hold_of_two_wallets(ledger, clock)
        uneven = [debit("alice", 40), credit("shop", 40)]
        for final in (False, True):
            with pytest.raises(Refused) as refused:
                await ledger.capture(
                    held.position, entries=uneven, final=final, idempotency_key=f"uneven-{final}"
                )
            assert refused.value.code is RefusalCode.CAPTURE_EXCEEDS_HOLD
        clock.move(61)
        await ledger.open_account(
            "later", asset="EUR/2", account_class="asset", idempotency_key="later"
        )
        assert (await ledger.hold_state(held.position)).status is HoldStatus.EXPIRED
        assert (await ledger.balance("bob")).pending_debits_minor == 0
        await check(ledger)


async def test_a_final_capture_posts_what_balances_by_itself(
    postgres_store: PostgresStore, clock: VirtualClock
) -> None:
    """What a final capture releases does not make up for what it posts."""
    async with in_process(postgres_store, clock) as ledger:
        await open_books(ledger)
        held = await ledger.hold(
            [debit("alice", 9), credit("shop", 9), debit("dora", 9), credit("till", 9)],
            idempotency_key="hold",
        )
        one_sided = [debit("alice", 2)]
        across = [debit("alice", 2), credit("till", 2)]
        for key, entries, code in (
            ("one", one_sided, RefusalCode.UNBALANCED),
            ("two", across, RefusalCode.ASSET_MISMATCH),
        ):
            with pytest.raises(Refused) as refused:
                await ledger.capture(
                    held.position, entries=entries, final=True, idempotency_key=key
                )
            assert refused.value.code is code
        await check(ledger)


@pytest.mark.parametrize(("after_us", "taken"), [(30, False), (31, False), (32, True)])
async def test_a_hold_does_not_expire_inside_its_batch(
    postgres_store: PostgresStore, clock: VirtualClock, after_us: int, taken: bool
) -> None:
    """A hold that would have expired by its batch's last record is refused; others do expire."""
    name = fresh_name()
    async with in_process(postgres_store, clock, name) as ledger:
        await open_books(ledger)
        clock.move(1)
        transfer = commands.transfer(debit_account="bob", credit_account="shop", amount_minor=1)
        # The batch's records are a microsecond apart, the clock standing still.
        hold = commands.hold(
            [debit("alice", 10), credit("shop", 10)], expires_at=clock.after(after_us * 1e-6)
        )
        batch: list[SingleCommand] = [hold, *[transfer] * 30]
        if not taken:
            with pytest.raises(Refused) as refused:
                await ledger.submit_batch(batch, mode="atomic", idempotency_key="batch")
            assert refused.value.code is RefusalCode.MALFORMED
            assert refused.value.refusal.field == "commands[0].expires_at"
            return
        receipts = await ledger.submit_batch(batch, mode="atomic", idempotency_key="batch")
        position = receipts[0].position
        assert position is not None
        assert (await ledger.balance("alice")).pending_debits_minor == 10
    async with in_process(postgres_store, clock, name) as ledger:
        clock.move(1)
        assert (await ledger.hold_state(position)).status is HoldStatus.EXPIRED
        assert (await ledger.balance("alice")).pending_debits_minor == 0
        await ledger.transfer(
            debit_account="bob", credit_account="shop", amount_minor=1, idempotency_key="next"
        )
        assert len((await ledger.records(kind="expiry")).items) == 1
        await check(ledger)
