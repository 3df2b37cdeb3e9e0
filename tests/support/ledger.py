"""Ledger drills: servers as processes, a load of keyed jobs, and the audit that ends each drill."""

import asyncio
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

from tandem.ledger import commands
from tandem.ledger.api import (
    Entry,
    Ledger,
    Receipt,
    Record,
    RecordKind,
    RefusalCode,
    Refused,
    credit,
    debit,
)
from tandem.ledger.core.commands import SingleCommand
from tandem.platform.auth import Permission
from tandem.platform.processes import ChildProcess, free_port
from tandem.server import open_keys

WALLETS: Final = tuple(f"wallets:{number}" for number in range(10))
CASH: Final = "cash"
FUNDS_MINOR: Final = 1_000
PAGE: Final = 1_000
_TRANSIENT: Final = (RefusalCode.UNAVAILABLE, RefusalCode.OVERLOADED)

type Submit = Callable[[Ledger, int], Awaitable[list[Receipt]]]
type Call = Callable[[Ledger], Coroutine[Any, Any, Record]]


class Job(NamedTuple):
    """A write under a key; `call` makes it, on whatever ledger it is given."""

    key: str
    call: Call


class Told(NamedTuple):
    """What one caller was told under a key: a record's position, or the code of a refusal."""

    position: int | None
    code: RefusalCode | None


@dataclass
class Journal:
    """Everything that callers were told, and who waits for how many answers."""

    told: dict[str, list[Told]] = field(default_factory=lambda: defaultdict(list))
    answers: int = 0
    retries: int = 0
    _waiting: list[tuple[int, asyncio.Event]] = field(default_factory=list)

    def write(self, key: str, told: Told) -> None:
        """Note an answer."""
        self.told[key].append(told)
        self.answers += 1
        for number, event in self._waiting:
            if self.answers >= number:
                event.set()

    async def reached(self, answers: int) -> None:
        """Wait until this many answers were given in all."""
        event = asyncio.Event()
        self._waiting.append((answers, event))
        if self.answers < answers:
            await event.wait()


async def ask(ledger: Ledger, job: Job, journal: Journal) -> Told:
    """Make a job's write, with the same key again until there is an answer."""
    while True:
        try:
            record = await job.call(ledger)
        except Refused as refused:
            if refused.code in _TRANSIENT:
                journal.retries += 1
                continue
            told = Told(None, refused.code)
        else:
            told = Told(record.position, None)
        journal.write(job.key, told)
        return told


async def open_books(ledger: Ledger) -> None:
    """Open cash and the wallets, which cannot go below zero, and fund each wallet."""
    await ledger.open_account(CASH, asset="EUR/2", account_class="asset", idempotency_key="cash")
    for wallet in WALLETS:
        await open_wallet(ledger, wallet, FUNDS_MINOR)


async def open_wallet(ledger: Ledger, address: str, funds_minor: int) -> None:
    """Open a wallet and pay funds in."""
    await ledger.open_account(
        address,
        asset="EUR/2",
        account_class="liability",
        min_balance_minor=0,
        idempotency_key=f"open-{address}",
    )
    await ledger.transfer(
        debit_account=CASH,
        credit_account=address,
        amount_minor=funds_minor,
        idempotency_key=f"fund-{address}",
    )


def transfer(key: str, source: str, target: str, amount_minor: int) -> Job:
    """Make a job of a transfer."""
    return Job(
        key,
        lambda ledger: ledger.transfer(
            debit_account=source,
            credit_account=target,
            amount_minor=amount_minor,
            idempotency_key=key,
        ),
    )


def hold(key: str, source: str, target: str, amount_minor: int) -> Job:
    """Make a job of a hold."""
    entries: list[Entry] = [debit(source, amount_minor), credit(target, amount_minor)]
    return Job(key, lambda ledger: ledger.hold(entries, idempotency_key=key))


def capture(key: str, position: int, amount_minor: int) -> Job:
    """Make a job of a final capture."""
    return Job(
        key,
        lambda ledger: ledger.capture(
            position, amount_minor=amount_minor, final=True, idempotency_key=key
        ),
    )


def release(key: str, position: int) -> Job:
    """Make a job of a release."""
    return Job(key, lambda ledger: ledger.release(position, idempotency_key=key))


def reverse(key: str, position: int) -> Job:
    """Make a job of a reversal."""
    return Job(key, lambda ledger: ledger.reverse(position, idempotency_key=key))


async def work(ledger: Ledger, name: str, rounds: int, journal: Journal) -> None:
    """One caller: transfers, holds with what follows, and reversals, each under its own key."""
    dice = random.Random(name)
    for number in range(rounds):
        key = f"{name}-{number}"
        source, target = dice.sample(WALLETS, 2)
        amount_minor = dice.randint(1, 200)
        if dice.random() < 0.6:
            told = await ask(ledger, transfer(key, source, target, amount_minor), journal)
            if told.position is not None and dice.random() < 0.2:
                await ask(ledger, reverse(f"{key}-back", told.position), journal)
            continue
        told = await ask(ledger, hold(key, source, target, amount_minor), journal)
        if told.position is None:
            continue
        if dice.random() < 0.5:
            part_minor = dice.randint(1, amount_minor)
            await ask(ledger, capture(f"{key}-take", told.position, part_minor), journal)
        else:
            await ask(ledger, release(f"{key}-free", told.position), journal)


