"""Invariants 1 to 8, recomputed from what every door shows, without trusting `verify`.

What happens when stored rows are changed behind the ledger's back is in `test_tampering.py`.
"""

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Final

import pytest
from tests.support.clock import VirtualClock
from tests.support.doors import (
    account,
    fresh_name,
    fund,
    head,
    in_process,
    open_accounts,
    open_usual,
    refused,
)

from tandem.ledger import api, commands
from tandem.ledger.core.canonical import decode, encode
from tandem.ledger.core.merkle import Tree, leaf_hash
from tandem.ledger.local import LocalLedger
from tandem.ledger.storage.memory import MemoryStore

pytestmark = pytest.mark.anyio

_debit, _credit = api.debit, api.credit
_ASSETS: Final = {"sek": "SEK/2", "sek:a": "SEK/2"}


async def _history(ledger: api.Ledger) -> None:
    """Write records of every kind that a caller can cause without moving a clock."""
    await open_accounts(
        ledger,
        [
            account("sek", "SEK/2", min_balance_minor=None),
            account("sek:a", "SEK/2"),
            account("capped", max_balance_minor=60),
        ],
    )
    await fund(ledger, "wallets:a", 1_000, "fund")
    await ledger.post_transaction(
        [_debit("cash", 3), _credit("wallets:b", 3), _debit("sek", 7), _credit("sek:a", 7)],
        reference="two assets",
        metadata={"z": "<&>", "a": "\u00e9"},
        idempotency_key="post",
    )
    entries = [_debit("wallets:a", 50), _credit("capped", 50)]
    hold = await ledger.hold(entries, capture_limit_minor=60, idempotency_key="hold")
    await ledger.capture(hold.position, amount_minor=20, idempotency_key="capture")
    await ledger.capture(hold.position, amount_minor=35, final=True, idempotency_key="last")
    kept = await ledger.hold([entries[0], _credit("wallets:b", 50)], idempotency_key="kept")
    await ledger.release(kept.position, amount_minor=11, idempotency_key="release")
    paid = await fund(ledger, "wallets:b", 40, "paid")
    back = await ledger.reverse(paid.position, amount_minor=15, idempotency_key="reverse")
    await ledger.reverse(back.position, idempotency_key="back")
    await refused(fund(ledger, "capped", 10_000, "broke"))
    await ledger.submit_batch(
        [
            commands.transfer(debit_account="wallets:a", credit_account="wallets:b", amount_minor=n)
            for n in (1, 2)
        ],
        mode="atomic",
        idempotency_key="batch",
    )
    spent = await fund(ledger, "capped", 5, "spent")
    await ledger.update_account("capped", max_balance_minor=1, idempotency_key="cap")
    await ledger.transfer(
        debit_account="capped", credit_account="cash", amount_minor=60, idempotency_key="empty"
    )
    await ledger.reverse(spent.position, override_limits=True, idempotency_key="override")


async def _log(ledger: api.Ledger) -> list[api.Record]:
    records: list[api.Record] = []
    cursor = None
    while True:
        page = await ledger.records(cursor=cursor, limit=7)
        records += page.items
        cursor = page.next_cursor
        if cursor is None:
            return records


def _asset(address: str) -> str:
    return _ASSETS.get(address, "EUR/2")


def _signed(entry: api.PostedEntry) -> int:
    return entry.amount_minor if entry.direction == "debit" else -entry.amount_minor


type _Totals = tuple[int, int, int, int]


def _totals(entry: api.PostedEntry) -> _Totals:
    return (
        entry.posted_debits_minor,
        entry.posted_credits_minor,
        entry.pending_debits_minor,
        entry.pending_credits_minor,
    )


def _after(totals: _Totals, entry: api.PostedEntry) -> _Totals:
    """The rule in words: posting adds to posted, holding to pending, capturing moves."""
    held = list(totals)
    side = 0 if entry.direction == "debit" else 1
    if entry.effect in ("post", "capture"):
        held[side] += entry.amount_minor
    if entry.effect in ("capture", "release"):
        held[side + 2] -= entry.amount_minor
    if entry.effect == "hold":
        held[side + 2] += entry.amount_minor
    return held[0], held[1], held[2], held[3]


async def test_every_transaction_balances_per_asset(ledger: api.Ledger) -> None:
    """1. What each record posts sums to zero in each asset, and so does what it keeps pending."""
    await _history(ledger)
    for record in await _log(ledger):
        posted, pending = Counter[str](), Counter[str]()
        for entry in record.entries:
            asset = _asset(entry.account)
            posted[asset] += _signed(entry) if entry.effect in ("post", "capture") else 0
            pending[asset] += _signed(entry) * {"post": 0, "hold": 1}.get(entry.effect, -1)
        assert not any(posted.values()), record
        assert not any(pending.values()), record


