"""What the demo shows: its steps, the day as it goes, the table at the end. Display only."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tandem.courier.delivery import State
from tandem.courier.limits import PLAIN_PROGRESS_EVERY
from tandem.courier.report import Outcome

_COLOURS = {
    State.DELIVERED: "green",
    State.REFUNDED: "yellow",
    State.CANCELLED: "cyan",
    State.REFUSED: "red",
}


class Board:
    """Writes to a terminal live, and to anything else in plain lines."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = console.is_terminal

    def say(self, text: str) -> None:
        """Write a line."""
        self._console.print(text, highlight=False, soft_wrap=True)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show that a step is being taken and, at its end, how long it took."""
        started = time.monotonic()
        if self._live:
            with self._console.status(f"{title} …"):
                yield
        else:
            yield
        self.say(f"  [green]✓[/green] {title} [dim]{time.monotonic() - started:.1f} s[/dim]")

    @contextmanager
    def day(self, deliveries: int) -> Iterator["DayBoard"]:
        """Show the day's progress while the block runs."""
        progress = Progress(
            TextColumn("  {task.description:<10}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[counts]}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._live,
        )
        with progress:
            yield DayBoard(self, progress, deliveries, live=self._live)

    def table(self, title: str, rows: Sequence[tuple[str, str]]) -> None:
        """Write names and values in two columns."""
        table = Table(title=title, title_justify="left", show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in rows:
            table.add_row(name, value)
        self._console.print(table)


class DayBoard:
    """Counts outcomes as they come."""

    def __init__(self, board: Board, progress: Progress, deliveries: int, *, live: bool) -> None:
        self._board = board
        self._progress = progress
        self._deliveries = deliveries
        self._live = live
        self._task = progress.add_task("", total=deliveries, counts="")
        self._counts: Counter[State] = Counter()
        self._degraded = 0

    def phase(self, name: str) -> None:
        """Show which phase begins."""
        self._progress.update(self._task, description=name)
        if not self._live:
            self._board.say(f"  {name}")

    def add(self, outcome: Outcome) -> None:
        """Count a delivery that came to its end."""
        self._counts[outcome.state] += 1
        self._degraded += outcome.quote is not None and outcome.quote.degraded
        self._progress.update(self._task, advance=1, counts=self._summary())
        done = self._counts.total()
        if not self._live and done % PLAIN_PROGRESS_EVERY == 0:
            self._board.say(f"  {done}/{self._deliveries} {self._summary()}")

    def _summary(self) -> str:
        parts = [
            f"[{colour}]{self._counts[state]} {state}[/{colour}]"
            for state, colour in _COLOURS.items()
            if self._counts[state]
        ]
        return ", ".join([*parts, f"{self._degraded} degraded"])
