"""From a record as an export writes it to the command that makes it again. Pure.

A record's position is the ledger's own, so a record that belongs to another (a capture, release,
expiry or reversal) gives the old position of that one; `Positions` says what became of it.
"""

from array import array
from bisect import bisect_right
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from tandem.ledger.core.kinds import REVERSIBLE, RecordKind
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused
from tandem.ledger.times import to_us

type Asked = tuple[dict[str, Any] | None, int | None, str]

_NOTHING: Final[Asked] = (None, None, "")
_OPPOSITE: Final = {"debit": "credit", "credit": "debit"}
_ABSENT: Final = -(2**63)


def command_of_record(record: Mapping[str, Any], now_us: int) -> Asked:
    """Return the members of the command, the old position of its parent, and the parent's field.

    Refusals and the heads of atomic batches did nothing themselves, so their members are None.
    Raises `Refused` where this is no record.
    """
    try:
        kind = RecordKind(record["kind"])
        asked, parent, field = _asked(kind, record, now_us)
        if kind in REVERSIBLE and asked is not None and record.get("effective_at"):
            asked["effective_at"] = record["effective_at"]
    except (KeyError, TypeError, ValueError, AttributeError):
        detail = "a line with a position is a record as an export writes it; this one is not"
        raise Refused(Refusal(RefusalCode.MALFORMED, detail)) from None
    if asked is not None:
        for name in ("idempotency_key", "reference", "metadata"):
            if record.get(name):
                asked.setdefault(name, record[name])
    return asked, parent, field


def _asked(kind: RecordKind, record: Mapping[str, Any], now_us: int) -> Asked:
    match kind:
        case RecordKind.OPEN_ACCOUNT | RecordKind.UPDATE_ACCOUNT:
            asked = _account(kind, record["account"])
        case RecordKind.TRANSACTION:
            asked = {"kind": "transaction", "entries": _entries(record, ("post",))}
        case RecordKind.HOLD:
            asked = _hold(record, now_us)
        case RecordKind.CLOSE_PERIOD:
            asked = {"kind": "close_period", "through": record["closed_through"]}
        case RecordKind.REVERSAL:
            return _reversal(record), _parent(record), "transaction"
        case RecordKind.CAPTURE | RecordKind.RELEASE | RecordKind.EXPIRY:
            return _end_of_hold(kind, record)
        case RecordKind.BATCH | RecordKind.REFUSAL:
            return _NOTHING
    return asked, None, ""


def _end_of_hold(kind: RecordKind, record: Mapping[str, Any]) -> Asked:
    if kind is RecordKind.CAPTURE:
        entries = _entries(record, ("capture", "post"))
        asked = {"kind": "capture", "entries": entries, "final": record.get("final", False)}
        return asked, _parent(record), "hold"
    entries = _entries(record, ("release",))
    # The expiry of a hold that was captured in whole gives nothing back.
    return (
        ({"kind": "release", "entries": entries}, _parent(record), "hold") if entries else _NOTHING
    )


def _account(kind: RecordKind, account: Mapping[str, Any]) -> dict[str, Any]:
    asked = {"kind": kind.value, "address": account["address"]}
    limits = {name: account.get(name) for name in ("min_balance_minor", "max_balance_minor")}
    if kind is RecordKind.OPEN_ACCOUNT:
        asked |= {"asset": account["asset"], "account_class": account["account_class"]}
    else:
        asked["status"] = account["status"]
        limits = {name: "none" if held is None else held for name, held in limits.items()}
    return {**asked, **limits, "metadata": account.get("metadata", {})}


def _hold(record: Mapping[str, Any], now_us: int) -> dict[str, Any]:
    asked: dict[str, Any] = {"kind": "hold", "entries": _entries(record, ("hold",))}
    expires_at = record.get("expires_at")
    if expires_at is not None and to_us(datetime.fromisoformat(expires_at), "expires_at") > now_us:
        asked["expires_at"] = expires_at
    if record.get("capture_limit_minor") is not None:
        asked["capture_limit_minor"] = record["capture_limit_minor"]
    return asked


def _reversal(record: Mapping[str, Any]) -> dict[str, Any]:
    """Write a reversal; it names the original's entries, which are the other way round."""
    entries = _entries(record, ("post",))
    for entry in entries:
        entry["direction"] = _OPPOSITE[entry["direction"]]
    override_limits = record.get("override_limits", False)
    return {"kind": "reversal", "entries": entries, "override_limits": override_limits}


def _parent(record: Mapping[str, Any]) -> int:
    parent = record["parent"]
    if not isinstance(parent, int):
        raise TypeError
    return parent


def _entries(record: Mapping[str, Any], effects: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {name: entry[name] for name in ("account", "direction", "amount_minor")}
        for entry in record.get("entries", ())
        if entry["effect"] in effects
    ]


class Positions:
    """Where the records of an export came to stand in another ledger; told in their order.

    Kept as runs of one distance, so that a million records of which few were refused take little.
    """

    def __init__(self) -> None:
        self._starts = array("q")
        self._shifts = array("q")
        self._last = 0

    @property
    def last(self) -> int:
        """The last old position told of."""
        return self._last

    def tell(self, old: int, new: int | None) -> None:
        """Note that a record came to stand at a new position, or (None) nowhere."""
        assert old > self._last, "records are told of in order"
        if old > self._last + 1:
            self._run(self._last + 1, _ABSENT)
        self._run(old, _ABSENT if new is None else new - old)
        self._last = old

    def of(self, old: int) -> int | None:
        """The new position, or None where the record is not there."""
        index = bisect_right(self._starts, old) - 1
        if index < 0 or old > self._last or self._shifts[index] == _ABSENT:
            return None
        return old + self._shifts[index]

    def _run(self, start: int, shift: int) -> None:
        if not self._shifts or self._shifts[-1] != shift:
            self._starts.append(start)
            self._shifts.append(shift)
