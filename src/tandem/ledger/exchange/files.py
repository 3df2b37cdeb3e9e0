"""Files of an import: what they are named after, their lines, and the report of refused ones."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from tandem.ledger.exchange.limits import DERIVED_NAME_DIGITS, DIGEST_CHUNK_BYTES
from tandem.ledger.exchange.lines import BadLine, CsvReader, lines
from tandem.ledger.exchange.parsing import Item, Parser


def derived_name(path: Path) -> str:
    """Name an import after its file's content: the first digits of its SHA-256."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(DIGEST_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()[:DERIVED_NAME_DIGITS]


def items(file: BinaryIO, parser: Parser, *, csv: bool) -> Iterator[Item | BadLine]:
    """Read what a file asks for. Raises `HeaderError` for a CSV that names no known columns."""
    numbered = lines(file.readline)
    if not csv:
        return (
            parser.json_line(line)
            for line in numbered
            if isinstance(line, BadLine) or line.text.strip()
        )
    reader = CsvReader(numbered)
    parser.use_columns(reader.header())
    return map(parser.row, reader.rows())


class Report:
    """A file of refused lines, JSON Lines; made with the first one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def write(self, bad: BadLine) -> None:
        """Add a line."""
        if self._file is None:
            self._file = self._path.open("w", encoding="utf-8")
        told = {"line": bad.number, "code": bad.code, "reason": bad.reason, "text": bad.text}
        self._file.write(json.dumps(told, ensure_ascii=True) + "\n")

    def close(self) -> None:
        """End it. One that an earlier run left behind is emptied: its lines are not refused now."""
        if self._file is not None:
            self._file.close()
        elif self._path.exists():
            self._path.write_bytes(b"")
