"""Exports: every record once, in every format, and back in through an import."""

import csv
import io
import json
from collections.abc import Sequence
from datetime import timedelta

import pyarrow.parquet as pq
import pytest
from tests.support.clock import VirtualClock
from tests.support.doors import account, fund, head, in_process, open_accounts, refused
from tests.support.exchange import all_balances, export_bytes, import_bytes

from tandem.ledger import api, commands
from tandem.ledger.api import RefusalCode, credit, debit
from tandem.ledger.core.commands import SingleCommand
from tandem.ledger.exchange.exporting import Format
from tandem.ledger.exchange.importing import Summary
from tandem.ledger.local import LocalLedger
from tandem.ledger.storage.memory import MemoryStore
from tandem.ledger.times import from_us, to_us

pytestmark = pytest.mark.anyio

_LARGEST = 2**127 - 1


async def _history(ledger: api.Ledger) -> None:
    """Something of every kind of record, refusals and the largest amount included."""
    await open_accounts(
        ledger,
        [
            account("till", "JPY/0", account_class="asset", min_balance_minor=None),
            account("shop", "JPY/0", account_class="income", min_balance_minor=None),
            account("vault", account_class="asset", min_balance_minor=None),
            account("void", min_balance_minor=None, metadata={"why": "room"}),
        ],
    )
    await fund(ledger, "wallets:a", 1_000, "fund-a")
    await ledger.transfer(
        debit_account="vault", credit_account="void", amount_minor=_LARGEST, idempotency_key="huge"
    )
    mixed = await ledger.post_transaction(
        [debit("cash", 5), credit("wallets:b", 5), debit("till", 7), credit("shop", 7)],
        reference='two "assets"; | é\n',
        metadata={"a,b": 'x"\n\\', "": "\t\x01"},
        idempotency_key="mixed",
    )
    await ledger.post_transaction(
        [debit("wallets:a", 3), credit("wallets:a", 3)], idempotency_key="self"
    )
    first = await ledger.hold(
        [debit("wallets:a", 100), credit("wallets:b", 100)],
        capture_limit_minor=150,
        idempotency_key="hold-1",
    )
    await ledger.capture(first.position, amount_minor=120, final=True, idempotency_key="take-1")
    second = await ledger.hold(
        [debit("wallets:a", 60), credit("wallets:b", 60)], idempotency_key="hold-2"
    )
    await ledger.release(second.position, amount_minor=10, idempotency_key="free-2")
    await refused(
        ledger.transfer(
            debit_account="wallets:b",
            credit_account="cash",
            amount_minor=10**6,
            idempotency_key="too-much",
        )
    )
    await ledger.submit_batch(
        [
            _transfer("cash", "wallets:a", 11),
            _transfer("wallets:a", "wallets:b", 4),
        ],
        mode="atomic",
        idempotency_key="both",
    )
    # What was paid in is spent, so only without limits can it be taken back.
    await ledger.reverse(mixed.position, override_limits=True, idempotency_key="back")
    again = await ledger.hold([debit("cash", 9), credit("wallets:b", 9)], idempotency_key="hold-3")
    await ledger.capture(again.position, idempotency_key="take-3")
    opened_at = (await ledger.account("cash")).opened_at
    await ledger.close_period(through=opened_at, idempotency_key="close")
    await ledger.transfer(
        debit_account="cash",
        credit_account="wallets:a",
        amount_minor=2,
        effective_at=opened_at + timedelta(microseconds=1),
        idempotency_key="late",
    )
    await ledger.update_account("wallets:b", status="frozen", idempotency_key="freeze")
    await ledger.update_account("void", max_balance_minor="none", idempotency_key="lift")


def _transfer(debited: str, credited: str, amount_minor: int) -> SingleCommand:
    """A transfer of an atomic batch, without a key."""
    return commands.transfer(
        debit_account=debited, credit_account=credited, amount_minor=amount_minor
    )


async def _copy(ledger: api.Ledger) -> tuple[bytes, Sequence[str]]:
    content = await export_bytes(ledger, Format.JSONL)
    return content, [json.loads(line)["kind"] for line in content.splitlines()]


async def _all(ledger: api.Ledger) -> Sequence[api.Record]:
    return (await ledger.records(limit=1_000)).items


