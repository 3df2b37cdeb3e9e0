"""What the tests of import and export share."""

import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

from tandem.ledger.api import Ledger
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