async def test_running_totals_chain(ledger: api.Ledger) -> None:
    """2. Each entry's totals are its account's last ones plus its own effect, and never less."""
    await _history(ledger)
    last: dict[str, _Totals] = defaultdict(lambda: (0, 0, 0, 0))
    for record in await _log(ledger):
        for entry in record.entries:
            last[entry.account] = _after(last[entry.account], entry)
            assert _totals(entry) == last[entry.account], record
            assert min(_totals(entry)) >= 0
    for address, totals in last.items():
        balance = await ledger.balance(address)
        assert (
            balance.posted_debits_minor,
            balance.posted_credits_minor,
            balance.pending_debits_minor,
            balance.pending_credits_minor,
        ) == totals


async def test_positions_have_no_gap_and_times_increase(ledger: api.Ledger) -> None:
    """3. The log counts from one, and each record is later than the one before."""
    await _history(ledger)
    log = await _log(ledger)
    assert [record.position for record in log] == list(range(1, await head(ledger) + 1))
    assert all(one.recorded_at < two.recorded_at for one, two in pairwise(log))


async def test_pending_totals_are_the_sum_of_open_holds(ledger: api.Ledger) -> None:
    """4. What is pending on the debit side is what open holds still reserve of it, and no more."""
    await _history(ledger)
    holds = [record for record in await _log(ledger) if record.kind == "hold"]
    states = [await ledger.hold_state(record.position) for record in holds]
    assert [state.status for state in states] == ["captured", "open"]
    reserved = sum(state.remaining_minor for state in states)
    assert reserved == 39
    euro = next(line for line in (await ledger.trial_balance()).lines if line.asset == "EUR/2")
    assert (euro.pending_debits_minor, euro.pending_credits_minor) == (reserved, reserved)


async def test_no_account_is_past_its_limits_but_by_override(ledger: api.Ledger) -> None:
    """5. At every record available is not below the least, but where an override record says so."""
    await _history(ledger)
    log = await _log(ledger)
    past = []
    for record in log:
        final = {entry.account: entry for entry in record.entries}
        for address, entry in final.items():
            posted = entry.posted_credits_minor - entry.posted_debits_minor
            if address not in ("cash", "sek") and posted - entry.pending_debits_minor < 0:
                past.append((record.idempotency_key, address))
    # Of the reversal that was allowed to.
    assert past == [("override", "capped")]
    assert (await ledger.verify()).holds


async def test_every_key_appears_once(ledger: api.Ledger) -> None:
    """6. Also those of refusals and batches; and each finds its record again."""
    await _history(ledger)
    keys = Counter(record.idempotency_key for record in await _log(ledger))
    # The records of a batch have none of their own; nor do those of the store's own making.
    assert keys.pop(None) == 2
    assert set(keys.values()) == {1}
    assert {"fund", "broke", "batch", "override", "open-cash"} <= keys.keys()


async def test_the_root_is_that_of_the_stored_bytes(timed: LocalLedger) -> None:
    """7. Hashed leaf by leaf with nothing of ours but the hash, the bytes have the head's root."""
    await _history(timed)
    bodies = await timed._store.bodies(timed._ledger_id, 0, 1_000)
    tree = Tree()
    for body in bodies:
        tree.append(leaf_hash(body.encode()))
        assert encode(decode(body)) == body
    found = await timed.verify()
    assert (found.holds, found.root, found.records) == (True, tree.root().hex(), len(bodies))


async def test_the_oracle_reaches_the_same(ledger: api.Ledger, clock: VirtualClock) -> None:
    """8. The same commands to the memory store give the same records, balances and accounts."""
    await _history(ledger)
    async with in_process(MemoryStore(clock), clock, fresh_name()) as oracle:
        await open_usual(oracle)
        await _history(oracle)
        for one, two in zip(await _log(ledger), await _log(oracle), strict=True):
            assert (one.position, one.kind, one.entries) == (two.position, two.kind, two.entries)
            assert (one.parent, one.reference, one.metadata) == (
                two.parent,
                two.reference,
                two.metadata,
            )
            assert (one.idempotency_key, one.refusal) == (two.idempotency_key, two.refusal)
        for item in (await ledger.accounts()).items:
            assert await ledger.balance(item.address) == await oracle.balance(item.address)
        assert await ledger.trial_balance() == await oracle.trial_balance()