async def test_an_export_imports_to_equal_balances(ledger: api.Ledger, clock: VirtualClock) -> None:
    """Into a fresh ledger: posted and pending, statuses and limits; and again changes nothing."""
    await _history(ledger)
    content, kinds = await _copy(ledger)
    assert set(kinds) >= set(api.RecordKind) - {"expiry"}
    # A server goes by the real clock; the copy is made after that.
    clock.now_us = max(clock.now_us, to_us((await _all(ledger))[-1].recorded_at, "last") + 1)
    async with in_process(MemoryStore(clock), clock) as fresh:
        summary, report = await import_bytes(fresh, content, now_us=clock())
        assert report == []
        without_effect = kinds.count("refusal") + kinds.count("batch")
        assert summary == Summary(accepted=len(kinds) - without_effect, skipped=without_effect)
        assert await all_balances(fresh) == await all_balances(ledger)
        late = {record.idempotency_key: record.effective_at for record in await _all(fresh)}
        assert late["late"] == (await ledger.account("cash")).opened_at + timedelta(microseconds=1)
        before, after = (await ledger.accounts()).items, (await fresh.accounts()).items
        for old, new in zip(before, after, strict=True):
            assert (old.status, old.metadata, old.max_balance_minor, old.min_balance_minor) == (
                new.status,
                new.metadata,
                new.max_balance_minor,
                new.min_balance_minor,
            )
        summary, _ = await import_bytes(fresh, content, now_us=clock())
        assert (summary.accepted, summary.refused) == (0, 0)


async def test_holds_that_expired_are_imported_as_they_ended(
    timed: LocalLedger, clock: VirtualClock
) -> None:
    """A hold whose expiry has passed is placed without one; the expiry's own line releases it."""
    await fund(timed, "wallets:a", 100)
    for number, minutes in enumerate((1, 600)):
        await timed.hold(
            [debit("wallets:a", 20), credit("wallets:b", 20)],
            expires_at=from_us(clock() + minutes * 60_000_000),
            idempotency_key=f"hold-{number}",
        )
    clock.move(120)
    await fund(timed, "wallets:a", 1)
    content, kinds = await _copy(timed)
    assert kinds.count("expiry") == 1
    async with in_process(MemoryStore(clock), clock) as fresh:
        _, report = await import_bytes(fresh, content, now_us=clock())
        assert report == []
        assert await all_balances(fresh) == await all_balances(timed)


async def test_an_export_stops_at_its_position(ledger: api.Ledger) -> None:
    """Whatever is written later; a position that is not there yet is refused."""
    await _history(ledger)
    last = await head(ledger)
    at = last - 5
    early = await export_bytes(ledger, Format.JSONL, at)
    assert len(early.splitlines()) == at
    await fund(ledger, "wallets:a", 1)
    assert await export_bytes(ledger, Format.JSONL, at) == early
    refusal = await refused(export_bytes(ledger, Format.CSV, last + 2))
    assert refusal.code is RefusalCode.MALFORMED


async def test_tables_have_a_row_for_every_entry(ledger: api.Ledger) -> None:
    """CSV and Parquet alike, the largest amounts digit by digit."""
    await _history(ledger)
    records = (await ledger.records(limit=1_000)).items
    expected = [
        (str(record.position), entry.account, entry.effect, str(entry.amount_minor))
        for record in records
        for entry in record.entries
    ]
    text = (await export_bytes(ledger, Format.CSV)).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    names = ("position", "account", "effect", "amount_minor")
    assert [tuple(row[name] for name in names) for row in rows] == expected
    assert str(_LARGEST) in {row["amount_minor"] for row in rows}
    mixed = next(row for row in rows if row["idempotency_key"] == "mixed")
    assert json.loads(mixed["metadata"]) == {"a,b": 'x"\n\\', "": "\t\x01"}
    table = pq.read_table(io.BytesIO(await export_bytes(ledger, Format.PARQUET)))
    read = table.to_pylist()
    assert [tuple(str(row[name]) for name in names) for row in read] == expected
    assert [row["recorded_at"] for row in read] == [
        record.recorded_at for record in records for _ in record.entries
    ]
    assert {row["asset"] for row in read} == {"EUR/2", "JPY/0"}
