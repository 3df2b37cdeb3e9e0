"""`tandem ledger …` for those who check the books: the key to check with."""

# ruff: noqa: PLC0415 - each command imports what it needs when it runs, so that help is quick
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tandem.platform.errors import SettingsError

if TYPE_CHECKING:
    from tandem.platform.config import Settings

DataDirectory = Annotated[
    Path | None, typer.Option(help="Where the embedded database lives (.tandem).")
]
LedgerName = Annotated[str | None, typer.Option(help="The ledger (main).")]


def add_commands(app: typer.Typer, settings_of: Callable[..., "Settings"]) -> None:
    """Add the commands to the `ledger` ones."""

    @app.command("key")
    def show_key(ledger: LedgerName = None, data_directory: DataDirectory = None) -> None:
        """Print the public key that a ledger's checkpoints are signed by."""
        from tandem.server import open_signer

        settings = settings_of(data_directory=data_directory, ledger=ledger)
        signer = open_signer(settings)
        if signer is None:
            raise SettingsError("TANDEM_SIGNING_KEY is not set, and a database URL is")
        typer.echo(signer.verifier_key(settings.ledger))
