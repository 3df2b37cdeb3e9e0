"""From a line's text to what is asked of the ledger. Pure.

A line has the names of the API: it is a command of a batch (`kind` and the members of its body), a
row of CSV with those names as columns, or a record as an export writes it (it has a `position`).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tandem.ledger.core import intake
from tandem.ledger.core.commands import SingleCommand
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused
from tandem.ledger.exchange.lines import BadLine, HeaderError, Line, Row
from tandem.ledger.exchange.records import command_of_record
from tandem.ledger.http.bodies import read_command

_PREFIX: Final = "metadata."
CSV_KINDS: Final = ("transfer", "open_account", "update_account")
CSV_COLUMNS: Final = frozenset(
    {
        *("kind", "idempotency_key", "metadata"),
        *("debit_account", "credit_account", "amount_minor", "asset", "reference", "effective_at"),
        *("address", "account_class", "min_balance_minor", "max_balance_minor", "status"),
    }
)


class Item(NamedTuple):
    """What a line asks for.

    `position` is the record's in the ledger that it was exported from, `parent` the position there
    of the hold or transaction that it belongs to; `members` then lacks that one's new position,
    which goes under `parent_field`. `members` is None where there is nothing to do.
    """

    number: int
    text: str
    size_bytes: int
    members: dict[str, Any] | None
    command: SingleCommand | None = None
    position: int | None = None
    parent: int | None = None
    parent_field: str = ""

    @property
    def entries(self) -> int:
        """How many entries it names."""
        named = None if self.members is None else self.members.get("entries")
        return len(named) if isinstance(named, list) else 2


class Parser:
    """Reads the lines of one import.

    `name` stands in the key of a line that has none; where it is None, such a line is refused.
    A hold that had expired by `now_us` is placed without expiry; its expiry's own line ends it.
    """

    def __init__(self, name: str | None, now_us: int) -> None:
        self._name = name
        self._now_us = now_us
        self._columns: Sequence[str] = ()

    def use_columns(self, columns: Sequence[str]) -> None:
        """Take the header of a CSV. Raises `HeaderError`: no column is ignored in silence."""
        for column in columns:
            if column not in CSV_COLUMNS and not column.startswith(_PREFIX):
                raise HeaderError(f"no import has a column {column!r:.80}")
        if len(set(columns)) < len(columns):
            raise HeaderError("a column is named twice")
        self._columns = columns

    def row(self, row: Row | BadLine) -> Item | BadLine:
        """Read a row of CSV."""
        return row if isinstance(row, BadLine) else self._guarded(row, self._row_members)

    def json_line(self, line: Line | BadLine) -> Item | BadLine:
        """Read a line of JSON."""
        return line if isinstance(line, BadLine) else self._guarded(line, _json_members)

    def linked(self, item: Item, parent: int) -> Item | BadLine:
        """Complete what belongs to another record, now that its position is known."""
        assert item.members is not None
        members = {**item.members, item.parent_field: parent}
        try:
            return item._replace(members=members, command=read_command(members))
        except Refused as refused:
            return _bad(item, refused.refusal)

    def _guarded[T: (Line, Row)](
        self, line: T, members_of: Callable[[T], dict[str, Any]]
    ) -> Item | BadLine:
        try:
            return self._item(line, members_of(line))
        except Refused as refused:
            return _bad(line, refused.refusal)

    def _item(self, line: Line | Row, members: dict[str, Any]) -> Item:
        position = parent = None
        field = ""
        asked: dict[str, Any] | None = members
        if "position" in members:
            position = intake.position(members["position"], "position")
            asked, parent, field = command_of_record(members, self._now_us)
        if asked is None:
            return Item(line.number, line.text, line.size_bytes, None, None, position)
        asked.setdefault("kind", _usual_kind(asked))
        if asked.get("idempotency_key") is None:
            asked["idempotency_key"] = self._key(line.number)
        command = None if parent is not None else read_command(asked)
        return Item(
            line.number, line.text, line.size_bytes, asked, command, position, parent, field
        )

    def _key(self, number: int) -> str:
        if self._name is not None:
            return f"import:{self._name}:{number}"
        detail = "the line has no idempotency_key, and the import no name to make one of"
        raise Refused(Refusal(RefusalCode.IDEMPOTENCY_KEY_MISSING, detail, "idempotency_key"))

    def _row_members(self, row: Row) -> dict[str, Any]:
        if len(row.cells) != len(self._columns):
            raise _malformed(f"the row has {len(row.cells)} cells, not {len(self._columns)}")
        members: dict[str, Any] = {}
        metadata: dict[str, str] = {}
        for column, cell in zip(self._columns, row.cells, strict=True):
            if not cell:
                continue
            if column.startswith(_PREFIX):
                metadata[column.removeprefix(_PREFIX)] = cell
            else:
                members[column] = cell
        if "metadata" in members:
            metadata = {**_object(members["metadata"]), **metadata}
        if metadata:
            members["metadata"] = metadata
        if members.setdefault("kind", _usual_kind(members)) not in CSV_KINDS:
            raise _malformed(f"a row of CSV is one of {', '.join(CSV_KINDS)}", "kind")
        return members


def _usual_kind(members: Mapping[str, Any]) -> str:
    if "entries" in members:
        return "transaction"
    return "open_account" if "address" in members else "transfer"


def _json_members(line: Line) -> dict[str, Any]:
    return _object(line.text)


def _object(text: str) -> dict[str, Any]:
    try:
        read = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _malformed(f"this is no JSON: {str(error)[:200]}") from None
    if not isinstance(read, dict):
        raise _malformed("a line is a JSON object")
    return read


def _malformed(detail: str, field: str | None = None) -> Refused:
    return Refused(Refusal(RefusalCode.MALFORMED, detail, field))


def _bad(line: Line | Row | Item, refusal: Refusal) -> BadLine:
    return BadLine(line.number, line.text, line.size_bytes, refusal.detail, refusal.code)
