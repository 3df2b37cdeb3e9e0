"""Bodies of requests: their shape here, their meaning in `core.intake`."""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)

from tandem.ledger.core import intake
from tandem.ledger.core.commands import SingleCommand
from tandem.ledger.core.limits import (
    MAX_COMMANDS_PER_BATCH,
    MAX_ENTRIES_PER_TRANSACTION,
    MAX_METADATA_KEYS,
)
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused
from tandem.ledger.times import to_us

_INTEGER = {"type": "integer"}
_DIGITS = {"type": "string", "pattern": "^[1-9][0-9]{0,38}$"}

# Any: the core reads amounts, and tells a fraction from a negative from a word.
Amount = Annotated[
    Any, WithJsonSchema({"oneOf": [{**_INTEGER, "minimum": 1}, _DIGITS], "examples": ["1250"]})
]
_SIGNED = {"type": "string", "pattern": "^(0|-?[1-9][0-9]{0,38})$"}
SignedAmount = Annotated[Any, WithJsonSchema({"oneOf": [_INTEGER, _SIGNED, {"type": "null"}]})]
NewLimit = Annotated[
    Any, WithJsonSchema({"oneOf": [_INTEGER, _SIGNED, {"const": "none"}, {"type": "null"}]})
]
Metadata = Annotated[dict[str, str] | None, Field(max_length=MAX_METADATA_KEYS)]


_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def _text(value: object) -> object:
    # Pydantic would take a number of seconds too, as text or not.
    if isinstance(value, str) and _RFC_3339.fullmatch(value):
        return value
    raise ValueError("a time is written as RFC 3339 text")


Time = Annotated[AwareDatetime, BeforeValidator(_text), Field(strict=False)]


class Body(BaseModel):
    """Strict: an unknown member is refused, and nothing is converted in silence."""

    model_config = ConfigDict(strict=True, extra="forbid")


class EntryBody(Body):
    """A debit or credit of one account."""

    account: str
    direction: Literal["debit", "credit"]
    amount_minor: Amount
    asset: str | None = None


def _at_most(items_max: int, field: str) -> tuple[BeforeValidator, Any]:
    """Bound a list before its items are read: too many is `too_large`, and cheap to find."""

    def check(value: object) -> object:
        if isinstance(value, list) and len(value) > items_max:
            detail = f"at most {items_max} {field}"
            raise Refused(Refusal(RefusalCode.TOO_LARGE, detail, field))
        return value

    return BeforeValidator(check), Field(json_schema_extra={"maxItems": items_max})


type Entries = Annotated[list[EntryBody], *_at_most(MAX_ENTRIES_PER_TRANSACTION, "entries")]


def _raw(entries: list[EntryBody] | None) -> intake.RawEntries | None:
    if entries is None:
        return None
    return [(entry.account, entry.direction, entry.amount_minor, entry.asset) for entry in entries]


def _us(time: datetime | None, field: str) -> int | None:
    return None if time is None else to_us(time, field)


class OpenAccountBody(Body):
    """Open an account."""

    address: str = Field(examples=["customers:42:wallet"])
    asset: str = Field(examples=["EUR/2"])
    account_class: Literal["asset", "liability", "equity", "income", "expense"]
    min_balance_minor: SignedAmount = None
    max_balance_minor: SignedAmount = None
    metadata: Metadata = None

    def command(self, key: str | None) -> SingleCommand:
        """Read the command; raises `Refused`."""
        return intake.open_account(
            key,
            self.address,
            self.asset,
            self.account_class,
            self.min_balance_minor,
            self.max_balance_minor,
            self.metadata,
        )


class AccountChanges(Body):
    """What to change of an account; what is left out stays."""

    status: Literal["open", "frozen", "closed"] | None = None
    min_balance_minor: NewLimit = None
    max_balance_minor: NewLimit = None
    metadata: Metadata = None


class UpdateAccountBody(AccountChanges):
    """Change an account."""

    address: str

    def command(self, key: str | None) -> SingleCommand:
        """Read the command; raises `Refused`."""
        return intake.update_account(
            key,
            self.address,
            self.status,
            self.min_balance_minor,
            self.max_balance_minor,
            self.metadata,
        )


class TransferBody(Body):
    """Move an amount: debit one account, credit another."""

    debit_account: str
    credit_account: str
    amount_minor: Amount
    asset: str | None = None
    reference: str | None = None
    metadata: Metadata = None
    effective_at: Time | None = None

    def command(self, key: str | None) -> SingleCommand:
        """Read the command; raises `Refused`."""
        return intake.transfer(
            key,
            self.debit_account,
            self.credit_account,
            self.amount_minor,
            self.asset,
            self.reference,
            self.metadata,
            _us(self.effective_at, "effective_at"),
        )


class EntriesBody(Body):
    """Two or more entries; debits equal credits in every asset."""

    entries: Entries
    reference: str | None = None
    metadata: Metadata = None


class TransactionBody(EntriesBody):
    """Post two or more entries."""

    effective_at: Time | None = None

    def command(self, key: str | None) -> SingleCommand:
        """Read the command; raises `Refused`."""
        effective_at_us = _us(self.effective_at, "effective_at")
        raw = _raw(self.entries) or []
        return intake.post(key, raw, self.reference, self.metadata, effective_at_us)


