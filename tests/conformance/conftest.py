"""A ledger with everything in it, and somebody who tampers with it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from tests.support.clock import VirtualClock
from tests.support.doors import account, fund, in_process, open_accounts, open_usual, refused
from tests.support.intruder import Intruder

from tandem.ledger import api, commands
from tandem.ledger.local import LocalLedger
from tandem.ledger.storage.postgres import PostgresStore

_EARLIER = datetime(2020, 1, 1, tzinfo=UTC)


async def _grow(ledger: LocalLedger) -> None:
    """More than a whole tile of transfers, one of them of another time, and a closed period."""
    moves = [
        commands.transfer(
            debit_account="wallets:c",
            credit_account="wallets:a",
            amount_minor=1,
            reference=f"order {number}" if number % 50 == 0 else None,
            metadata={"courier": "ada"} if number % 60 == 0 else None,
            effective_at=_EARLIER if number % 100 == 99 else None,
            idempotency_key=f"move-{number}",
        )
        for number in range(250)
    ]
    receipts = await ledger.submit_batch(moves)
    assert not any(receipt.refusal for receipt in receipts)
    await ledger.close_period(through=_EARLIER, idempotency_key="close")


@pytest.fixture
async def written(postgres_store: PostgresStore, clock: VirtualClock) -> AsyncIterator[LocalLedger]:
    """A ledger with a record of every kind."""
    async with in_process(postgres_store, clock) as ledger:
        await open_usual(ledger)
        await open_accounts(ledger, [account("wallets:c")])
        await fund(ledger, "wallets:a", 1_000, "fund")
        hold = await ledger.hold(
            [api.debit("wallets:a", 100), api.credit("wallets:b", 100)], idempotency_key="hold"
        )
        await ledger.hold(
            [api.debit("wallets:a", 9), api.credit("wallets:b", 9)],
            expires_at=clock.after(1),
            idempotency_key="expiring",
        )
        capture = await ledger.capture(hold.position, amount_minor=40, idempotency_key="capture")
        await ledger.reverse(capture.position, amount_minor=7, idempotency_key="reverse")
        clock.move(2)
        await ledger.update_account("wallets:c", metadata={"a": "b"}, idempotency_key="update")
        await ledger.submit_batch(
            [
                commands.transfer(
                    debit_account="cash", credit_account="wallets:c", amount_minor=number
                )
                for number in range(1, 40)
            ],
            mode="atomic",
            idempotency_key="batch",
        )
        assert (await refused(fund(ledger, "nobody", 1, "refused"))).code == "account_not_found"
        await _grow(ledger)
        assert (await ledger.verify()).holds
        yield ledger


@pytest.fixture
async def intruder(written: LocalLedger, ledger_database: str) -> AsyncIterator[Intruder]:
    """Somebody who can do anything in the database."""
    intruder = Intruder(ledger_database, written._ledger_id)
    yield intruder
    intruder.close()
