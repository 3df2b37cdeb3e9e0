"""`tandem ledger import` and `export`. What they need is imported when they run."""

# ruff: noqa: PLC0415 - see above
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
    show_progress,
)
from tandem.platform.errors import PlatformError

if TYPE_CHECKING:
    from tandem.ledger.exchange.exporting import Format
    from tandem.ledger.exchange.importing import Summary

_EXIT_REFUSED = 1
_FORMATS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_EXPORT_FORMATS = {
    **_FORMATS,
    ".parquet": "parquet",
    ".beancount": "beancount",
    ".bean": "beancount",
    ".hledger": "hledger",
    ".journal": "hledger",
}


def register(app: typer.Typer, settings: LoadSettings, run: Run) -> None:
    """Add the commands to `tandem ledger`."""

    @app.command("import")
    def import_file(
        file: Annotated[str, typer.Argument(help="CSV or JSON Lines; - is standard input.")],
        format_: Annotated[
            str | None, typer.Option("--format", help="csv or jsonl; else by suffix.")
        ] = None,
        name: Annotated[
            str | None, typer.Option(help="Stands in keys of lines without one (SHA-256 prefix).")
        ] = None,
        report: Annotated[
            Path | None, typer.Option(help="Where refused lines go (FILE.refused.jsonl).")
        ] = None,
        check: Annotated[bool, typer.Option("--check", help="Read the lines only.")] = False,
        url: Url = None,
        ledger: LedgerName = None,
        data_directory: DataDirectory = None,
    ) -> None:
        """Import accounts and transactions; exit code 1 where a line was refused."""
        chosen = settings(data_directory=data_directory, ledger=ledger)
        importing = _Import(file, _format(file, format_), name, report)
        summary = run(importing.run(None if check else Place(chosen, url)))
        typer.echo(_told(summary, importing.report_path, check=check))
        if summary.refused:
            raise typer.Exit(_EXIT_REFUSED)

    @app.command("export")
    def export_file(
        file: Annotated[str, typer.Argument(help="What to write; - is standard output.")],
        format_: Annotated[
            str | None,
            typer.Option(
                "--format", help="jsonl, csv, parquet, beancount or hledger; else by suffix."
            ),
        ] = None,
        at: Annotated[int | None, typer.Option(min=1, help="Up to this position (all).")] = None,
        url: Url = None,
        ledger: LedgerName = None,
        data_directory: DataDirectory = None,
    ) -> None:
        """Export the log up to one position; the file appears when it is whole."""
        chosen = settings(data_directory=data_directory, ledger=ledger)
        exported = _export_format(file, format_)
        position = run(_export(Place(chosen, url), chosen.ledger, file, exported, at))
        typer.echo(f"{chosen.ledger}: {position:,} records as {exported}", err=file == "-")


class _Import:
    """One run of `tandem ledger import`."""

    def __init__(self, file: str, format_: str, name: str | None, report: Path | None) -> None:
        from tandem.platform.files import STANDARD

        self._file = file
        self._csv = format_ == "csv"
        standard = file == STANDARD
        self.report_path = report or Path("stdin" if standard else file).with_suffix(
            ".refused.jsonl"
        )
        if not standard and self.report_path.absolute() == Path(file).absolute():
            raise typer.BadParameter("the report would be written over the file")
        self._name = self._named(name, standard=standard)

    def _named(self, name: str | None, *, standard: bool) -> str | None:
        from tandem.ledger.core.intake import idempotency_key
        from tandem.ledger.core.refusals import Refused
        from tandem.ledger.exchange.files import derived_name
        from tandem.ledger.exchange.limits import MAX_NAME_CHARS

        if name is None:
            try:
                return None if standard else derived_name(Path(self._file))
            except OSError as error:
                raise PlatformError(f"{self._file}: {error.strerror}") from error
        try:
            idempotency_key(name)
        except Refused as error:
            raise typer.BadParameter("a name is visible ASCII characters") from error
        if len(name) > MAX_NAME_CHARS:
            raise typer.BadParameter(f"a name has at most {MAX_NAME_CHARS} characters")
        return name

    async def run(self, place: Place | None) -> "Summary":
        """Import into a place, or (None) only read."""
        from tandem.ledger.embedded import now_us
        from tandem.ledger.exchange.files import Report, items
        from tandem.ledger.exchange.importing import Importer
        from tandem.ledger.exchange.lines import HeaderError
        from tandem.ledger.exchange.parsing import Parser
        from tandem.platform.files import open_input

        parser, report = Parser(self._name, now_us()), Report(self.report_path)
        try:
            with open_input(self._file) as (file, size_bytes), show_progress(size_bytes) as advance:
                read = items(file, parser, csv=self._csv)
                if place is None:
                    return await Importer(None, parser, report.write, advance).run(read)
                async with place.open(create=True) as ledger:
                    return await Importer(ledger, parser, report.write, advance).run(read)
        except HeaderError as error:
            raise PlatformError(f"{self._file}: {error}") from error
        except OSError as error:
            raise PlatformError(f"{error.filename or self._file}: {error.strerror}") from error
        finally:
            report.close()


async def _export(
    place: Place, ledger_name: str, file: str, format_: "Format", at: int | None
) -> int:
    from tandem.ledger.exchange.exporting import export, make_encoder
    from tandem.platform.files import open_output

    try:
        async with place.open(create=False) as ledger:
            with open_output(file) as sink, show_progress(None, "records") as advance:
                return await export(
                    ledger,
                    lambda position: make_encoder(format_, sink, ledger_name, position),
                    at,
                    advance,
                )
    except OSError as error:
        raise PlatformError(f"{error.filename or file}: {error.strerror}") from error


def _export_format(file: str, given: str | None) -> "Format":
    from tandem.ledger.exchange.exporting import Format

    try:
        found = Format(given or _EXPORT_FORMATS.get(Path(file).suffix.lower()) or "")
    except ValueError:
        raise typer.BadParameter(f"say --format, one of {', '.join(Format)}") from None
    if found is Format.PARQUET and file == "-":
        raise typer.BadParameter("parquet goes to a file")
    return found


def _format(file: str, given: str | None) -> str:
    found = given or _FORMATS.get(Path(file).suffix.lower())
    if found not in ("csv", "jsonl"):
        raise typer.BadParameter("say --format csv or --format jsonl")
    return found


def _told(summary: "Summary", report: Path, *, check: bool) -> str:
    verb = "fit to import" if check else "imported"
    told = f"{summary.lines:,} lines: {summary.accepted:,} {verb}"
    if summary.replayed:
        told += f", {summary.replayed:,} imported before"
    if summary.skipped:
        told += f", {summary.skipped:,} without effect"
    if summary.refused:
        told += f", {summary.refused:,} refused: see {report}"
    return told
