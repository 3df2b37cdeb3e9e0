"""From bytes to numbered lines and rows of CSV. Pure: how bytes are read is a parameter.

A line that is too long, or not UTF-8, becomes a `BadLine` and its neighbours are unharmed.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from tandem.ledger.core.refusals import RefusalCode
from tandem.ledger.exchange.limits import MAX_COLUMNS, MAX_LINE_BYTES, MAX_LINES_PER_ROW

_BOM: Final = b"\xef\xbb\xbf"
_SHOWN_BYTES: Final = 1_000
_DELIMITERS: Final = ",;\t"


class Line(NamedTuple):
    """One line without its end; numbers begin at 1. `size_bytes` is what it took of the file."""

    number: int
    text: str
    size_bytes: int


class Row(NamedTuple):
    """One row of CSV: the number of its first line, its text, its cells."""

    number: int
    text: str
    size_bytes: int
    cells: list[str]


class BadLine(NamedTuple):
    """A line that cannot be used, and why."""

    number: int
    text: str
    size_bytes: int
    reason: str
    code: RefusalCode = RefusalCode.MALFORMED


class HeaderError(Exception):
    """The first line of a CSV is no header that an import can follow."""


def lines(readline: Callable[[int], bytes]) -> Iterator[Line | BadLine]:
    """Read lines up to the end; memory holds one line, of bounded length."""
    number = 0
    while read := readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1:
            read = read.removeprefix(_BOM)
        if len(read) > MAX_LINE_BYTES and not read.endswith(b"\n"):
            shown = read[:_SHOWN_BYTES].decode("utf-8", "backslashreplace")
            size_bytes = len(read) + _skip_line(readline)
            reason = f"a line has at most {MAX_LINE_BYTES} bytes"
            yield BadLine(number, shown, size_bytes, reason, RefusalCode.TOO_LARGE)
            continue
        body = read.removesuffix(b"\n").removesuffix(b"\r")
        try:
            yield Line(number, body.decode("utf-8"), len(read))
        except UnicodeDecodeError:
            shown = body.decode("utf-8", "backslashreplace")
            yield BadLine(number, shown, len(read), "the line is not UTF-8")


def _skip_line(readline: Callable[[int], bytes]) -> int:
    skipped_bytes = 0
    while read := readline(MAX_LINE_BYTES):
        skipped_bytes += len(read)
        if read.endswith(b"\n"):
            break
    return skipped_bytes


class CsvReader:
    """Rows of a CSV (RFC 4180) with a header; the delimiter is the one that the header uses.

    A quote that is never closed spoils its own line only: reading goes on at the next one.
    """

    def __init__(self, source: Iterator[Line | BadLine]) -> None:
        self._source = source
        self._again: deque[Line | BadLine] = deque()
        self.delimiter = ","
        self._row, self._cell = _patterns(self.delimiter)

    def header(self) -> list[str]:
        """Read the names of the columns. Raises `HeaderError` where there are none."""
        first = next(self._source, None)
        if first is None:
            raise HeaderError("the file is empty; its first line names the columns")
        if isinstance(first, BadLine):
            raise HeaderError(first.reason)
        found = [mark for mark in _DELIMITERS if mark in first.text]
        self.delimiter = found[0] if found else ","
        self._row, self._cell = _patterns(self.delimiter)
        cells = self._cells(first.text)
        if cells is None or len(cells) > MAX_COLUMNS:
            raise HeaderError(f"the first line is no row of at most {MAX_COLUMNS} names")
        return cells

    def rows(self) -> Iterator[Row | BadLine]:
        """Read what follows the header; empty lines are left out."""
        while (line := self._next()) is not None:
            if isinstance(line, BadLine):
                yield line
            elif '"' not in line.text:
                if line.text:
                    yield Row(*line, line.text.split(self.delimiter))
            else:
                yield self._quoted(line)

    def _next(self) -> Line | BadLine | None:
        return self._again.popleft() if self._again else next(self._source, None)

    def _quoted(self, first: Line) -> Row | BadLine:
        """Take lines in until every quote is closed; give back what turns out not to belong."""
        taken: list[Line] = [first]
        open_ = first.text.count('"') % 2 == 1
        size_bytes = first.size_bytes
        while open_ and len(taken) < MAX_LINES_PER_ROW and size_bytes <= MAX_LINE_BYTES:
            more = self._next()
            if more is None:
                break
            if isinstance(more, BadLine):
                self._again.appendleft(more)
                break
            taken.append(more)
            size_bytes += more.size_bytes
            open_ ^= more.text.count('"') % 2 == 1
        text = "\n".join(line.text for line in taken)
        cells = None if open_ or size_bytes > MAX_LINE_BYTES else self._cells(text)
        if cells is not None:
            return Row(first.number, text, size_bytes, cells)
        self._again.extendleft(reversed(list(islice(taken, 1, None))))
        return BadLine(*first, "a quote is not closed, or stands inside a cell without quotes")

    def _cells(self, text: str) -> list[str] | None:
        if self._row.fullmatch(text) is None:
            return None
        cells = []
        for match in self._cell.finditer(text):
            quoted, plain = match.groups()
            cells.append(plain if quoted is None else quoted.replace('""', '"'))
        return cells


def _patterns(delimiter: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A whole row, and one cell after its delimiter; possessive, so that time is linear."""
    mark = re.escape(delimiter)
    cell = rf'(?:"((?:[^"]|"")*+)"|([^"{mark}\r\n]*+))'
    whole = rf'(?:"(?:[^"]|"")*+"|[^"{mark}\r\n]*+)'
    return re.compile(rf"{whole}(?:{mark}{whole})*+"), re.compile(rf"(?:^|{mark}){cell}")
