"""From whatever a caller sent to a command, or the refusal of its shape. Parse, do not validate.

Both doors (SDK and HTTP) come through here, so both refuse the same things with the same words.
Amounts are read last: whatever else is wrong with the shape of a command is told before them.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple, cast

from tandem.ledger.core import limits
from tandem.ledger.core.accounts import AccountClass, AccountStatus, is_address, parse_asset
from tandem.ledger.core.amounts import parse_amount, parse_limit
from tandem.ledger.core.commands import (
    NO_METADATA,
    ORIGINAL,
    AtomicBatch,
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
from tandem.ledger.core.kinds import Direction, TimeBasis
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused

_KEY: Final = re.compile(rf"[!-~]{{1,{limits.MAX_IDEMPOTENCY_KEY_CHARS}}}", re.ASCII)
_LEDGER: Final = re.compile(
    rf"[a-z0-9][a-z0-9_-]{{0,{limits.MAX_LEDGER_NAME_CHARS - 1}}}", re.ASCII
)
NO_LIMIT: Final = "none"
_CAPTURE_LIMIT: Final = "capture_limit_minor"
# A named tuple's own constructor is a Python call; transfers come by the thousand.
_new: Final = tuple.__new__


def _malformed(detail: str, field: str | None = None, index: int | None = None) -> Refused:
    return Refused(Refusal(RefusalCode.MALFORMED, detail, field, index))


def ledger_name(value: object) -> str:
    """Check a ledger's name: lower-case letters, digits, `_`, `-`, at most 63."""
    if isinstance(value, str) and _LEDGER.fullmatch(value):
        return value
    raise _malformed("a ledger is named in a-z, 0-9, _ and -, at most 63 characters", "ledger")


def idempotency_key(value: object) -> str:
    """Check a key: 1 to 128 visible ASCII characters."""
    if value is None or value == "":
        raise Refused(
            Refusal(
                RefusalCode.IDEMPOTENCY_KEY_MISSING,
                "every write carries an idempotency key",
                "idempotency_key",
            )
        )
    if isinstance(value, str) and _KEY.fullmatch(value):
        return value
    raise _malformed("a key is 1 to 128 visible ASCII characters", "idempotency_key")


def address(value: object, field: str, index: int | None = None) -> str:
    """Check an account's address."""
    if is_address(value):
        return cast("str", value)
    raise _bad_address(field, index)


def _bad_address(field: str, index: int | None = None) -> Refused:
    return _malformed(
        "an address is segments of letters, digits, _ and - joined by :, at most 128 characters",
        field,
        index,
    )


