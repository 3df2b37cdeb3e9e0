"""`tandem ledger …` for those who check the books: the key, verification, and audits of a file."""

# ruff: noqa: PLC0415 - each command imports what it needs when it runs, so that help is quick
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tandem.cli_kit import (
    DataDirectory,
    LedgerName,
    LoadSettings,
    Place,
    Run,
    Url,
    refusals_told,
    show_records,
)
from tandem.platform.errors import PlatformError, SettingsError

if TYPE_CHECKING:
    from tandem.ledger.api import Verification
    from tandem.ledger.core.checkpoint import Checkpoint
    from tandem.platform.config import Settings

_EXIT_BROKEN = 1

KeptCheckpoint = Annotated[
    Path | None,
    typer.Option("--checkpoint", help="A checkpoint that was kept: the log has to begin with it."),
]


def register(app: typer.Typer, settings: LoadSettings, run: Run) -> None:
    """Add the commands to `tandem ledger`."""
    _add_key(app, settings)
    _add_verify(app, settings, run)
    _add_export(app, settings, run)
    _add_audit(app)


def _add_key(app: typer.Typer, settings: LoadSettings) -> None:
    @app.command("key")
    def show_key(ledger: LedgerName = None, data_directory: DataDirectory = None) -> None:
        """Print the public key that a ledger's checkpoints are signed by."""
        typer.echo(_key(settings(data_directory=data_directory, ledger=ledger)))


def _add_verify(app: typer.Typer, settings: LoadSettings, run: Run) -> None:
    @app.command("verify")
    def verify(
        checkpoint: KeptCheckpoint = None,
        key: Annotated[
            str | None, typer.Option(help="The key that signed it (the ledger's own).")
        ] = None,
        ledger: LedgerName = None,
        data_directory: DataDirectory = None,
    ) -> None:
        """Recompute every invariant from the stored bytes; exit code 1 where one is broken."""
        chosen = settings(data_directory=data_directory, ledger=ledger)
        kept = None if checkpoint is None else _checkpoint(checkpoint, key or _key(chosen))
        found = run(_verify(chosen, kept))
        _tell(chosen.ledger, found)


def _add_export(app: typer.Typer, settings: LoadSettings, run: Run) -> None:
    @app.command("export-log")
    def export_log(
        file: Annotated[str, typer.Argument(help="What to write; - is standard output.")],
        url: Url = None,
        ledger: LedgerName = None,
        data_directory: DataDirectory = None,
    ) -> None:
        """Export the log with a signed checkpoint, for `audit`; the file appears when whole."""
        chosen = settings(data_directory=data_directory, ledger=ledger)
        size = run(_export(Place(chosen, url), file))
        typer.echo(f"{chosen.ledger}: {size:,} records and their checkpoint", err=file == "-")


def _add_audit(app: typer.Typer) -> None:
    @app.command("audit")
    def audit(
        file: Annotated[str, typer.Argument(help="What `export-log` wrote; - is standard input.")],
        key: Annotated[str, typer.Option(help="The public key, as `tandem ledger key` says it.")],
        checkpoint: KeptCheckpoint = None,
    ) -> None:
        """Check an exported log with nothing but the public key; exit code 1 where it is broken."""
        from tandem.ledger.audit.bundle import audit_bundle
        from tandem.ledger.core.proofs import ProofError
        from tandem.ledger.views import verification_view
        from tandem.platform.files import open_input, seekable

        kept = None if checkpoint is None else _read(checkpoint)
        try:
            with (
                open_input(file) as (given, _),
                seekable(given) as bundle,
                show_records() as progress,
            ):
                found = audit_bundle(bundle, key, kept, progress)
        except ProofError as error:
            raise PlatformError(f"{file}: {error}") from error
        except OSError as error:
            raise PlatformError(f"{error.filename or file}: {error.strerror}") from error
        _tell(file, verification_view(found))


def _tell(what: str, found: "Verification") -> None:
    for fault in found.faults:
        typer.echo(fault, err=True)
    typer.echo(
        f"{what}: {found.records} records, {found.entries} entries, "
        f"{found.accounts} accounts, root {found.root}: "
        f"{'every invariant holds' if found.holds else 'BROKEN'}"
    )
    if not found.holds:
        raise typer.Exit(_EXIT_BROKEN)


def _key(settings: "Settings") -> str:
    from tandem.server import open_signer

    signer = open_signer(settings)
    if signer is None:
        raise SettingsError("TANDEM_SIGNING_KEY is not set, and a database URL is")
    return str(signer.verifier_key(settings.ledger))


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlatformError(f"{path}: {error}") from error


def _checkpoint(path: Path, key: str) -> "Checkpoint":
    from tandem.ledger.core.proofs import ProofError
    from tandem.ledger.offline import verify_checkpoint

    try:
        return verify_checkpoint(_read(path), key)
    except ProofError as error:
        raise PlatformError(f"{path}: {error}") from error


async def _verify(settings: "Settings", checkpoint: "Checkpoint | None") -> "Verification":
    with refusals_told(), show_records() as progress:
        async with Place(settings, None).open_local() as ledger:
            return await ledger.verify(progress, checkpoint=checkpoint)


async def _export(place: Place, file: str) -> int:
    from tandem.ledger.audit.bundle import write_bundle
    from tandem.platform.files import open_output

    try:
        async with place.open(create=False) as ledger:
            with open_output(file) as sink, show_records() as progress:
                return (await write_bundle(ledger, sink, progress)).size
    except OSError as error:
        raise PlatformError(f"{error.filename or file}: {error.strerror}") from error
