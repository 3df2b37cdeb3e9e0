"""Expiry: decided by time at every read and write; the sweeper only writes it down."""

from datetime import datetime
from typing import Any

import pytest
from tests.support.clock import START, VirtualClock
from tests.support.doors import (
    USUAL_RECORDS,
    available,
    fund,
    head,
    in_process,
    refused,
)

from tandem.ledger import api, commands
from tandem.ledger.local import LocalLedger

pytestmark = pytest.mark.anyio


async def _hold(ledger: api.Ledger, expires_at: datetime, key: str = "hold") -> api.Record:
    return await ledger.hold(
        [api.debit("wallets:a", 60), api.credit("wallets:b", 60)],
        expires_at=expires_at,
        idempotency_key=key,
    )


async def test_an_expired_hold_counts_no_more(timed: LocalLedger, clock: VirtualClock) -> None:
    """To the microsecond, and with nobody having written it down."""
    await fund(timed, "wallets:a", 100)
    hold = await _hold(timed, clock.after(60))
    clock.move(59.999999)
    assert await available(timed, "wallets:a") == 40
    assert (await timed.hold_state(hold.position)).status == "open"
    clock.move(0.000001)
    assert await available(timed, "wallets:a") == 100
    state = await timed.hold_state(hold.position)
    assert (state.status, state.remaining_minor) == ("expired", 0)


async def test_an_expired_hold_can_not_be_captured(timed: LocalLedger, clock: VirtualClock) -> None:
    """The refusal says that it expired, and no money moves."""
    await fund(timed, "wallets:a", 100)
    hold = await _hold(timed, clock.after(1))
    clock.move(1)
    for key, write in enumerate((timed.capture, timed.release)):
        refusal = await refused(write(hold.position, idempotency_key=str(key)))
        assert (refusal.code, refusal.hold_status) == ("hold_not_open", "expired")
    assert (await timed.balance("wallets:b")).balance_minor == 0
    assert (await timed.verify()).holds


async def test_funds_of_an_expired_hold_can_be_spent(
    timed: LocalLedger, clock: VirtualClock
) -> None:
    """The next decision sees them free; the expiry stands in the log before it."""
    await fund(timed, "wallets:a", 100)
    hold = await _hold(timed, clock.after(1))
    clock.move(1)
    spent = await timed.transfer(
        debit_account="wallets:a",
        credit_account="wallets:b",
        amount_minor=100,
        idempotency_key="all",
    )
    expiry = await timed.transaction(hold.position + 1)
    assert (expiry.kind, expiry.parent, expiry.idempotency_key) == ("expiry", hold.position, None)
    assert expiry.expires_at == hold.expires_at
    assert spent.position == expiry.position + 1
    assert [entry.effect for entry in expiry.entries] == ["release", "release"]


async def test_the_sweeper_writes_down_what_expired(
    timed: LocalLedger, clock: VirtualClock
) -> None:
    """Woken, it writes one expiry for each hold, in order of time, and changes no balance."""
    await fund(timed, "wallets:a", 300)
    late = await _hold(timed, clock.after(20), "late")
    early = await _hold(timed, clock.after(10), "early")
    clock.move(30)
    before = await available(timed, "wallets:a")
    timed._writer.sweep()
    refusal = await refused(timed.capture(late.position, idempotency_key="capture"))
    assert refusal.hold_status == "expired"
    page = await timed.records(kind="expiry")
    assert [record.parent for record in page.items] == [early.position, late.position]
    assert await available(timed, "wallets:a") == before == 300


async def test_what_was_captured_does_not_expire(timed: LocalLedger, clock: VirtualClock) -> None:
    """Only the rest of a partly captured hold expires; an ended one not at all."""
    await fund(timed, "wallets:a", 200)
    partly = await _hold(timed, clock.after(10), "partly")
    ended = await _hold(timed, clock.after(10), "ended")
    await timed.capture(partly.position, amount_minor=25, idempotency_key="1")
    await timed.capture(ended.position, idempotency_key="2")
    clock.move(10)
    await fund(timed, "wallets:b", 1)
    (expiry,) = (await timed.records(kind="expiry")).items
    assert (expiry.parent, expiry.entries[0].amount_minor) == (partly.position, 35)
    assert await available(timed, "wallets:a") == 200 - 25 - 60
    assert (await timed.hold_state(ended.position)).status == "captured"
    state = await timed.hold_state(partly.position)
    assert (state.status, state.captured_minor) == ("expired", 25)