def position(value: object, field: str) -> int:
    """Check a position: a positive integer."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63:
        return value
    raise _malformed(f"{field} is a position of the log, a positive integer", field)


def amount(value: object, field: str = "amount_minor", index: int | None = None) -> int:
    """Read an amount; see `parse_amount` for what is refused how."""
    parsed = parse_amount(value)
    if isinstance(parsed, int):
        return parsed
    raise Refused(Refusal(parsed.code, parsed.detail, field, index))


class _Written(NamedTuple):
    """An amount as it was sent, and where it stands."""

    value: object
    field: str
    entry: int | None = None


def _amounts(written: Iterable[_Written]) -> list[int]:
    """Read the amounts of a command, in order; one that is malformed is told before the others."""
    read: list[int] = []
    refusals: list[Refusal] = []
    for value, field, index in written:
        parsed = parse_amount(value)
        if isinstance(parsed, int):
            read.append(parsed)
        else:
            refusals.append(Refusal(parsed.code, parsed.detail, field, index))
    return _told(read, refusals)


def _told[T](read: T, refusals: Sequence[Refusal]) -> T:
    if refusals:
        raise Refused(min(refusals, key=lambda one: one.code is not RefusalCode.MALFORMED))
    return read


def _limits(low: object, high: object) -> tuple[int | None, int | None]:
    """Read the two limits of an account; what is malformed of them is told first."""
    parsed = (parse_limit(low, "min_balance_minor"), parse_limit(high, "max_balance_minor"))
    least, most = parsed
    if isinstance(least, Refusal) or isinstance(most, Refusal):
        return _told((None, None), [one for one in parsed if isinstance(one, Refusal)])
    return least, most


def _choice[E](kind: Callable[[str], E], value: object, field: str, index: int | None = None) -> E:
    try:
        return kind(value)  # type: ignore[arg-type]  # an enum's constructor refuses what is not
    except (ValueError, TypeError):
        # Only a text is shown: what else comes may be long to write, or impossible.
        shown = f"{value!r:.40}" if isinstance(value, str) else type(value).__name__
        raise _malformed(f"{shown} is not a known {field}", field, index) from None


def text(value: object, field: str, max_chars: int) -> str:
    """Check a text: valid Unicode without NUL, of bounded length."""
    if not isinstance(value, str) or len(value) > max_chars:
        raise _malformed(f"{field} is a text of at most {max_chars} characters", field)
    if "\0" in value or not _encodes(value):
        raise _malformed(f"{field} holds a NUL or half a surrogate pair", field)
    return value


def _encodes(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _reference(value: object) -> str | None:
    if value is None:
        return None
    if value == "":
        raise _malformed("a reference is not empty", "reference")
    return text(value, "reference", limits.MAX_REFERENCE_CHARS)


def metadata(value: object) -> Mapping[str, str]:
    """Check metadata: texts by text; kept in order of key, so that order never matters."""
    if value is None:
        return NO_METADATA
    if not isinstance(value, Mapping):
        raise _malformed("metadata is an object of texts", "metadata")
    if len(value) > limits.MAX_METADATA_KEYS:
        raise _malformed(f"metadata has at most {limits.MAX_METADATA_KEYS} keys", "metadata")
    pairs = [
        (
            text(key, "metadata", limits.MAX_METADATA_KEY_CHARS),
            text(held, "metadata", limits.MAX_METADATA_VALUE_CHARS),
        )
        for key, held in value.items()
    ]
    return dict(sorted(pairs)) if pairs else NO_METADATA


type RawEntries = Iterable[tuple[object, object, object, object]]


class _Draft(NamedTuple):
    """Entries read but for their amounts."""

    sides: list[tuple[str, Direction, str | None]]
    amounts: list[_Written]

    def entries(self, amounts_minor: Iterable[int]) -> tuple[RequestedEntry, ...]:
        """Give the entries with their amounts; surplus amounts are somebody else's."""
        return tuple(
            RequestedEntry(account, direction, amount_minor, asset)
            for (account, direction, asset), amount_minor in zip(
                self.sides, amounts_minor, strict=False
            )
        )


def _draft(values: RawEntries, least: int) -> _Draft:
    """Read entries from (account, direction, amount_minor, asset), leaving amounts for later."""
    most = limits.MAX_ENTRIES_PER_TRANSACTION
    raw = list(islice(values, most + 1))
    if len(raw) > most:
        detail = f"a transaction has at most {most} entries"
        raise Refused(Refusal(RefusalCode.TOO_LARGE, detail, "entries"))
    if len(raw) < least:
        few = "entries are not empty" if least == 1 else "a transaction has two or more entries"
        raise _malformed(few, "entries")
    draft = _Draft([], [])
    for index, (account, direction, amount_minor, asset) in enumerate(raw):
        _check_asset(asset, index)
        side = _choice(Direction, direction, "direction", index)
        draft.sides.append((address(account, "account", index), side, cast("str | None", asset)))
        draft.amounts.append(_Written(amount_minor, "amount_minor", index))
    return draft


def _check_asset(asset: object, index: int | None = None) -> None:
    if asset is not None and parse_asset(asset) is None:
        raise _malformed("an asset is written CODE/scale, as EUR/2", "asset", index)


class _PartDraft(NamedTuple):
    """Which part is meant: an amount, or entries, or neither (all); amounts are not read yet."""

    amount: _Written | None
    draft: _Draft | None

    def read(self) -> tuple[int | None, tuple[RequestedEntry, ...] | None]:
        """Read the amounts; raises `Refused`."""
        if self.draft is not None:
            return None, self.draft.entries(_amounts(self.draft.amounts))
        return None if self.amount is None else _amounts([self.amount])[0], None


