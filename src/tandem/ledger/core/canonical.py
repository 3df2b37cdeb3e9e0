"""Canonical bytes: the one way a record is written, exactly as it is hashed.

JSON in UTF-8 with a fixed order of fields, no blanks, integers in full, absent fields left out,
metadata in order of key. `encode(decode(body)) == body` for every stored body. An entry is
`[address, effect, amount, posted_debits, posted_credits, pending_debits, pending_credits]`.
"""

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from json.encoder import encode_basestring
from typing import Any, Final

from tandem.ledger.core.accounts import Account, AccountClass, AccountStatus
from tandem.ledger.core.commands import (
    NO_METADATA,
    AtomicBatch,
    Capture,
    ClosePeriod,
    Command,
    OpenAccount,
    PlaceHold,
    Post,
    Release,
    Reverse,
    Transfer,
    UpdateAccount,
)
from tandem.ledger.core.kinds import Direction, Effect, RecordKind
from tandem.ledger.core.records import Balance, Entry, Record
from tandem.ledger.core.refusals import Refusal, RefusalCode

FORMAT_VERSION: Final = 1
_FINGERPRINT_HEX_CHARS: Final = 32
_EFFECTS: Final = {int(effect): effect for effect in Effect}
# Formatting an enum member costs more than looking its digit up.
_CODES: Final = "0123456789"
_KINDS: Final = {str(kind): kind for kind in RecordKind}


def _no_such_number(text: str) -> None:
    raise ValueError(f"{text:.20} is no number of a record")


# Records hold whole numbers only.
_loads: Final = json.JSONDecoder(parse_float=_no_such_number, parse_constant=_no_such_number).decode
_dumps: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False
).encode


def encode(record: Record) -> str:
    """Write a record's canonical text; its UTF-8 bytes are what is hashed."""
    return encode_with_columns(record)[0]


def encode_with_columns(record: Record) -> tuple[str, list[str]]:
    """Write a record's canonical text, and beside it the numbers of each entry as they stand in it.

    The numbers are `effect,amount,posted_debits,posted_credits,pending_debits,pending_credits`:
    what a store writes once more as columns need not be formatted twice.
    """
    # Built by hand: this runs for every record, and a fixed order needs no sorting.
    (position, recorded_at_us, kind, key, fingerprint, entries, parent, reference, metadata, *_) = (
        record
    )
    effective_at_us = record.effective_at_us
    columns = [
        f"{_CODES[effect]},{amount_minor},%d,%d,%d,%d" % balance
        for _, effect, amount_minor, balance in entries
    ]
    text = (
        f'{{"v":{FORMAT_VERSION},"position":{position},"recorded_at_us":{recorded_at_us},'
        f'"kind":"{kind}"'
    )
    if key is not None:
        text += f',"key":{encode_basestring(key)}'
    if fingerprint is not None:
        text += f',"fingerprint":"{fingerprint}"'
    if parent is not None:
        text += f',"parent":{parent}'
    if reference is not None:
        text += f',"reference":{encode_basestring(reference)}'
    if entries:
        rows = [f'["{entry[0]}",{numbers}]' for entry, numbers in zip(entries, columns)]  # noqa: B905 - one is made of the other
        text += f',"entries":[{",".join(rows)}]'
    if metadata:
        text += f',"metadata":{_dumps(metadata)}'
    if effective_at_us is not None:
        text += f',"effective_at_us":{effective_at_us}'
    if kind is not RecordKind.TRANSACTION:
        text += "".join(_rare(record))
    return text + "}", columns


def _rare(record: Record) -> Iterable[str]:
    """Write the fields that a plain transaction never has."""
    if record.expires_at_us is not None:
        yield f',"expires_at_us":{record.expires_at_us}'
    if record.capture_limit_minor is not None:
        yield f',"capture_limit_minor":{record.capture_limit_minor}'
    if record.final:
        yield ',"final":true'
    if record.override_limits:
        yield ',"override_limits":true'
    if record.account is not None:
        yield f',"account":{_dumps(_account_fields(record.account))}'
    if record.refusal is not None:
        yield f',"refusal":{_dumps(_refusal_fields(record.refusal))}'
    if record.commands is not None:
        yield f',"commands":{record.commands}'
    if record.closed_through_us is not None:
        yield f',"closed_through_us":{record.closed_through_us}'


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _account_fields(account: Account) -> dict[str, Any]:
    return _present(
        {
            "number": account.number,
            "address": account.address,
            "asset": account.asset,
            "account_class": account.account_class.value,
            "min_balance_minor": account.min_balance_minor,
            "max_balance_minor": account.max_balance_minor,
            "status": account.status.value,
            "opened_position": account.opened_position,
            "opened_at_us": account.opened_at_us,
            "metadata": dict(account.metadata) or None,
        }
    )


