"""The demo: brings a whole Tandem up, runs a courier day through it, and checks the books."""

import asyncio
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape

from tandem.courier.board import Board
from tandem.courier.day import plan_day, points_needed
from tandem.courier.delivery import State
from tandem.courier.errors import CourierError, StageTaken
from tandem.courier.memory import PeakMemory
from tandem.courier.report import Outcome, digest, tally
from tandem.courier.shift import Books, run_day
from tandem.courier.stage import Places, Stage
from tandem.ledger.client import Refused
from tandem.platform.engine.points import sample_points
from tandem.platform.errors import PlatformError
from tandem.routing.client import RoutingError

DIRECTORY: Final = Path(".tandem")
_STAGE: Final = "demo"
_EXIT_FAILED: Final = 1
_EXIT_INTERRUPTED: Final = 130
_MIB: Final = 1024 * 1024
_AGAIN_S: Final = 0.01

type Rows = list[tuple[str, str]]


def run_demo(
    *,
    seed: int,
    deliveries: int,
    stay: bool,
    directory: Path = DIRECTORY,
    console: Console | None = None,
) -> int:
    """Run a day of `deliveries` and return the exit code: 0 only if the books are right.

    `stay` leaves everything up until Ctrl-C. Whatever happens, every process is stopped again.
    """
    board = Board(console or Console())
    try:
        with _interruptible():
            return _run(board, directory, seed=seed, deliveries=deliveries, stay=stay)
    except KeyboardInterrupt:
        board.say("\nstopped, with every process that was started")
        return _EXIT_INTERRUPTED
    except (CourierError, PlatformError, RoutingError, Refused) as error:
        board.say(f"[red]failed:[/red] {escape(str(error))}")
        if not isinstance(error, StageTaken):
            board.say(f"The logs are in {directory / _STAGE}")
        return _EXIT_FAILED


def _run(board: Board, directory: Path, *, seed: int, deliveries: int, stay: bool) -> int:
    started = time.monotonic()
    board.say(f"[bold]A courier day in Helsinki[/bold]: {deliveries} deliveries, seed {seed}")
    stage = Stage(directory / _STAGE, directory / "engine", seed=seed)
    with stage, PeakMemory(stage.pss_bytes) as memory, _undisturbed_ending():
        places = stage.start(board.step)
        outcomes, books = _day(board, places, seed=seed, deliveries=deliveries)
        rows = [
            *_delivery_rows(outcomes),
            *_book_rows(outcomes, books),
            ("wall time", f"{time.monotonic() - started:.1f} s"),
            ("peak memory", f"{memory.peak_bytes / _MIB:.0f} MB (PSS, all processes)"),
        ]
        board.table("The day", rows)
        if stay:
            _stay(board, places)
    return 0 if books.close else _EXIT_FAILED


def _day(
    board: Board, places: Places, *, seed: int, deliveries: int
) -> tuple[list[Outcome], Books]:
    with board.step("points on the bicycle network"):
        points = sample_points(places.engine_url, seed, points_needed(deliveries))
    plan = plan_day(points, seed=seed, deliveries=deliveries, started_at=datetime.now(UTC))
    with board.day(deliveries) as shown:
        try:
            return asyncio.run(run_day(places, plan, shown))
        except ExceptionGroup as failures:
            # Deliveries run side by side, and the first that failed has stopped the others.
            raise _first(failures) from failures


def _first(failures: ExceptionGroup[Exception]) -> Exception:
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first


def _stay(board: Board, places: Places) -> None:
    """Say where to look, and wait for Ctrl-C, which then is the proper end."""
    board.say(f"\nThe server is up: {places.server_url}/docs")
    board.say(f"API key made for this demo: {places.api_key}")
    board.say(
        f"For example: curl -H 'Authorization: Bearer {places.api_key}' "
        f"{places.server_url}/v1/ledgers/main/trial-balance"
    )
    board.say("Ctrl-C stops everything.")
    try:
        signal.pause()
    except KeyboardInterrupt:
        board.say("")


def _delivery_rows(outcomes: Sequence[Outcome]) -> Rows:
    total = tally(outcomes)
    states = [f"{total.by_state[state]} {state}" for state in State if state in total.by_state]
    providers = [f"{count} by {name}" for name, count in sorted(total.by_provider.items())]
    share = 100 * total.degraded_quotes / total.quotes if total.quotes else 0.0
    return [
        ("deliveries", f"{len(outcomes)}: {', '.join(states)}"),
        ("ridden", f"{total.distance_m / 1000:.1f} km, {total.ascent_m} m of climb"),
        ("earned", _euros(total.earned_minor)),
        ("quotes", f"{total.quotes}: {', '.join(providers)}"),
        ("degraded quotes", f"{total.degraded_quotes} ({share:.1f} %)"),
    ]


def _book_rows(outcomes: Sequence[Outcome], books: Books) -> Rows:
    verified = books.verification
    rows: Rows = [
        ("ledger", f"{books.trial_balance.position} positions, {verified.accounts} accounts")
    ]
    for line in books.trial_balance.lines:
        colour = "green" if line.difference_minor == 0 else "red"
        debited, credited = _euros(line.posted_debits_minor), _euros(line.posted_credits_minor)
        difference = f"difference [{colour}]{line.difference_minor}[/{colour}]"
        rows.append(
            (f"trial balance {line.asset}", f"debits {debited}, credits {credited}, {difference}")
        )
    verdict = "[green]every invariant holds[/green]" if verified.holds else "[red]BROKEN[/red]"
    rows += [
        ("verify", f"{verdict} over {verified.records} records, {verified.entries} entries"),
        *(("fault", f"[red]{escape(fault)}[/red]") for fault in verified.faults),
        ("outcome digest", digest(outcomes, books.balances_minor)),
    ]
    return rows


def _euros(amount_minor: int) -> str:
    whole, cents = divmod(amount_minor, 100)
    return f"{whole:,}.{cents:02d} EUR"


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the block as Ctrl-C does; give the signals back.

    An interrupt that strikes where Python lets no exception out (a destructor, a weak reference's
    callback) would be lost; it comes again a moment later.
    """
    before = {signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler)}
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        before[number] = signal.signal(
            number, lambda _number, _frame: signal.raise_signal(signal.SIGINT)
        )
    hook = sys.unraisablehook
    sys.unraisablehook = lambda lost: _again(lost) or hook(lost)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


def _again(lost: "sys.UnraisableHookArgs") -> bool:
    """Where what was lost is an interrupt, have it again; tell whether it was one."""
    if lost.exc_type is not KeyboardInterrupt:
        return False
    signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)
    return True


@contextmanager
def _undisturbed_ending() -> Iterator[None]:
    """From the end of the block on, a second Ctrl-C does not disturb the stopping of processes."""
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