def _part(amount_minor: object, raw: RawEntries | None) -> _PartDraft:
    if amount_minor is not None and raw is not None:
        raise _malformed("amount_minor and entries exclude each other", "amount_minor")
    if raw is not None:
        return _PartDraft(None, _draft(raw, least=1))
    return _PartDraft(
        None if amount_minor is None else _Written(amount_minor, "amount_minor"), None
    )


def open_account(
    key: object,
    account: object,
    asset: object,
    account_class: object,
    min_balance_minor: object = None,
    max_balance_minor: object = None,
    metadata_: object = None,
) -> OpenAccount:
    """Read an `OpenAccount`; raises `Refused`."""
    if parse_asset(asset) is None:
        raise _malformed("an asset is written CODE/scale, as EUR/2", "asset")
    read_key, named = _key(key), address(account, "address")
    of_class, held = _choice(AccountClass, account_class, "account_class"), metadata(metadata_)
    low, high = _limits(min_balance_minor, max_balance_minor)
    if low is not None and high is not None and low > high:
        raise _malformed("min_balance_minor is above max_balance_minor", "min_balance_minor")
    return OpenAccount(read_key, named, cast("str", asset), of_class, low, high, held)


def update_account(
    key: object,
    account: object,
    status: object = None,
    min_balance_minor: object = None,
    max_balance_minor: object = None,
    metadata_: object = None,
) -> UpdateAccount:
    """Read an `UpdateAccount`; None keeps, the text "none" lifts a limit. Raises `Refused`."""
    read_key, named = _key(key), address(account, "address")
    wanted = None if status is None else _choice(AccountStatus, status, "status")
    held = None if metadata_ is None else metadata(metadata_)
    bounds = (min_balance_minor, max_balance_minor)
    read = _limits(*(None if bound == NO_LIMIT else bound for bound in bounds))
    low, high = (
        None if bound is None else Limit(limit) for bound, limit in zip(bounds, read, strict=True)
    )
    return UpdateAccount(read_key, named, wanted, low, high, held)


def transfer(
    key: object,
    debit_account: object,
    credit_account: object,
    amount_minor: object,
    asset: object = None,
    reference: object = None,
    metadata_: object = None,
    effective_at_us: object = None,
) -> Transfer:
    """Read a `Transfer`; raises `Refused`."""
    if asset is not None:
        _check_asset(asset)
    if not is_address(debit_account):
        raise _bad_address("debit_account")
    if not is_address(credit_account):
        raise _bad_address("credit_account")
    told = None if reference is None else _reference(reference)
    held = NO_METADATA if metadata_ is None else metadata(metadata_)
    when = None if effective_at_us is None else time(effective_at_us, "effective_at")
    read_key = _key(key)
    usual = type(amount_minor) is int and 0 < amount_minor <= limits.MAX_AMOUNT_MINOR
    moved = amount_minor if usual else amount(amount_minor)
    return _new(Transfer, (read_key, debit_account, credit_account, moved, asset, told, held, when))


def post(
    key: object,
    raw: RawEntries,
    reference: object = None,
    metadata_: object = None,
    effective_at_us: object = None,
) -> Post:
    """Read a `Post`; raises `Refused`."""
    draft, read_key = _draft(raw, least=2), _key(key)
    told, held = _reference(reference), metadata(metadata_)
    when = _optional_time(effective_at_us, "effective_at")
    return Post(read_key, draft.entries(_amounts(draft.amounts)), told, held, when)


def place_hold(
    key: object,
    raw: RawEntries,
    expires_at_us: object = None,
    capture_limit_minor: object = None,
    reference: object = None,
    metadata_: object = None,
) -> PlaceHold:
    """Read a `PlaceHold`; raises `Refused`."""
    draft, read_key = _draft(raw, least=2), _key(key)
    expires = _optional_time(expires_at_us, "expires_at")
    told, held = _reference(reference), metadata(metadata_)
    limit = [] if capture_limit_minor is None else [_Written(capture_limit_minor, _CAPTURE_LIMIT)]
    amounts_minor = _amounts([*draft.amounts, *limit])
    most_minor = amounts_minor[-1] if limit else None
    return PlaceHold(read_key, draft.entries(amounts_minor), expires, most_minor, told, held)