class HoldBody(EntriesBody):
    """Reserve two or more entries."""

    expires_at: Time | None = None
    capture_limit_minor: Amount = None

    def command(self, key: str | None) -> SingleCommand:
        """Read the command; raises `Refused`."""
        return intake.place_hold(
            key,
            _raw(self.entries) or [],
            _us(self.expires_at, "expires_at"),
            self.capture_limit_minor,
            self.reference,
            self.metadata,
        )


class PartBody(Body):
    """Which part: an amount of two entries, named entries, or (neither) all that is left."""

    amount_minor: Amount = None
    entries: Entries | None = None
    metadata: Metadata = None


class CaptureChanges(PartBody):
    """Post what a hold reserves; `final` releases the rest."""

    final: bool = False
    effective_at: Time | None = None


class CaptureBody(CaptureChanges):
    """Capture a hold."""

    hold: int

    def command(self, key: str | None) -> SingleCommand:
        """Read the command; raises `Refused`."""
        return intake.capture(
            key,
            self.hold,
            self.amount_minor,
            _raw(self.entries),
            self.final,
            self.metadata,
            _us(self.effective_at, "effective_at"),
        )


class ReleaseBody(PartBody):
    """Release a hold."""

    hold: int

    def command(self, key: str | None) -> SingleCommand:
        """Read the command; raises `Refused`."""
        raw = _raw(self.entries)
        return intake.release(key, self.hold, self.amount_minor, raw, self.metadata)


class ReversalChanges(PartBody):
    """Mirror what was posted; `override_limits` needs the permission of that name."""

    override_limits: bool = False
    reference: str | None = None
    effective_at: Time | Literal["original"] | None = None


class ReversalBody(ReversalChanges):
    """Reverse a transaction."""

    transaction: int

    def command(self, key: str | None) -> SingleCommand:
        """Read the command; raises `Refused`."""
        when = self.effective_at
        return intake.reverse(
            key,
            self.transaction,
            self.amount_minor,
            _raw(self.entries),
            self.override_limits,
            self.reference,
            self.metadata,
            when if isinstance(when, str) else _us(when, "effective_at"),
        )


class ClosePeriodBody(Body):
    """Let nothing more take effect at or before a time."""

    through: Time
    metadata: Metadata = None

    def command(self, key: str | None) -> SingleCommand:
        """Read the command; raises `Refused`."""
        return intake.close_period(key, to_us(self.through, "through"), self.metadata)


class LedgerBody(Body):
    """Make a ledger."""

    name: str = Field(examples=["main"])


class BatchBody(Body):
    """Several commands.

    Each is the body of its own call plus `kind`, and the identifiers that its path would have
    (`address`, `hold`, `transaction`). In an independent batch each has its own
    `idempotency_key`; an atomic one has the header's.
    """

    mode: Literal["atomic", "independent"] = "independent"
    commands: Annotated[list[dict[str, Any]], *_at_most(MAX_COMMANDS_PER_BATCH, "commands")] = (
        Field(
            examples=[
                [
                    {
                        "kind": "transfer",
                        "debit_account": "platform:cash",
                        "credit_account": "customers:42:wallet",
                        "amount_minor": "1250",
                        "idempotency_key": "deposit-1",
                    }
                ]
            ],
        )
    )


type _CommandBody = (
    OpenAccountBody
    | UpdateAccountBody
    | TransferBody
    | TransactionBody
    | HoldBody
    | CaptureBody
    | ReleaseBody
    | ReversalBody
    | ClosePeriodBody
)

COMMAND_BODIES: Final[Mapping[str, type[_CommandBody]]] = {
    "open_account": OpenAccountBody,
    "update_account": UpdateAccountBody,
    "transfer": TransferBody,
    "transaction": TransactionBody,
    "hold": HoldBody,
    "capture": CaptureBody,
    "release": ReleaseBody,
    "reversal": ReversalBody,
    "close_period": ClosePeriodBody,
}


# What a transfer may have where nothing of it needs converting.
_OF_A_TRANSFER: Final = TransferBody.model_fields.keys() - {"effective_at"} | {
    "kind",
    "idempotency_key",
}


def read_command(members: dict[str, Any]) -> SingleCommand:
    """Read one command of a batch; raises `Refused`."""
    if members.get("kind") == "transfer" and members.keys() <= _OF_A_TRANSFER:
        # The usual one. The core checks all that the shape would; the shape says what is wrong.
        with suppress(Refused):
            return _transfer(members)
    return _read_command(members)


def _transfer(members: dict[str, Any]) -> SingleCommand:
    key = members.get("idempotency_key")
    return intake.transfer(
        None if key is None else intake.idempotency_key(key),
        members.get("debit_account"),
        members.get("credit_account"),
        members.get("amount_minor"),
        members.get("asset"),
        members.get("reference"),
        members.get("metadata"),
    )


def _read_command(members: dict[str, Any]) -> SingleCommand:
    fields = dict(members)
    kind = fields.pop("kind", None)
    key = fields.pop("idempotency_key", None)
    shape = COMMAND_BODIES.get(kind) if isinstance(kind, str) else None
    if shape is None:
        raise Refused(Refusal(RefusalCode.MALFORMED, "no known kind of command", "kind"))
    try:
        body = shape.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Refused(Refusal(RefusalCode.MALFORMED, f"{where}: {first['msg']}", where)) from None
    return body.command(None if key is None else intake.idempotency_key(key))
