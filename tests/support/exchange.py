"""What the tests of import and export share."""

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tandem.ledger.api import Ledger
from tandem.ledger.exchange.exporting import Format, export, make_encoder
from tandem.ledger.exchange.files import items
from tandem.ledger.exchange.importing import Importer, Summary
from tandem.ledger.exchange.lines import BadLine
from tandem.ledger.exchange.parsing import Parser


async def import_bytes(
    ledger: Ledger | None,
    content: bytes,
    *,
    csv: bool = False,
    name: str | None = "test",
    now_us: int = 0,
) -> tuple[Summary, list[BadLine]]:
    """Import a file's content; gives the summary and the report."""
    parser = Parser(name, now_us)
    report: list[BadLine] = []
    done_bytes: list[int] = []
    importer = Importer(ledger, parser, report.append, done_bytes.append)
    summary = await importer.run(items(io.BytesIO(content), parser, csv=csv))
    assert summary.refused == len(report)
    return summary, report


def json_lines(values: Iterable[Mapping[str, Any]]) -> bytes:
    """Write JSON Lines."""
    return "".join(json.dumps(value) + "\n" for value in values).encode()


async def export_bytes(ledger: Ledger, format_: Format, at_position: int | None = None) -> bytes:
    """Export a ledger named `books`."""
    sink = io.BytesIO()
    await export(
        ledger,
        lambda position: make_encoder(format_, sink, "books", position),
        at_position,
        lambda _done, _position: None,
    )
    return sink.getvalue()


async def all_balances(ledger: Ledger, at_position: int | None = None) -> dict[str, Sequence[int]]:
    """The four totals of every account, as of a position."""
    found: dict[str, Sequence[int]] = {}
    cursor = None
    while True:
        page = await ledger.accounts(cursor=cursor, limit=1_000)
        for account in page.items:
            held = await ledger.balance(account.address, at_position=at_position)
            found[account.address] = (
                held.posted_debits_minor,
                held.posted_credits_minor,
                held.pending_debits_minor,
                held.pending_credits_minor,
            )
        cursor = page.next_cursor
        if cursor is None:
            return found