def _refusal_fields(refusal: Refusal) -> dict[str, Any]:
    return _present(
        {
            "code": refusal.code.value,
            "detail": refusal.detail,
            "field": refusal.field,
            "index": refusal.index,
            "available_minor": refusal.available_minor,
            "hold_status": refusal.hold_status,
        }
    )


def decode(body: str) -> Record:
    """Read a record back from its canonical text. Raises ValueError where it is none."""
    try:
        return _read(_loads(body))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a record: {error!r:.80}") from error


def _read(fields: Mapping[str, Any]) -> Record:
    if fields.get("v") != FORMAT_VERSION:
        raise ValueError(f"unknown format version {fields.get('v')!r}")
    account = fields.get("account")
    refusal = fields.get("refusal")
    return Record(
        fields["position"],
        fields["recorded_at_us"],
        _KINDS[fields["kind"]],
        fields.get("key"),
        fields.get("fingerprint"),
        tuple(
            Entry(address, _EFFECTS[effect], amount_minor, Balance(*totals))
            for address, effect, amount_minor, *totals in fields.get("entries", ())
        ),
        fields.get("parent"),
        fields.get("reference"),
        fields.get("metadata", NO_METADATA),
        fields.get("expires_at_us"),
        fields.get("capture_limit_minor"),
        fields.get("final", False),
        fields.get("override_limits", False),
        None if account is None else read_account(account),
        None if refusal is None else read_refusal(refusal),
        fields.get("commands"),
        fields.get("effective_at_us"),
        fields.get("closed_through_us"),
    )


def read_account(fields: Mapping[str, Any]) -> Account:
    """Read an account from the fields of a record."""
    account_class = AccountClass(fields["account_class"])
    return Account(
        number=fields["number"],
        address=fields["address"],
        asset=fields["asset"],
        account_class=account_class,
        debit_normal=account_class.debit_normal,
        min_balance_minor=fields.get("min_balance_minor"),
        max_balance_minor=fields.get("max_balance_minor"),
        status=AccountStatus(fields["status"]),
        opened_position=fields["opened_position"],
        opened_at_us=fields["opened_at_us"],
        metadata=fields.get("metadata", NO_METADATA),
    )


def read_refusal(fields: Mapping[str, Any]) -> Refusal:
    """Read a refusal from the fields of a record."""
    return Refusal(
        RefusalCode(fields["code"]),
        fields["detail"],
        fields.get("field"),
        fields.get("index"),
        fields.get("available_minor"),
        fields.get("hold_status"),
    )


def fingerprint(command: Command) -> str:
    """Digest what a command asks, without its key: equal commands have equal fingerprints.

    The first 128 bits of SHA-256 over the command's own canonical text.
    """
    return _digest(_asked(command))


def recorded_fingerprint(record: Record) -> str:
    """The fingerprint of the command that a record answers.

    A plain transaction carries none: what was asked is exactly what was posted.
    """
    if record.fingerprint is not None:
        return record.fingerprint
    assert record.kind is RecordKind.TRANSACTION
    entries = [
        (address, effect.direction, amount_minor, None)
        for address, effect, amount_minor, _ in record.entries
    ]
    asked = _asked_post(entries, record.reference, record.metadata, record.effective_at_us)
    return _digest(asked)


def _digest(asked: str) -> str:
    return sha256(asked.encode()).hexdigest()[:_FINGERPRINT_HEX_CHARS]


def _asked(command: Command) -> str:
    if isinstance(command, Transfer | Post):
        return _asked_post(
            command.entries, command.reference, command.metadata, command.effective_at_us
        )
    return _dumps([type(command).__name__, *_asked_fields(command)])


def _asked_post(
    entries: Iterable[tuple[str, Direction, int, str | None]],
    reference: str | None,
    metadata: Mapping[str, str],
    effective_at_us: int | None,
) -> str:
    asked = [
        f"{address} {direction} {amount_minor} {asset or ''}"
        for address, direction, amount_minor, asset in entries
    ]
    tail = "" if reference is None else encode_basestring(reference)
    when = "" if effective_at_us is None else f"@{effective_at_us}"
    return f"post[{','.join(asked)}]{tail}{_dumps(metadata) if metadata else ''}{when}"


def _asked_fields(command: Command) -> list[Any]:
    match command:
        case AtomicBatch():
            return [_asked(single) for single in command.commands]
        case Capture() | Reverse():
            # The effective time came later to these; where there is none, nothing is said of it.
            when = () if command.effective_at_us is None else (command.effective_at_us,)
            return [*_listed(command[1:-1]), *when]
        case OpenAccount() | UpdateAccount() | PlaceHold() | Release() | ClosePeriod():
            # Position 0 is the key, which is not part of what is asked.
            return _listed(command[1:])
        case Transfer() | Post():
            raise AssertionError("a post is written by hand")


def _listed(fields: Iterable[Any]) -> list[Any]:
    return [list(field) if isinstance(field, tuple) else field for field in fields]
