"""What callers of the SDK do: transfers in batches and one at a time, holds and captures."""

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from bench.ledger.sizes import CALLERS
from tandem.ledger import api, commands
from tandem.ledger.core.commands import PlaceHold, SingleCommand
from tandem.ledger.local import LocalLedger

ASSET: Final = "EUR/2"
IN_FLIGHT: Final = 2  # batches that a caller in process has under way
_OPENED_AT_ONCE: Final = 5_000
_LEGS: Final = 4

type Make = Callable[[int], list[SingleCommand]]


def address(number: int) -> str:
    """The address of a bench account."""
    return f"bench:{number}"


@dataclass(slots=True)
class Books:
    """A ledger with its accounts, and what was asked of it so far."""

    ledger: LocalLedger
    conninfo: str
    accounts: int
    name: str = "b"  # begins every key, so that writers of one ledger do not share keys
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    serial: Iterator[int] = field(default_factory=count)
    held: list[int] = field(default_factory=list)
    transactions: int = 0

    def key(self) -> str:
        """Give a key that was never used."""
        return f"{self.name}-{next(self.serial)}"

    def pair(self) -> tuple[str, str]:
        """Choose two accounts."""
        source = int(self.dice.random() * self.accounts)
        step = 1 + int(self.dice.random() * (self.accounts - 1))
        return address(source), address((source + step) % self.accounts)

    async def open_accounts(self) -> None:
        """Open them all, in batches."""
        for start in range(0, self.accounts, _OPENED_AT_ONCE):
            numbers = range(start, min(start + _OPENED_AT_ONCE, self.accounts))
            receipts = await self.ledger.submit_batch([_opening(number) for number in numbers])
            must_be_accepted(receipts)


def _opening(number: int) -> SingleCommand:
    return commands.open_account(
        address(number),
        asset=ASSET,
        account_class="liability",
        idempotency_key=f"open-{number}",
    )


def must_be_accepted(receipts: Iterable[api.Receipt]) -> None:
    """Stop the run where something was refused: a refusal is cheaper than what it stands for."""
    for receipt in receipts:
        if receipt.refusal is not None:
            raise SystemExit(f"the ledger refused: {receipt.refusal}")


def uniform(books: Books) -> Make:
    """Transfers between random accounts."""

    def make(size: int) -> list[SingleCommand]:
        made: list[SingleCommand] = []
        for number in range(size):
            debited, credited = books.pair()
            made.append(
                commands.transfer(
                    debit_account=debited,
                    credit_account=credited,
                    amount_minor=1 + number,
                    idempotency_key=books.key(),
                )
            )
        return made

    return make


def hot(books: Books) -> Make:
    """Transfers that all debit one account."""

    def make(size: int) -> list[SingleCommand]:
        last = books.accounts - 1
        return [
            commands.transfer(
                debit_account=address(0),
                credit_account=address(1 + int(books.dice.random() * last)),
                amount_minor=1 + number,
                idempotency_key=books.key(),
            )
            for number in range(size)
        ]

    return make


def _four(books: Books, amount_minor: int) -> list[api.Entry]:
    (first, second), (third, fourth) = books.pair(), books.pair()
    return [
        api.debit(first, amount_minor),
        api.credit(second, amount_minor),
        api.debit(third, amount_minor),
        api.credit(fourth, amount_minor),
    ]


def mixed(books: Books) -> Make:
    """A third each: holds, captures of earlier ones, transactions; four entries in each."""

    def make(size: int) -> list[SingleCommand]:
        made: list[SingleCommand] = []
        for number in range(size):
            key = books.key()
            if number % 3 == 0:
                made.append(commands.hold(_four(books, 1 + number), idempotency_key=key))
            elif number % 3 == 1 and books.held:
                made.append(commands.capture(books.held.pop(), idempotency_key=key))
            else:
                made.append(
                    commands.post_transaction(_four(books, 1 + number), idempotency_key=key)
                )
        return made

    return make


async def batches(books: Books, make: Make, total: int, size: int) -> float:
    """Submit so many commands in batches; return commands per second, making them included."""
    if total < size:
        raise SystemExit(f"{total} is not even one batch of {size}")
    left = iter([size] * (total // size))

    async def caller() -> None:
        for one in left:
            made = make(one)
            receipts = await books.ledger.submit_batch(made)
            must_be_accepted(receipts)
            _remember_holds(books, made, receipts)

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))
    done = total // size * size
    books.transactions += done
    return done / (time.perf_counter() - started)


def _remember_holds(
    books: Books, made: Sequence[SingleCommand], receipts: Sequence[api.Receipt]
) -> None:
    # Only the mixed load makes holds, and each third of its commands is one.
    if isinstance(made[0], PlaceHold):
        books.held.extend(one.position for one in receipts[::3] if one.position is not None)


def entries_of(records: float) -> float:
    """How many entries the records of the mixed load have."""
    return records * _LEGS


@dataclass(frozen=True, slots=True)
class Timed:
    """What single callers saw: calls per second, and how long calls took, in milliseconds."""

    rate: float
    p50_ms: float
    p99_ms: float


def timed(seconds: list[float], elapsed_s: float) -> Timed:
    """Sum up the times of calls."""
    ordered = sorted(seconds)
    return Timed(
        len(ordered) / elapsed_s,
        1000 * percentile(ordered, 0.50),
        1000 * percentile(ordered, 0.99),
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of sorted values."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


async def timed_calls(call: Callable[[], Awaitable[object]], total: int, callers: int) -> Timed:
    """Let `callers` call, one call at a time each, until `total` calls are done."""
    left, took = iter(range(total)), list[float]()

    async def caller() -> None:
        for _ in left:
            began = time.perf_counter()
            await call()
            took.append(time.perf_counter() - began)

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return timed(took, time.perf_counter() - started)


async def singles(books: Books, total: int, callers: int = CALLERS) -> Timed:
    """Transfer one at a time, from so many callers."""

    async def call() -> None:
        debited, credited = books.pair()
        await books.ledger.transfer(
            debit_account=debited,
            credit_account=credited,
            amount_minor=1,
            idempotency_key=books.key(),
        )

    result = await timed_calls(call, total, callers)
    books.transactions += total
    return result


async def fill(books: Books, transactions: int, size: int = 5_000) -> None:
    """Write transfers through the ledger until it has so many, or more."""
    missing = transactions - books.transactions
    if missing > 0:
        await batches(books, uniform(books), math.ceil(missing / size) * size, size)