def time(value: object, field: str) -> int:
    """Check a time in microseconds since 1970."""
    if isinstance(value, int) and limits.MIN_TIME_US <= value <= limits.MAX_TIME_US:
        return value
    raise _malformed(f"{field} is a time between 1970 and 9999", field)


def _optional_time(value: object, field: str) -> int | None:
    return None if value is None else time(value, field)


def capture(
    key: object,
    hold: object,
    amount_minor: object = None,
    raw: RawEntries | None = None,
    final: object = False,
    metadata_: object = None,
    effective_at_us: object = None,
) -> Capture:
    """Read a `Capture`; raises `Refused`."""
    part, read_key, parent = _part(amount_minor, raw), _key(key), position(hold, "hold")
    last, held = _flag(final, "final"), metadata(metadata_)
    when = _optional_time(effective_at_us, "effective_at")
    return Capture(read_key, parent, *part.read(), last, held, when)


def release(
    key: object,
    hold: object,
    amount_minor: object = None,
    raw: RawEntries | None = None,
    metadata_: object = None,
) -> Release:
    """Read a `Release`; raises `Refused`."""
    part, read_key, parent = _part(amount_minor, raw), _key(key), position(hold, "hold")
    held = metadata(metadata_)
    return Release(read_key, parent, *part.read(), held)


def reverse(
    key: object,
    transaction: object,
    amount_minor: object = None,
    raw: RawEntries | None = None,
    override_limits: object = False,
    reference: object = None,
    metadata_: object = None,
    effective_at_us: object = None,
) -> Reverse:
    """Read a `Reverse`; raises `Refused`."""
    part, read_key = _part(amount_minor, raw), _key(key)
    parent, override = (
        position(transaction, "transaction"),
        _flag(override_limits, "override_limits"),
    )
    told, held = _reference(reference), metadata(metadata_)
    when = _reversal_time(effective_at_us)
    return Reverse(read_key, parent, *part.read(), override, told, held, when)


def _reversal_time(value: object) -> int | Original | None:
    return ORIGINAL if value == ORIGINAL else _optional_time(value, "effective_at")


def close_period(key: object, through_us: object, metadata_: object = None) -> ClosePeriod:
    """Read a `ClosePeriod`; raises `Refused`."""
    return ClosePeriod(_key(key), time(through_us, "through"), metadata(metadata_))


def atomic_batch(key: object, commands: Iterable[SingleCommand]) -> AtomicBatch:
    """Bind commands read without keys into one that has; raises `Refused`."""
    bound = tuple(commands)
    if not bound:
        raise _malformed("a batch has at least one command", "commands")
    if len(bound) > limits.MAX_COMMANDS_PER_ATOMIC_BATCH:
        raise Refused(
            Refusal(
                RefusalCode.TOO_LARGE,
                f"an atomic batch has at most {limits.MAX_COMMANDS_PER_ATOMIC_BATCH} commands",
                "commands",
            )
        )
    for index, command in enumerate(bound):
        if command.key is not None:
            raise _malformed(
                "a command of an atomic batch has no key; the batch has", "idempotency_key", index
            )
    return AtomicBatch(idempotency_key(key), bound)


def _key(value: object) -> str | None:
    """Read a key, or keep the lack of one for `require_key` (atomic batches have none inside)."""
    return None if value is None or value == "" else idempotency_key(value)


def time_basis(value: object) -> bool:
    """Read which time orders a statement; True for the effective one."""
    return _choice(TimeBasis, value, "by") is TimeBasis.EFFECTIVE


def _flag(value: object, field: str) -> bool:
    if isinstance(value, bool):
        return value
    raise _malformed(f"{field} is true or false", field)
