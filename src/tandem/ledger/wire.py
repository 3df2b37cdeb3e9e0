"""Commands and entries as members of JSON bodies: the client's half of `http.bodies`."""

from collections.abc import Mapping, Sequence
from typing import Any

from tandem.ledger import commands
from tandem.ledger.api import Entry
from tandem.ledger.core import intake
from tandem.ledger.core.commands import (
    Capture,
    ClosePeriod,
    Limit,
    OpenAccount,
    Original,
    PlaceHold,
    Post,
    Release,
    RequestedEntry,
    Reverse,
    SingleCommand,
    Transfer,
    UpdateAccount,
)
from tandem.ledger.core.intake import NO_LIMIT
from tandem.ledger.core.kinds import Direction
from tandem.ledger.times import from_us


def present(**members: Any) -> dict[str, Any]:
    """Leave out what is None."""
    return {name: value for name, value in members.items() if value is not None}


def metadata_query(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """Write metadata as query parameters, `metadata[key]=value`; raises `Refused`."""
    return {f"metadata[{key}]": value for key, value in intake.metadata(metadata).items()}


def entry_members(entries: Sequence[Entry] | None) -> list[dict[str, Any]] | None:
    """Write entries of the interface; raises `Refused` where they are something else."""
    raw = commands.raw(entries)
    if raw is None:
        return None
    names = ("account", "direction", "amount_minor", "asset")
    return [present(**dict(zip(names, entry, strict=True))) for entry in raw]


def _requested(entries: Sequence[RequestedEntry] | None) -> list[dict[str, Any]] | None:
    return entry_members(None if entries is None else [Entry(*entry) for entry in entries])


def _limit(limit: Limit | None) -> int | str | None:
    if limit is None:
        return None
    return NO_LIMIT if limit.balance_minor is None else limit.balance_minor


def command_members(command: SingleCommand) -> dict[str, Any]:
    """Write a command of a batch."""
    return present(idempotency_key=command.key, **_members(command))


def _transfer(entries: Sequence[RequestedEntry]) -> dict[str, Any] | None:
    """Write two plain entries in the short form; None where they are something else."""
    if len(entries) != 2:  # noqa: PLR2004 - double entry
        return None
    (debited, side, amount_minor, asset), (credited, other, *same) = entries
    if (side, other) != (Direction.DEBIT, Direction.CREDIT) or same != [amount_minor, asset]:
        return None
    return {
        "kind": "transfer",
        "debit_account": debited,
        "credit_account": credited,
        "amount_minor": amount_minor,
        "asset": asset,
    }


def _transaction(entries: Sequence[RequestedEntry]) -> dict[str, Any]:
    return {"kind": "transaction", "entries": _requested(entries)}


def _members(command: SingleCommand) -> dict[str, Any]:
    match command:
        case Transfer() | Post():
            return {
                **(_transfer(command.entries) or _transaction(command.entries)),
                "reference": command.reference,
                "metadata": dict(command.metadata) or None,
                "effective_at": _when(command.effective_at_us),
            }
        case PlaceHold():
            return {
                "kind": "hold",
                "entries": _requested(command.entries),
                "expires_at": _when(command.expires_at_us),
                "capture_limit_minor": command.capture_limit_minor,
                "reference": command.reference,
                "metadata": dict(command.metadata) or None,
            }
        case ClosePeriod():
            return {
                "kind": "close_period",
                "through": _when(command.through_us),
                "metadata": dict(command.metadata) or None,
            }
        case OpenAccount() | UpdateAccount():
            return _account_members(command)
        case Capture() | Release() | Reverse():
            return _part_members(command)


def _when(time_us: int | Original | None) -> str | None:
    return from_us(time_us).isoformat() if isinstance(time_us, int) else time_us


def _account_members(command: OpenAccount | UpdateAccount) -> dict[str, Any]:
    if isinstance(command, OpenAccount):
        return {
            "kind": "open_account",
            "address": command.address,
            "asset": command.asset,
            "account_class": command.account_class,
            "min_balance_minor": command.min_balance_minor,
            "max_balance_minor": command.max_balance_minor,
            "metadata": dict(command.metadata) or None,
        }
    return {
        "kind": "update_account",
        "address": command.address,
        "status": command.status,
        "min_balance_minor": _limit(command.min_balance),
        "max_balance_minor": _limit(command.max_balance),
        "metadata": None if command.metadata is None else dict(command.metadata),
    }


def _part_members(command: Capture | Release | Reverse) -> dict[str, Any]:
    members = {
        "amount_minor": command.amount_minor,
        "entries": _requested(command.entries),
        "metadata": dict(command.metadata) or None,
    }
    match command:
        case Capture():
            return {
                "kind": "capture",
                "hold": command.hold,
                "final": command.final,
                "effective_at": _when(command.effective_at_us),
                **members,
            }
        case Release():
            return {"kind": "release", "hold": command.hold, **members}
        case Reverse():
            return {
                "kind": "reversal",
                "transaction": command.transaction,
                "override_limits": command.override_limits,
                "effective_at": _when(command.effective_at_us),
                "reference": command.reference,
                **members,
            }
