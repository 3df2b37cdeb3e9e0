"""Balances, totals and statements by either time, against a full replay of the log's own bytes.

The replay shares nothing with the ledger: it reads the JSON of every record, and sums what is
effective by one instant among what was recorded by another.
"""

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from tests.support.clock import VirtualClock
from tests.support.doors import account, open_accounts

from tandem.ledger import api, commands
from tandem.ledger.core.commands import SingleCommand
from tandem.ledger.local import LocalLedger
from tandem.ledger.times import from_us

pytestmark = pytest.mark.anyio

INSTANTS = 1_000
WALLETS = ("wallets:a", "wallets:b", "wallets:c", "wallets:d", "wallets:e")
ADDRESSES = ("cash", *WALLETS)
_SECOND_US = 1_000_000


class Line(NamedTuple):
    """What one entry posts."""

    position: int
    recorded_us: int
    effective_us: int
    address: str
    debit: bool
    amount_minor: int


class Replay:
    """Every posted line of a log, read from its bytes."""

    def __init__(self, bodies: list[str]) -> None:
        self.records = [json.loads(body) for body in bodies]
        self.lines = list(self._lines())
        self.opened = {
            record["account"]["address"]: record["position"]
            for record in self.records
            if record["kind"] == "open_account"
        }

    def _lines(self) -> Iterator[Line]:
        for record in self.records:
            recorded_us = record["recorded_at_us"]
            effective_us = record.get("effective_at_us", recorded_us)
            for address, effect, amount_minor, *_ in record.get("entries", ()):
                if effect in (1, 2, 5, 6):
                    debit = effect in (1, 5)
                    yield Line(
                        record["position"], recorded_us, effective_us, address, debit, amount_minor
                    )

    def posted(self, effective_us: int, known: int) -> dict[str, tuple[int, int]]:
        """Debits and credits of every account as of an instant, as known at a position."""
        sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for line in self.lines:
            if line.position <= known and line.effective_us <= effective_us:
                sums[line.address][not line.debit] += line.amount_minor
        return {address: (debits, credits_) for address, (debits, credits_) in sums.items()}


