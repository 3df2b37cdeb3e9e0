"""`make bench`: transfers per second beside the raw limit of the same disk and database."""

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
import uvloop
from rich.console import Console
from rich.table import Table

from tandem.ledger import commands
from tandem.ledger.core.commands import SingleCommand
from tandem.ledger.embedded import open_service
from tandem.ledger.local import LocalLedger
from tandem.ledger.storage.queries import query
from tandem.platform.embedded import EmbeddedPostgres
from tandem.platform.interpreter import tune_interpreter

ACCOUNTS = 10_000
BATCH = 2_000
CALLERS = 64
GOAL_RATIO = 0.40
RESULTS = Path("bench/results/ledger.json")


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the report; `ratio` is figure over baseline."""

    scenario: str
    figure: float
    unit: str
    baseline: float
    ratio: float
    goal: float | None
    met: bool | None


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much to do."""

    rounds: int
    batches: int
    singles: int


def address(number: int) -> str:
    """The address of a bench account."""
    return f"bench:{number}"


async def open_accounts(ledger: LocalLedger) -> None:
    """Open the accounts, in batches."""
    for start in range(0, ACCOUNTS, BATCH):
        await ledger.submit_batch(
            [
                commands.open_account(
                    address(number),
                    asset="EUR/2",
                    account_class="liability",
                    idempotency_key=f"open-{number}",
                )
                for number in range(start, start + BATCH)
            ]
        )


def make_batch(dice: random.Random, name: str) -> list[SingleCommand]:
    """Make a batch of transfers between random accounts."""
    made: list[SingleCommand] = []
    for number in range(BATCH):
        source = int(dice.random() * ACCOUNTS)
        made.append(
            commands.transfer(
                debit_account=address(source),
                credit_account=address((source + 1 + number) % ACCOUNTS),
                amount_minor=1 + number,
                idempotency_key=f"{name}-{number}",
            )
        )
    return made


async def run_batches(ledger: LocalLedger, dice: random.Random, name: str, count: int) -> float:
    """Submit batches, two in flight; return transfers per second, making them included."""
    numbers = iter(range(count))

    async def caller() -> None:
        for number in numbers:
            receipts = await ledger.submit_batch(make_batch(dice, f"{name}-{number}"))
            refused = [receipt.refusal for receipt in receipts if receipt.refusal]
            if refused:
                raise SystemExit(f"a transfer was refused: {refused[0]}")

    started = time.perf_counter()
    await asyncio.gather(caller(), caller())
    return count * BATCH / (time.perf_counter() - started)


async def run_singles(ledger: LocalLedger, dice: random.Random, name: str, count: int) -> float:
    """Let many callers transfer, one at a time each; return transfers per second."""
    numbers = iter(range(count))

    async def caller() -> None:
        for number in numbers:
            source = int(dice.random() * ACCOUNTS)
            await ledger.transfer(
                debit_account=address(source),
                credit_account=address((source + 1 + number) % ACCOUNTS),
                amount_minor=1,
                idempotency_key=f"{name}-{number}",
            )

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return count / (time.perf_counter() - started)


class Raw:
    """The raw limit: the ledger's own rows, copied again under another ledger's number."""

    def __init__(self, conninfo: str) -> None:
        self._connection = psycopg.connect(conninfo, autocommit=True)
        self._ledger_id = 1_000_000

    def rows(self, table: str, order: str, first: int, last: int) -> bytes:
        """Read rows as COPY text without the ledger's number, with the ledger's delimiters."""
        mark = "','" if table == "entry" else r"E'\t'"
        columns = {
            "record": "seq, recorded_at_us, kind, idempotency_key, parent_seq, expires_at_us, body",
            "entry": "account_no, seq, leg, effect, amount_minor, posted_debits, posted_credits, "
            "pending_debits, pending_credits",
        }[table]
        statement = (
            f"COPY (SELECT {columns} FROM ledger.{table} WHERE ledger_id = 1 "  # noqa: S608 - ours
            f"AND seq BETWEEN {first} AND {last} ORDER BY {order}) TO STDOUT (DELIMITER {mark})"
        )
        with self._connection.cursor().copy(statement.encode()) as copy:
            return b"".join(copy)

    def run(self, batches: list[tuple[bytes, bytes]]) -> float:
        """Copy batches into a new ledger's rows, one commit each; return transfers per second."""
        self._ledger_id += 1
        starts = [f"{self._ledger_id}{mark}".encode() for mark in "\t,"]
        prepared = [
            tuple(
                b"".join(start + line for line in part.splitlines(keepends=True))
                for start, part in zip(starts, batch, strict=True)
            )
            for batch in batches
        ]
        started = time.perf_counter()
        for records, entries in prepared:
            with self._connection.transaction(), self._connection.cursor() as cursor:
                for name, lines in (("copy_records", records), ("copy_entries", entries)):
                    with cursor.copy(query(name).encode()) as copy:
                        copy.write(lines)
        return len(batches) * BATCH / (time.perf_counter() - started)

    def batches(self, last: int, count: int) -> list[tuple[bytes, bytes]]:
        """Read the last batches that the ledger wrote."""
        firsts = range(last - count * BATCH + 1, last, BATCH)
        return [
            (
                self.rows("record", "seq", first, first + BATCH - 1),
                self.rows("entry", "seq, leg", first, first + BATCH - 1),
            )
            for first in firsts
        ]


