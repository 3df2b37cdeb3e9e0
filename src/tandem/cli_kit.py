"""What commands of `tandem ledger` share: common options, where a ledger is, a progress bar."""

# ruff: noqa: PLC0415 - each command imports what it needs when it runs, so that help is quick
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from tandem.platform.errors import PlatformError

if TYPE_CHECKING:
    from tandem.ledger.api import Ledger
    from tandem.ledger.local import LocalLedger
    from tandem.platform.config import Settings

KEY_VARIABLE = "TANDEM_KEY"

LedgerName = Annotated[str | None, typer.Option(help="The ledger (main).")]
DataDirectory = Annotated[
    Path | None, typer.Option(help="Where the embedded database lives (.tandem).")
]
Url = Annotated[
    str | None, typer.Option(help=f"A Tandem server instead; its key is in {KEY_VARIABLE}.")
]

type LoadSettings = Callable[..., "Settings"]
type Run = Callable[[Coroutine[Any, Any, Any]], Any]


@contextmanager
def refusals_told() -> Iterator[None]:
    """Tell a refusal as what went wrong with the command."""
    from tandem.ledger.api import Refused

    try:
        yield
    except Refused as error:
        raise PlatformError(str(error)) from error


class Place:
    """Where a ledger is: in the database of the settings, or behind a URL."""

    def __init__(self, settings: "Settings", url: str | None) -> None:
        self._settings = settings
        self._url = url

    @asynccontextmanager
    async def open(self, *, create: bool) -> AsyncIterator["Ledger"]:
        """Open it; `create` makes it where it is missing."""
        with refusals_told():
            if self._url is not None:
                async with self._remote(self._url, create=create) as ledger:
                    yield ledger
            else:
                async with self.open_local(create=create) as ledger:
                    yield ledger

    @asynccontextmanager
    async def _remote(self, url: str, *, create: bool) -> AsyncIterator["Ledger"]:
        from tandem.ledger.client import LedgerClient

        key = os.environ.get(KEY_VARIABLE)
        if not key:
            raise PlatformError(f"{KEY_VARIABLE} holds no key for {url}")
        async with LedgerClient(url, key, ledger=self._settings.ledger) as client:
            if create:
                await client.create_ledger()
            yield client

    @asynccontextmanager
    async def open_local(self, *, create: bool = False) -> AsyncIterator["LocalLedger"]:
        """Open it in the database of the settings."""
        from tandem.ledger.embedded import open_service
        from tandem.server import open_database, open_signer

        name = self._settings.ledger
        signer = open_signer(self._settings)
        async with (
            open_database(self._settings) as conninfo,
            open_service(conninfo, signer=signer) as service,
        ):
            yield await (service.create_ledger(name) if create else service.ledger(name))


class Advance(Protocol):
    """Moves a bar on."""

    def __call__(self, done: int, total: int | None = None, /) -> None:
        """Move it by so much, of a total where that is known only now."""
        ...


def _advance_nothing(_done: int, _total: int | None = None, /) -> None:
    return


@contextmanager
def show_progress(total: int | None, unit: str = "bytes") -> Iterator[Advance]:
    """Show a bar on standard error where that is a terminal.

    Gives what moves it on: by so much, of a total, where that is known only then.
    """
    if not sys.stderr.isatty():
        yield _advance_nothing
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%  {task.completed:,.0f} " + unit),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)

        def advance(done: int, total: int | None = None) -> None:
            bar.update(task, advance=done, total=total)

        yield advance


@contextmanager
def show_records() -> Iterator[Callable[[int, int], None]]:
    """Show a bar; gives what moves it on to so many records of so many."""
    with show_progress(None, "records") as advance:
        reached = 0

        def reach(done: int, total: int) -> None:
            nonlocal reached
            advance(done - reached, total)
            reached = done

        yield reach