async def read_log(ledger: Ledger) -> list[Record]:
    """Read every record."""
    page = await ledger.records(limit=PAGE)
    records = list(page.items)
    while page.next_cursor is not None:
        page = await ledger.records(cursor=page.next_cursor, limit=PAGE)
        records += page.items
    return records


def transfers(prefix: str, count: int) -> list[SingleCommand]:
    """Make commands that move 1 each from the first wallet to the second, each under a key."""
    return [
        commands.transfer(
            debit_account=WALLETS[0],
            credit_account=WALLETS[1],
            amount_minor=1,
            idempotency_key=f"{prefix}-{number}",
        )
        for number in range(count)
    ]


async def check_one_effect(
    ledger: Ledger, before: int, receipts: list[Receipt], count: int, submit: Submit
) -> None:
    """What `transfers` make is there once, in order, and whoever asks again is told of the same."""
    assert [receipt.refusal for receipt in receipts] == [None] * count
    positions = [receipt.position for receipt in receipts]
    assert positions == list(range(before + 1, before + count + 1))
    again = await submit(ledger, count)
    assert [receipt.position for receipt in again] == positions
    assert all(receipt.replayed for receipt in again)
    assert (await ledger.balance(WALLETS[0])).balance_minor == FUNDS_MINOR - count
    await audit(ledger, Journal())


async def audit(ledger: Ledger, journal: Journal) -> list[Record]:
    """Hold the log to what callers were told and to the invariants; returns the log."""
    log = await read_log(ledger)
    check_order(log)
    check_answers(log, journal)
    check_wallets(log)
    totals = await ledger.trial_balance()
    assert totals.balanced
    assert totals.position == len(log)
    await check_conservation(ledger, log)
    verification = await ledger.verify()
    assert verification.holds, verification.faults
    assert verification.records == len(log)
    return log


def check_order(log: Sequence[Record]) -> None:
    """Positions have no gap, recorded times strictly increase, every key appears once."""
    assert [record.position for record in log] == list(range(1, len(log) + 1))
    times = [record.recorded_at for record in log]
    assert all(earlier < later for earlier, later in pairwise(times))
    keys = Counter(record.idempotency_key for record in log if record.idempotency_key)
    assert set(keys.values()) == {1}


def check_answers(log: Sequence[Record], journal: Journal) -> None:
    """Whatever anyone was told under a key is what the log says of that key."""
    by_key = {record.idempotency_key: record for record in log}
    for key, answers in journal.told.items():
        record = by_key[key]
        for told in answers:
            if told.code is RefusalCode.IDEMPOTENCY_KEY_REUSED:
                continue
            if record.refusal is None:
                assert told == Told(record.position, None), key
            else:
                assert told == Told(None, record.refusal.code), key


def check_wallets(log: Sequence[Record]) -> None:
    """No wallet was ever below zero, holds counted, and every record balances."""
    for record in log:
        net_minor = 0
        for entry in record.entries:
            signed = entry.amount_minor if entry.direction == "debit" else -entry.amount_minor
            net_minor += signed
            if entry.account != CASH and record.kind is not RecordKind.BATCH:
                posted = entry.posted_credits_minor - entry.posted_debits_minor
                assert posted - entry.pending_debits_minor >= 0, record
        assert net_minor == 0, record


async def check_conservation(ledger: Ledger, log: Sequence[Record]) -> None:
    """What is in the wallets is what was paid in, and balances are the log's last totals."""
    latest = {entry.account: entry for record in log for entry in record.entries}
    held_minor = {}
    for address, entry in latest.items():
        balance = await ledger.balance(address)
        held_minor[address] = balance.balance_minor
        net_minor = entry.posted_debits_minor - entry.posted_credits_minor
        assert balance.balance_minor == (net_minor if address == CASH else -net_minor)
    paid_in_minor = held_minor.pop(CASH)
    assert sum(held_minor.values()) == paid_in_minor


async def make_token(
    database_uri: str, permissions: Sequence[Permission] = (Permission.READ, Permission.WRITE)
) -> str:
    """Make an API key that may read and write, unless said otherwise."""
    async with open_keys(database_uri) as (keys, _pool):
        return await keys.create_key("drill", permissions)


class Server:
    """`tandem serve` as a process on a database; after a kill it starts again on its port."""

    def __init__(
        self,
        database_uri: str,
        directory: Path,
        name: str,
        environment: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
    ) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.child = ChildProcess(
            name,
            [sys.executable, "-m", "tandem.cli", "serve", "--port", str(port), *options],
            log=directory / f"{name}.log",
            ready_url=f"{self.url}/health/ready",
            environment={
                "TANDEM_DATABASE_URL": database_uri,
                "TANDEM_DATA_DIRECTORY": str(directory),
                **(environment or {}),
            },
        )

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.child.start()
        assert self.child.ready_url is not None
        self.child.wait_ready(self.child.ready_url)
