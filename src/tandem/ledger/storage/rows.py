"""Between records and rows: COPY text, array literals, and what queries give back."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tandem.ledger.core.accounts import Account, AccountClass, AccountStatus, parse_asset
from tandem.ledger.core.commands import NO_METADATA
from tandem.ledger.core.filters import terms
from tandem.ledger.core.kinds import RecordKind
from tandem.ledger.core.records import ZERO, Balance
from tandem.ledger.storage.port import Append, Head

# Stored codes never change meaning. Plain numbers, as they stand in indexes and queries too.
KIND_CODES: Final[Mapping[RecordKind, int]] = {
    RecordKind.OPEN_ACCOUNT: 1,
    RecordKind.UPDATE_ACCOUNT: 2,
    RecordKind.TRANSACTION: 3,
    RecordKind.HOLD: 4,
    RecordKind.CAPTURE: 5,
    RecordKind.RELEASE: 6,
    RecordKind.EXPIRY: 7,
    RecordKind.REVERSAL: 8,
    RecordKind.BATCH: 9,
    RecordKind.REFUSAL: 10,
    RecordKind.CLOSE_PERIOD: 11,
}

KINDS: Final = {code: kind for kind, code in KIND_CODES.items()}


_ENTRY_COLUMNS: Final = (
    "entry_account",
    "entry_seq",
    "entry_leg",
    "entry_effect",
    "entry_amount",
    "entry_posted_debits",
    "entry_posted_credits",
    "entry_pending_debits",
    "entry_pending_credits",
)


def _escaped(text: str) -> str:
    """Escape a text for COPY. Keys and bodies hold no control characters, only backslashes."""
    return text.replace("\\", "\\\\") if "\\" in text else text


def record_lines(write: Append) -> bytes:
    """Write the records as COPY text."""
    ledger_id = write.before.ledger_id
    lines = [
        f"{ledger_id}\t{record.position}\t{record.recorded_at_us}\t{KIND_CODES[record.kind]}\t"
        f"{r'\N' if record.key is None else _escaped(record.key)}\t"
        f"{r'\N' if record.parent is None else record.parent}\t"
        f"{r'\N' if record.expires_at_us is None else record.expires_at_us}\t{_escaped(body)}\n"
        for record, body in zip(write.records, write.bodies, strict=True)
    ]
    return "".join(lines).encode()


def entry_lines(write: Append) -> bytes:
    """Write the entries as COPY text with commas."""
    if not write.entry_lines:
        return b""
    start = f"{write.before.ledger_id},"
    return f"{start}{f'\n{start}'.join(write.entry_lines)}\n".encode()


def annotation_rows(write: Append) -> list[tuple[str, int]]:
    """Give the term and position of every annotation; plain transfers have none."""
    return [
        (term, record.position)
        for record in write.annotated
        for term in terms(record.reference, record.metadata)
    ]


def annotation_lines(write: Append) -> bytes:
    """Write the annotations as COPY text."""
    ledger_id = write.before.ledger_id
    lines = [f"{ledger_id}\t{term}\t{position}\n" for term, position in annotation_rows(write)]
    return "".join(lines).encode()


def account_annotation_parameters(write: Append) -> list[dict[str, Any]]:
    """Give the annotations that the accounts of an append bring, each at its record."""
    return [
        {
            "ledger_id": write.before.ledger_id,
            "term": term,
            "address": record.account.address,
            "seq": record.position,
        }
        for record in write.records
        if record.account is not None
        for term in terms(None, record.account.metadata)
    ]


def _array(values: Iterable[object]) -> str:
    """Write an array literal of numbers; None is NULL."""
    return "{" + ",".join("NULL" if value is None else str(value) for value in values) + "}"


def small_parameters(write: Append) -> dict[str, Any]:
    """Give the columns of the records and entries as arrays."""
    records = write.records
    columns = [*zip(*(line.split(",") for line in write.entry_lines), strict=True)]
    entries = columns or [()] * len(_ENTRY_COLUMNS)
    annotations = annotation_rows(write)
    return {
        "annotation_term": _array(term for term, _ in annotations),
        "annotation_seq": _array(position for _, position in annotations),
        **{name: _array(values) for name, values in zip(_ENTRY_COLUMNS, entries, strict=True)},
        "record_seq": _array(record.position for record in records),
        "record_time": _array(record.recorded_at_us for record in records),
        "record_kind": _array(KIND_CODES[record.kind] for record in records),
        "record_key": [record.key for record in records],
        "record_parent": _array(record.parent for record in records),
        "record_expiry": _array(record.expires_at_us for record in records),
        "record_body": list(write.bodies),
    }


def head_parameters(write: Append) -> dict[str, Any]:
    """Give the compare-and-set of the head."""
    return {
        "ledger_id": write.before.ledger_id,
        "expected_seq": write.before.position,
        "first_recorded_at_us": write.records[0].recorded_at_us,
        "seq": write.after.position,
        "recorded_at_us": write.after.recorded_at_us,
        "next_account_no": write.after.next_account_number,
        "frontier": write.after.frontier,
        "closed_through_us": write.after.closed_through_us,
    }


def account_parameters(ledger_id: int, account: Account) -> dict[str, Any]:
    """Give the columns of an account."""
    return {
        "ledger_id": ledger_id,
        "number": account.number,
        "address": account.address,
        "asset": account.asset,
        "account_class": account.account_class.value,
        "min_balance_minor": account.min_balance_minor,
        "max_balance_minor": account.max_balance_minor,
        "status": account.status.value,
        "opened_position": account.opened_position,
        "opened_at_us": account.opened_at_us,
        "metadata": json.dumps(dict(account.metadata)),
    }


def asset_parameters(ledger_id: int, account: Account) -> dict[str, Any]:
    """Give the asset that an account brings."""
    asset = parse_asset(account.asset)
    assert asset is not None
    return {"ledger_id": ledger_id, "code": asset[0], "scale": asset[1]}


def read_head(row: Sequence[Any]) -> Head:
    """Read a head."""
    return Head(row[0], row[1], row[2], row[3], row[4], bytes(row[5]), row[6])


def read_account(row: Sequence[Any]) -> Account:
    """Read an account from its first ten columns."""
    account_class = AccountClass(row[3])
    return Account(
        number=row[1],
        address=row[0],
        asset=row[2],
        account_class=account_class,
        debit_normal=account_class.debit_normal,
        min_balance_minor=None if row[4] is None else int(row[4]),
        max_balance_minor=None if row[5] is None else int(row[5]),
        status=AccountStatus(row[6]),
        opened_position=row[7],
        opened_at_us=row[8],
        metadata=json.loads(row[9]) if row[9] != "{}" else NO_METADATA,
    )


def read_balance(columns: Sequence[Any]) -> Balance:
    """Read four totals; all are NULL where the account has no entry."""
    return ZERO if columns[0] is None else Balance(*map(int, columns))
