"""Lines and rows: numbers, bounds and what one bad line leaves of its neighbours."""

import io

import pytest

from tandem.ledger.core.refusals import RefusalCode
from tandem.ledger.exchange.limits import MAX_LINE_BYTES, MAX_LINES_PER_ROW
from tandem.ledger.exchange.lines import BadLine, CsvReader, HeaderError, Line, Row, lines


def _lines(content: bytes) -> list[Line | BadLine]:
    return list(lines(io.BytesIO(content).readline))


def _rows(content: str) -> tuple[list[str], list[Row | BadLine]]:
    reader = CsvReader(lines(io.BytesIO(content.encode()).readline))
    return reader.header(), list(reader.rows())


def _told(found: list[Row | BadLine]) -> list[tuple[int, list[str] | str]]:
    return [(row.number, row.cells if isinstance(row, Row) else row.text) for row in found]


def test_ends_and_marks_are_no_part_of_a_line() -> None:
    """A byte order mark, CRLF and a missing last newline are taken as they are meant."""
    assert [line[:2] for line in _lines(b"\xef\xbb\xbfa\r\nb\n\nc")] == [
        (1, "a"),
        (2, "b"),
        (3, ""),
        (4, "c"),
    ]


def test_a_long_line_spoils_only_itself() -> None:
    """It is read past without being held, and sizes add up to the whole file."""
    content = b"a\n" + b"x" * (3 * MAX_LINE_BYTES) + b"\nb\n" + b"y" * (MAX_LINE_BYTES + 1)
    found = _lines(content)
    assert [(line.number, type(line)) for line in found] == [
        (1, Line),
        (2, BadLine),
        (3, Line),
        (4, BadLine),
    ]
    assert isinstance(found[1], BadLine)
    assert found[1].code is RefusalCode.TOO_LARGE
    assert len(found[1].text) < MAX_LINE_BYTES
    assert sum(line.size_bytes for line in found) == len(content)


def test_what_is_not_utf_8_is_shown_escaped() -> None:
    """The line is refused, with its bytes still to be seen."""
    (first, second) = _lines(b"a\xff\nb\n")
    assert isinstance(first, BadLine)
    assert first.text == "a\\xff"
    assert second[:2] == (2, "b")


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_the_header_chooses_the_delimiter(mark: str) -> None:
    """Commas, semicolons and tabs; the others are then part of cells."""
    others = "".join({",", ";", "\t"} - {mark})
    header, rows = _rows(f"a{mark}b\n1{others}{mark}2\n")
    assert header == ["a", "b"]
    assert _told(rows) == [(2, [f"1{others}", "2"])]


def test_quoted_cells_hold_anything_and_keep_numbers_right() -> None:
    """Delimiters, doubled quotes, line ends; the next row has the number of its own line."""
    _, rows = _rows('a,b\n"x,""y""","1\n2\n\n3"\n,"",\n\n"",z\n')
    assert _told(rows) == [
        (2, ["x," + '"y"', "1\n2\n\n3"]),
        (6, ["", "", ""]),
        (8, ["", "z"]),
    ]


def test_a_quote_never_closed_spoils_only_its_own_line() -> None:
    """What came after it is read again, as lines of their own."""
    _, rows = _rows('a,b\n1,"open\n2,x\n3,y\n')
    assert _told(rows) == [(2, '1,"open'), (3, ["2", "x"]), (4, ["3", "y"])]
    many = "".join(f"{number},x\n" for number in range(MAX_LINES_PER_ROW + 5))
    _, rows = _rows('a,b\n1,"open\n' + many + '"late",z\n')
    assert len(rows) == MAX_LINES_PER_ROW + 7
    assert [row.number for row in rows if isinstance(row, BadLine)] == [2]


def test_a_quote_inside_a_plain_cell_is_refused() -> None:
    """Two such lines are not taken for one long cell."""
    _, rows = _rows('a,b\n1"x,2\n3,4\n5"y,6\n7,8\n')
    assert [(row.number, type(row)) for row in rows] == [
        (2, BadLine),
        (3, Row),
        (4, BadLine),
        (5, Row),
    ]


@pytest.mark.parametrize("content", [b"", b"\xff\n", b'"a\n', b"," * 300 + b"\n"])
def test_a_header_is_needed(content: bytes) -> None:
    """Without one nothing is read."""
    with pytest.raises(HeaderError):
        CsvReader(lines(io.BytesIO(content).readline)).header()
