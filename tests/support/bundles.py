"""Logs as files, for audits of them."""

import io

from tests.support.clock import VirtualClock
from tests.support.doors import fund, head, in_process, open_usual

from tandem.ledger import api, commands
from tandem.ledger.audit.bundle import write_bundle
from tandem.ledger.storage.memory import MemoryStore

LEDGER = "audited"


async def bundle_of(ledger: api.Ledger) -> bytes:
    """A ledger's log."""
    sink = io.BytesIO()
    checkpoint = await write_bundle(ledger, sink)
    assert checkpoint.size == await head(ledger)
    return sink.getvalue()


async def grow(ledger: api.Ledger, transfers: int) -> None:
    """Transfers, some with references, metadata and odd keys."""
    moves = [
        commands.transfer(
            debit_account="cash",
            credit_account=f"wallets:{'ab'[number % 2]}",
            amount_minor=number + 1,
            reference=f"order {number}" if number % 7 == 0 else None,
            metadata={"shift": "late"} if number % 9 == 0 else None,
            idempotency_key=f"move-{number}" if number % 5 else f"odd\\{number}",
        )
        for number in range(transfers)
    ]
    receipts = await ledger.submit_batch(moves)
    assert not any(receipt.refusal for receipt in receipts)


async def usual_bundle(clock: VirtualClock) -> bytes:
    """A bundle with a record of every common kind, longer than a tile."""
    async with in_process(MemoryStore(clock), clock, LEDGER) as ledger:
        await open_usual(ledger)
        await fund(ledger, "wallets:a", 1_000, "fund")
        hold = await ledger.hold(
            [api.debit("wallets:a", 100), api.credit("wallets:b", 100)], idempotency_key="hold"
        )
        capture = await ledger.capture(hold.position, amount_minor=40, idempotency_key="capture")
        await ledger.reverse(capture.position, amount_minor=7, idempotency_key="reverse")
        await grow(ledger, 270)
        return await bundle_of(ledger)
