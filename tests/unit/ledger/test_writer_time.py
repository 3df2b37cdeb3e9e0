"""The writer and time: holds that expire around it, in masses, and clocks that stray."""

import random
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime

import anyio
import pytest
from tests.support.clock import VirtualClock
from tests.support.doors import (
    USUAL_RECORDS,
    available,
    fund,
    head,
    in_process,
    open_usual,
    refused,
)
from tests.unit.ledger.gates import PATIENCE_S, GatedStore, answers_of, quiet, spend, started

from tandem.ledger import api, commands, working, writer
from tandem.ledger.core import expiry
from tandem.ledger.local import LocalLedger
from tandem.ledger.storage.postgres import open_store

pytestmark = pytest.mark.anyio

END = datetime.max.replace(tzinfo=UTC)


def _held(ledger: LocalLedger, clock: VirtualClock) -> Awaitable[api.Record]:
    """Hold 10 of `wallets:a` for a minute."""
    return ledger.hold(
        [api.debit("wallets:a", 10), api.credit("wallets:b", 10)],
        expires_at=clock.after(60),
        idempotency_key="hold",
    )


async def test_a_hold_expires_while_its_capture_queues(
    gated: LocalLedger, store: GatedStore, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the time of the decision that counts, not that of the call."""
    monkeypatch.setattr(writer, "MAX_WEIGHT_PER_APPEND", 2)
    monkeypatch.setattr(writer, "PROMPT_WEIGHT", 2)
    hold = await _held(gated, clock)
    store.appends.clear()
    writes = [started(spend(gated, 1, f"key-{number}")) for number in range(2)]
    await quiet()
    capture = started(gated.capture(hold.position, idempotency_key="capture"))
    await quiet()
    clock.move(60)
    store.appends.set()
    *_, answer = await answers_of([*writes, capture])
    assert isinstance(answer, api.Refused)
    assert answer.refusal.hold_status == "expired"
    assert (await gated.verify()).holds


async def test_a_hold_expires_between_decision_and_append(
    gated: LocalLedger, store: GatedStore, clock: VirtualClock
) -> None:
    """A capture that was decided in time is captured, however long the append takes."""
    hold = await _held(gated, clock)
    store.appends.clear()
    capture = started(gated.capture(hold.position, idempotency_key="capture"))
    await quiet()
    clock.move(61)
    store.appends.set()
    (answer,) = await answers_of([capture])
    assert isinstance(answer, api.Record)
    assert hold.expires_at is not None
    assert answer.recorded_at < hold.expires_at
    assert (await gated.hold_state(hold.position)).status == "captured"
    assert (await gated.records(kind="expiry")).items == ()


async def _many_holds(ledger: LocalLedger, clock: VirtualClock, times_s: Sequence[float]) -> None:
    receipts = await ledger.submit_batch(
        [
            commands.hold(
                [api.debit("wallets:a", 1), api.credit("wallets:b", 1)],
                expires_at=clock.after(time_s),
                idempotency_key=f"hold-{number}",
            )
            for number, time_s in enumerate(times_s)
        ]
    )
    assert all(receipt.refusal is None for receipt in receipts)


def _small_expiries(monkeypatch: pytest.MonkeyPatch, at_once: int, window: int) -> None:
    monkeypatch.setattr(working, "MAX_EXPIRIES_PER_APPEND", at_once)
    monkeypatch.setattr(working, "_LOADED_EXPIRIES", 2 * at_once)
    for module in (working, expiry):
        monkeypatch.setattr(module, "EXPIRY_WINDOW_HOLDS", window)


@pytest.mark.parametrize("window", [7, 10, 1_000])
@pytest.mark.parametrize("spread_us", [0, 1, 100_000])
async def test_a_mass_expiry(
    store: GatedStore,
    clock: VirtualClock,
    monkeypatch: pytest.MonkeyPatch,
    window: int,
    spread_us: int,
) -> None:
    """More holds than an append takes or a window has all expire, before what follows."""
    _small_expiries(monkeypatch, 3, window)
    times_s = [60 + number * spread_us / 1e6 for number in range(40)]
    random.Random(1).shuffle(times_s)
    async with in_process(store, clock, "mass") as ledger:
        await open_usual(ledger)
        await fund(ledger, "wallets:a", 40)
        await _many_holds(ledger, clock, times_s)
        assert await available(ledger, "wallets:a") == 0
        clock.move(70)
        await spend(ledger, 40, "all")
        assert (await ledger.balance("wallets:a")).pending_debits_minor == 0
        page = await ledger.records(kind="expiry")
        times = [record.expires_at for record in page.items]
        assert len(times) == 40
        assert times == sorted(times, key=str)
        assert (await ledger.verify()).holds


@pytest.mark.parametrize("window", [7, 1_000])
async def test_many_holds_are_about_to_expire(
    store: GatedStore, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    """Due within the second but not yet, they neither stop the writer nor expire early."""
    _small_expiries(monkeypatch, 3, window)
    async with in_process(store, clock, "soon") as ledger:
        await open_usual(ledger)
        await fund(ledger, "wallets:a", 100)
        await _many_holds(ledger, clock, [0.5] * 30 + [0.7] * 30)
        with anyio.fail_after(PATIENCE_S):
            await spend(ledger, 40, "before")
        assert (await ledger.records(kind="expiry")).items == ()
        clock.move(0.5)
        await spend(ledger, 30, "half")
        assert len((await ledger.records(kind="expiry")).items) == 30
        clock.move(0.2)
        await spend(ledger, 30, "rest")
        assert len((await ledger.records(kind="expiry")).items) == 60
        assert (await ledger.verify()).holds


class TickingClock(VirtualClock):
    """A clock that goes on a little whenever somebody looks."""

    tick_us = 0

    def __call__(self) -> int:
        """Read the clock."""
        self.now_us += self.tick_us
        return self.now_us


@pytest.mark.parametrize("window", [7, 1_000])
async def test_time_goes_on_within_a_batch(monkeypatch: pytest.MonkeyPatch, window: int) -> None:
    """Holds that expire between two commands of one batch are written down between them."""
    _small_expiries(monkeypatch, 3, window)
    clock = TickingClock()
    store = GatedStore(clock)
    async with in_process(store, clock, "ticking") as ledger:
        await open_usual(ledger)
        await fund(ledger, "wallets:a", 60)
        await _many_holds(ledger, clock, [0.1 + number / 100 for number in range(60)])
    clock.tick_us = 10_000
    async with in_process(store, clock, "ticking") as ledger:
        for turn in range(3):
            receipts = await ledger.submit_batch(
                [
                    commands.transfer(
                        debit_account="cash",
                        credit_account="wallets:b",
                        amount_minor=1,
                        idempotency_key=f"key-{turn}-{number}",
                    )
                    for number in range(40)
                ]
            )
            assert all(receipt.refusal is None for receipt in receipts)
        clock.tick_us = 0
        page = await ledger.records(limit=1_000)
        assert (await ledger.verify()).holds
    open_until = {one.position: one.expires_at for one in page.items if one.kind == "hold"}
    for record in page.items:
        if record.kind == "expiry":
            assert record.parent is not None
            expires_at = open_until.pop(record.parent)
            assert expires_at is not None
            assert expires_at <= record.recorded_at
        else:
            overdue = [
                position
                for position, expires_at in open_until.items()
                if position < record.position and (expires_at or END) <= record.recorded_at
            ]
            assert overdue == [], record
    assert len(open_until) < 30


async def test_windows_are_loaded_once(
    store: GatedStore, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Far expiries stay in the store, and a window is not loaded again for every command."""
    _small_expiries(monkeypatch, 3, 10)
    async with in_process(store, clock, "windows") as ledger:
        await open_usual(ledger)
        await fund(ledger, "wallets:a", 100)
        await _many_holds(ledger, clock, [60.0 + number for number in range(50)])
    store.windows = 0
    async with in_process(store, clock, "windows") as ledger:
        for number in range(20):
            await fund(ledger, "wallets:b", 1, f"key-{number}")
        assert store.windows == 1
        for number in range(60):
            clock.move(2)
            await fund(ledger, "wallets:b", 1, f"later-{number}")
        assert store.windows <= 7
        assert len((await ledger.records(kind="expiry")).items) == 50
        assert (await ledger.verify()).holds


async def test_a_strayed_clock_writes_nothing(
    ledger_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too far from the database's own clock it is unavailable; set right, the key still works."""
    monkeypatch.setattr(writer, "RETRY_PAUSE_MS", 0)
    right = datetime.now(UTC)
    clock = VirtualClock(right)
    async with (
        open_store(ledger_database, max_clock_skew_us=30_000_000) as store,
        in_process(store, clock) as ledger,
    ):
        await open_usual(ledger)
        clock.move(86_400)
        refusal = await refused(fund(ledger, "wallets:a", 5, "key"))
        assert refusal.code == "unavailable"
        assert await head(ledger) == USUAL_RECORDS
        clock.move(-86_400)
        record = await fund(ledger, "wallets:a", 5, "key")
        assert (record.replayed, record.position) == (False, USUAL_RECORDS + 1)
        assert (await ledger.verify()).holds


async def test_a_hold_that_expired_behind_a_failed_release_is_swept(
    gated: LocalLedger, store: GatedStore, clock: VirtualClock
) -> None:
    """Its release made it no longer due; when that is not written, it is due again."""
    hold = await _held(gated, clock)
    store.appends.clear()
    store.failures = 1
    release = started(gated.release(hold.position, idempotency_key="release"))
    await quiet()
    clock.move(60)
    other = started(spend(gated, 1, "other"))
    await quiet()
    store.appends.set()
    refused_release, _ = await answers_of([release, other])
    assert isinstance(refused_release, api.Refused)
    assert refused_release.refusal.hold_status == "expired"
    assert (await spend(gated, 999, "all")).kind == "transaction"
