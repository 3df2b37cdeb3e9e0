"""Expiry at the edges of a batch, and verification of records that were tampered with."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.clock import VirtualClock
from tests.support.doors import fund, in_process, open_usual

from tandem.ledger import commands
from tandem.ledger.api import BatchMode, credit, debit
from tandem.ledger.local import LocalLedger
from tandem.ledger.storage.memory import MemoryStore

pytestmark = pytest.mark.anyio


async def _prepared(ledger: LocalLedger) -> None:
    await open_usual(ledger)
    await fund(ledger, "wallets:a", 1_000)


async def test_no_record_stands_after_an_unwritten_expiry(clock: VirtualClock) -> None:
    """A hold that expires while an atomic batch's records are numbered is written down first."""
    async with in_process(MemoryStore(clock), clock, "sweep") as ledger:
        await _prepared(ledger)
        hold = await ledger.hold(
            [debit("wallets:a", 10), credit("wallets:b", 10)],
            expires_at=clock.after(0.000_5),
            idempotency_key="hold",
        )
        batch = [
            commands.transfer(debit_account="wallets:a", credit_account="wallets:b", amount_minor=1)
            for _ in range(900)
        ]
        await ledger.submit_batch(batch, mode=BatchMode.ATOMIC, idempotency_key="batch")
        page = await ledger.records(kind="expiry")
        (expiry,) = page.items
        assert expiry.parent == hold.position
        assert hold.expires_at is not None
        assert expiry.recorded_at >= hold.expires_at
        later = (await ledger.records(kind="batch")).items[0]
        assert later.position > expiry.position


def _edited(change: Callable[[dict[str, Any]], None]) -> Callable[[str], str]:
    def edit(body: str) -> str:
        fields = json.loads(body)
        change(fields)
        return json.dumps(fields, separators=(",", ":"))

    return edit


@pytest.mark.parametrize(
    "edit",
    [
        _edited(lambda fields: fields.update(position=2)),
        _edited(lambda fields: fields.update(position=10**9)),
        _edited(lambda fields: fields["entries"][0].__setitem__(3, "7")),
        _edited(lambda fields: fields.update(v=2)),
        lambda _: "[]",
        lambda _: "not JSON",
    ],
    ids=["earlier", "later", "text total", "version", "list", "no JSON"],
)
async def test_verify_reports_whatever_a_body_became(
    clock: VirtualClock, edit: Callable[[str], str]
) -> None:
    """Tampered text never stops verification; it is reported with its position."""
    store = MemoryStore(clock)
    async with in_process(store, clock, "tampered") as ledger:
        await _prepared(ledger)
        assert (await ledger.verify()).holds
        bodies = store._logs["tampered"].bodies
        bodies[-1] = edit(bodies[-1])
        found = await ledger.verify()
        assert any(f"position {len(bodies)}" in fault for fault in found.faults)
        assert any("Merkle" in fault for fault in found.faults)