async def _write(ledger: LocalLedger, clock: VirtualClock, chance: random.Random) -> None:
    """Some hundred transactions with dates before and after, ties, and three closings."""
    start = clock.now_us
    await open_accounts(
        ledger, [account(address, min_balance_minor=None) for address in WALLETS[2:]]
    )
    for number in range(300):
        clock.move(chance.choice([0, 0, 1, 7]))
        if number in (100, 170, 240):
            through = from_us(start + (clock.now_us - start) * chance.randint(2, 5) // 10)
            await ledger.close_period(through=through, idempotency_key=f"close-{number}")
        await ledger.submit_batch([_command(chance, clock, number, start)])
    clock.move(5)


def _command(
    chance: random.Random, clock: VirtualClock, number: int, start_us: int
) -> SingleCommand:
    # Whole seconds, so that many dates are equal to each other and to recorded times.
    shift_s = chance.choice([-300, -60, -7, -1, 0, 1, 60, 400])
    moved_us = max(clock.now_us + shift_s * _SECOND_US, start_us - 900 * _SECOND_US)
    effective_at = from_us(moved_us) if chance.random() < 0.6 else None
    one, two = chance.sample(ADDRESSES, 2)
    key, amount_minor = f"key-{number}", chance.randint(1, 99)
    kind = chance.random()
    if kind < 0.15:
        entries = [api.debit(one, amount_minor), api.credit(two, amount_minor)]
        return commands.hold(entries, idempotency_key=key)
    if kind < 0.3:
        position = chance.randint(8, 8 + number)
        return commands.capture(position, effective_at=effective_at, idempotency_key=key)
    if kind < 0.45:
        position = chance.randint(8, 8 + number)
        when: api.Original | None = "original" if chance.random() < 0.5 else None
        return commands.reverse(position, effective_at=when or effective_at, idempotency_key=key)
    return commands.transfer(
        debit_account=one,
        credit_account=two,
        amount_minor=amount_minor,
        effective_at=effective_at,
        idempotency_key=key,
    )


async def _bodies(ledger: LocalLedger) -> list[str]:
    head = await ledger._store.head(ledger.name)
    assert head is not None
    return list(await ledger._store.bodies(head.ledger_id, 0, head.position))


@pytest.fixture
async def replay(timed: LocalLedger, clock: VirtualClock) -> Replay:
    """A written ledger's log."""
    await _write(timed, clock, random.Random(7))
    replay = Replay(await _bodies(timed))
    kinds = {record["kind"] for record in replay.records}
    assert {"capture", "reversal", "close_period", "refusal"} <= kinds
    codes = [record["refusal"]["code"] for record in replay.records if "refusal" in record]
    assert "period_closed" in codes
    displaced = [line for line in replay.lines if line.effective_us != line.recorded_us]
    assert len(displaced) > 100
    assert any(line.effective_us > line.recorded_us for line in displaced)
    return replay


def _instant(chance: random.Random, replay: Replay) -> int:
    """A random time, often the very time of some record or date, or next to it."""
    line = chance.choice(replay.lines)
    exact = chance.choice([line.recorded_us, line.effective_us])
    return exact + chance.choice([-1, 0, 0, 1, chance.randint(-(10**8), 10**8)])


async def test_balances_at_a_thousand_instants(timed: LocalLedger, replay: Replay) -> None:
    """As of any effective time and known at any position or time, the balance is the replay's."""
    chance = random.Random(11)
    last_us = replay.records[-1]["recorded_at_us"]
    for number in range(INSTANTS):
        address = chance.choice(ADDRESSES)
        effective_us = max(_instant(chance, replay), 0)
        if number % 2:
            known = chance.randint(replay.opened[address], len(replay.records))
            balance = await timed.balance(
                address, effective_at=from_us(effective_us), at_position=known
            )
        else:
            opened_us = replay.records[replay.opened[address] - 1]["recorded_at_us"]
            time_us = chance.randint(opened_us, last_us)
            known = sum(record["recorded_at_us"] <= time_us for record in replay.records)
            balance = await timed.balance(
                address, effective_at=from_us(effective_us), at_time=from_us(time_us)
            )
        expected = replay.posted(effective_us, known).get(address, (0, 0))
        found = (balance.posted_debits_minor, balance.posted_credits_minor)
        assert found == expected, (address, effective_us, known)


async def test_totals_at_many_instants(timed: LocalLedger, replay: Replay) -> None:
    """As of every instant the debits of all accounts are the replay's, and so are the credits."""
    chance = random.Random(13)
    for _ in range(100):
        effective_us, known = (
            max(_instant(chance, replay), 0),
            chance.randint(1, len(replay.records)),
        )
        totals = await timed.trial_balance(effective_at=from_us(effective_us), at_position=known)
        posted = replay.posted(effective_us, known).values()
        assert totals.balanced
        assert sum(line.posted_debits_minor for line in totals.lines) == sum(
            debits for debits, _ in posted
        )


@pytest.mark.parametrize("by", ["effective", "recorded"])
async def test_statements_of_many_periods(timed: LocalLedger, replay: Replay, by: str) -> None:
    """Their lines are the replay's, page by page; opening plus lines is closing."""
    chance = random.Random(17)
    for _ in range(60):
        address = chance.choice(ADDRESSES)
        known = chance.randint(replay.opened[address], len(replay.records))
        begin, end = sorted([max(_instant(chance, replay), 0), max(_instant(chance, replay), 0)])
        period = {"from_time": from_us(begin), "until_time": from_us(end + 1)}
        pages = [
            await timed.statement(address, by=by, at_position=known, limit=7, **period)  # type: ignore[arg-type]  # as they are
        ]
        while pages[-1].next_cursor is not None:
            pages.append(
                await timed.statement(
                    address,
                    by=by,
                    cursor=pages[-1].next_cursor,
                    limit=7,
                    **period,  # type: ignore[arg-type]  # as they are
                )
            )
        expected = [
            line
            for line in replay.lines
            if line.address == address
            and line.position <= known
            and begin <= (line.effective_us if by == "effective" else line.recorded_us) <= end
        ]
        if by == "effective":
            expected.sort(key=lambda line: (line.effective_us, line.position))
        lines = [line for page in pages for line in page.lines]
        assert [(line.position, line.amount_minor) for line in lines] == [
            (line.position, line.amount_minor) for line in expected
        ]
        balance = pages[0].opening_balance_minor
        if lines:
            assert lines[-1].balance_minor == pages[0].closing_balance_minor
        else:
            assert balance == pages[0].closing_balance_minor


async def test_nothing_in_a_closed_period_changes(timed: LocalLedger, replay: Replay) -> None:
    """As of any instant of a closed period, balances are what they were when it was closed."""
    closed = [record for record in replay.records if record["kind"] == "close_period"]
    for record in closed:
        through_us = record["closed_through_us"]
        before = replay.posted(through_us, record["position"])
        assert replay.posted(through_us, len(replay.records)) == before
        for address in ADDRESSES:
            balance = await timed.balance(address, effective_at=from_us(through_us))
            found = (balance.posted_debits_minor, balance.posted_credits_minor)
            assert found == before.get(address, (0, 0))

    assert (await timed.verify()).holds