@asynccontextmanager
async def fresh_ledger() -> AsyncIterator[tuple[LocalLedger, str]]:
    """A ledger on an embedded PostgreSQL of its own, and the connection string."""
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as directory:
        async with EmbeddedPostgres(Path(directory) / "postgres") as server:
            conninfo = server.uri("postgres")
            async with open_service(conninfo) as service:
                yield await service.create_ledger("bench"), conninfo


async def measure(sizes: Sizes, say: Callable[[str], None]) -> list[Result]:
    """Take turns between the ledger and the raw limit."""
    dice = random.Random(1)
    rates: dict[str, list[float]] = {"batches": [], "singles": [], "raw": []}
    async with fresh_ledger() as (ledger, conninfo):
        await open_accounts(ledger)
        await run_batches(ledger, dice, "warm", 2)
        raw = Raw(conninfo)
        for number in range(sizes.rounds):
            batched = await run_batches(ledger, dice, f"b{number}", sizes.batches)
            last = (await ledger.trial_balance()).position
            limit = raw.run(raw.batches(last, sizes.batches))
            single = await run_singles(ledger, dice, f"s{number}", sizes.singles)
            say(
                f"round {number + 1}: batches {batched:,.0f}/s, "
                f"singles {single:,.0f}/s, raw {limit:,.0f}/s"
            )
            for name, rate in (("batches", batched), ("singles", single), ("raw", limit)):
                rates[name].append(rate)
        if not (await ledger.trial_balance()).balanced:
            raise SystemExit("the books do not balance")
    baseline = statistics.median(rates["raw"])
    return [
        _result(f"batches of {BATCH:,}, SDK in process", rates["batches"], baseline, GOAL_RATIO),
        _result(f"{CALLERS} single callers, SDK in process", rates["singles"], baseline, None),
    ]


def _result(scenario: str, rates: list[float], baseline: float, goal: float | None) -> Result:
    figure = statistics.median(rates)
    ratio = figure / baseline
    met = None if goal is None else ratio >= goal
    return Result(scenario, figure, "transfers/s", baseline, ratio, goal, met)


def report(results: list[Result], console: Console) -> None:
    """Print the table and write the file."""
    table = Table(title="Ledger, durable commits, beside raw COPY of the same rows")
    for column in ("scenario", "transfers/s", "raw", "ratio", "goal", ""):
        table.add_column(column, justify="left" if column == "scenario" else "right")
    for line in results:
        table.add_row(
            line.scenario,
            f"{line.figure:,.0f}",
            f"{line.baseline:,.0f}",
            f"{line.ratio:.0%}",
            "" if line.goal is None else f"{line.goal:.0%}",
            {None: "", True: "met", False: "missed"}[line.met],
        )
    console.print(table)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps([asdict(line) for line in results], indent=2) + "\n")


def main() -> None:
    """Read the sizes and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=20, help="batches of 2,000 a round")
    parser.add_argument("--singles", type=int, default=10_000, help="single transfers a round")
    arguments = parser.parse_args()
    console = Console()
    tune_interpreter()
    sizes = Sizes(arguments.rounds, arguments.batches, arguments.singles)
    report(uvloop.run(measure(sizes, console.print)), console)


if __name__ == "__main__":
    main()