async def test_a_batch_sees_the_same_time(timed: LocalLedger, clock: VirtualClock) -> None:
    """An atomic batch after the expiry is refused for the hold as a single command is."""
    await fund(timed, "wallets:a", 100)
    hold = await _hold(timed, clock.after(1))
    clock.move(2)
    refusal = await refused(
        timed.submit_batch(
            [
                commands.transfer(debit_account="cash", credit_account="wallets:b", amount_minor=1),
                commands.capture(hold.position),
            ],
            mode="atomic",
            idempotency_key="batch",
        )
    )
    assert (refusal.code, refusal.hold_status) == ("hold_not_open", "expired")


async def test_a_balance_in_the_past_is_by_its_own_time(
    timed: LocalLedger, clock: VirtualClock
) -> None:
    """As of a time before the expiry the hold counts, after it not, whenever it is asked."""
    await fund(timed, "wallets:a", 100)
    hold = await _hold(timed, clock.after(10))
    for seconds in (15, 100):
        clock.move(seconds)
        before = await timed.balance("wallets:a", at_time=START.replace(second=9))
        after = await timed.balance("wallets:a", at_time=START.replace(second=10))
        assert (before.available_minor, after.available_minor) == (40, 100)
        assert before.position == hold.position
        await fund(timed, "wallets:b", 1)
    at_hold = await timed.balance("wallets:a", at_position=hold.position)
    assert at_hold.available_minor == 40


async def test_a_clock_that_steps_back_revives_nothing(
    timed: LocalLedger, clock: VirtualClock
) -> None:
    """Recorded times go on increasing, and a hold that expired in the log stays so."""
    await fund(timed, "wallets:a", 100)
    hold = await _hold(timed, clock.after(10))
    clock.move(10)
    written = await fund(timed, "wallets:b", 1)
    clock.move(-60)
    later = await fund(timed, "wallets:b", 1)
    assert later.recorded_at > written.recorded_at
    refusal = await refused(timed.capture(hold.position, idempotency_key="capture"))
    assert refusal.hold_status == "expired"
    assert (await timed.hold_state(hold.position)).status == "expired"
    assert (await timed.verify()).holds


async def test_another_process_sees_the_expiry(timed: LocalLedger, clock: VirtualClock) -> None:
    """A writer that starts after the expiry writes it down before anything else."""
    await fund(timed, "wallets:a", 100)
    hold = await _hold(timed, clock.after(10))
    clock.move(11)
    async with in_process(timed._store, clock, timed.name) as other:  # type: ignore[arg-type]  # one of the two stores
        await other.transfer(
            debit_account="wallets:a",
            credit_account="wallets:b",
            amount_minor=100,
            idempotency_key="all",
        )
        assert (await other.transaction(hold.position + 1)).kind == "expiry"
    assert await available(timed, "wallets:a") == 0


_NO_TIMES: list[Any] = [
    datetime(2027, 1, 1),  # noqa: DTZ001 - a time without an offset is the point
    "2027-01-01T00:00:00Z",
    1_800_000_000,
    datetime.fromisoformat("1969-12-31T23:59:59+00:00"),
    datetime.fromisoformat("0001-01-01T00:00:00+00:00"),
]


@pytest.mark.parametrize("expires_at", _NO_TIMES, ids=str)
async def test_what_is_no_time_is_malformed(shared_ledger: api.Ledger, expires_at: Any) -> None:
    """A hold expires at a time with an offset, from 1970 on."""
    refusal = await refused(
        shared_ledger.hold(
            [api.debit("cash", 1), api.credit("wallets:a", 1)],
            expires_at=expires_at,
            idempotency_key="hold",
        )
    )
    assert (refusal.code, refusal.field) == ("malformed", "expires_at")
    assert await head(shared_ledger) == USUAL_RECORDS


async def test_a_hold_expires_in_the_future(ledger: api.Ledger) -> None:
    """One that would be expired at once is refused through every door."""
    refusal = await refused(_hold(ledger, datetime.fromisoformat("2026-01-01T00:00:00+02:00")))
    assert (refusal.code, refusal.field) == ("malformed", "expires_at")


async def test_a_time_survives_every_door(ledger: api.Ledger) -> None:
    """The expiry comes back as the same instant, to the microsecond."""
    expires_at = datetime.fromisoformat("2091-02-03T04:05:06.123456-07:30")
    await fund(ledger, "wallets:a", 100)
    hold = await _hold(ledger, expires_at)
    assert hold.expires_at == expires_at
    assert (await ledger.hold_state(hold.position)).expires_at == expires_at
