"""From whatever a caller sent to a command, or the refusal of its shape. Parse, do not validate.

Both doors (SDK and HTTP) come through here, so both refuse the same things with the same words.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, cast

from tandem.ledger.core import limits
from tandem.ledger.core.accounts import AccountClass, AccountStatus, is_address, parse_asset
from tandem.ledger.core.amounts import parse_amount, parse_limit
from tandem.ledger.core.commands import (
    NO_METADATA,
    AtomicBatch,
    Capture,
    Limit,
    OpenAccount,
    PlaceHold,
    Post,
    Release,
    RequestedEntry,
    Reverse,
    SingleCommand,
    UpdateAccount,
)
from tandem.ledger.core.kinds import Direction
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused

_KEY: Final = re.compile(rf"[!-~]{{1,{limits.MAX_IDEMPOTENCY_KEY_CHARS}}}", re.ASCII)
_LEDGER: Final = re.compile(
    rf"[a-z0-9][a-z0-9_-]{{0,{limits.MAX_LEDGER_NAME_CHARS - 1}}}", re.ASCII
)
NO_LIMIT: Final = "none"
# A named tuple's own constructor is a Python call; transfers come by the thousand.
_new: Final = tuple.__new__
_DEBIT: Final = Direction.DEBIT
_CREDIT: Final = Direction.CREDIT


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


def _optional_amount(value: object, field: str = "amount_minor") -> int | None:
    return None if value is None else amount(value, field)


def _limit(value: object, field: str) -> int | None:
    parsed = parse_limit(value, field)
    if isinstance(parsed, Refusal):
        raise Refused(parsed)
    return parsed


def _choice[E](kind: Callable[[str], E], value: object, field: str) -> E:
    try:
        return kind(value)  # type: ignore[arg-type]  # an enum's constructor refuses what is not
    except (ValueError, TypeError):
        raise _malformed(f"{value!r:.40} is not a known {field}", field) from None


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


def entries(values: Iterable[tuple[object, object, object, object]]) -> tuple[RequestedEntry, ...]:
    """Read entries from (account, direction, amount_minor, asset)."""
    read: list[RequestedEntry] = []
    for index, (account, direction, amount_minor, asset) in enumerate(values):
        if index >= limits.MAX_ENTRIES_PER_TRANSACTION:
            raise Refused(
                Refusal(
                    RefusalCode.TOO_LARGE,
                    f"a transaction has at most {limits.MAX_ENTRIES_PER_TRANSACTION} entries",
                    "entries",
                )
            )
        if asset is not None and parse_asset(asset) is None:
            raise _malformed("an asset is written CODE/scale, as EUR/2", "asset", index)
        read.append(
            RequestedEntry(
                address(account, "account", index),
                _choice(Direction, direction, "direction"),
                amount(amount_minor, "amount_minor", index),
                cast("str | None", asset),
            )
        )
    return tuple(read)


def _at_least_two(read: tuple[RequestedEntry, ...]) -> tuple[RequestedEntry, ...]:
    if len(read) >= 2:  # noqa: PLR2004 - double entry
        return read
    raise _malformed("a transaction has two or more entries", "entries")


def _part(
    amount_minor: object, part: Iterable[tuple[object, object, object, object]] | None
) -> tuple[int | None, tuple[RequestedEntry, ...] | None]:
    """Read which part is meant: an amount, or entries, or neither (all)."""
    if amount_minor is not None and part is not None:
        raise _malformed("amount_minor and entries exclude each other", "amount_minor")
    if part is None:
        return _optional_amount(amount_minor), None
    read = entries(part)
    if not read:
        raise _malformed("entries are not empty", "entries")
    return None, read


type RawEntries = Iterable[tuple[object, object, object, object]]


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
    low = _limit(min_balance_minor, "min_balance_minor")
    high = _limit(max_balance_minor, "max_balance_minor")
    if low is not None and high is not None and low > high:
        raise _malformed("min_balance_minor is above max_balance_minor", "min_balance_minor")
    return OpenAccount(
        _key(key),
        address(account, "address"),
        cast("str", asset),
        _choice(AccountClass, account_class, "account_class"),
        low,
        high,
        metadata(metadata_),
    )


def update_account(
    key: object,
    account: object,
    status: object = None,
    min_balance_minor: object = None,
    max_balance_minor: object = None,
    metadata_: object = None,
) -> UpdateAccount:
    """Read an `UpdateAccount`; None keeps, the text "none" lifts a limit. Raises `Refused`."""
    return UpdateAccount(
        _key(key),
        address(account, "address"),
        None if status is None else _choice(AccountStatus, status, "status"),
        _new_limit(min_balance_minor, "min_balance_minor"),
        _new_limit(max_balance_minor, "max_balance_minor"),
        None if metadata_ is None else metadata(metadata_),
    )


def _new_limit(value: object, field: str) -> Limit | None:
    if value is None:
        return None
    return Limit(None) if value == NO_LIMIT else Limit(_limit(value, field))


def transfer(
    key: object,
    debit_account: object,
    credit_account: object,
    amount_minor: object,
    asset: object = None,
    reference: object = None,
    metadata_: object = None,
) -> Post:
    """Read a two-entry `Post`; raises `Refused`."""
    if asset is not None and parse_asset(asset) is None:
        raise _malformed("an asset is written CODE/scale, as EUR/2", "asset")
    usual = type(amount_minor) is int and 0 < amount_minor <= limits.MAX_AMOUNT_MINOR
    held = amount_minor if usual else amount(amount_minor)
    named = cast("str | None", asset)
    if not is_address(debit_account):
        raise _bad_address("debit_account")
    if not is_address(credit_account):
        raise _bad_address("credit_account")
    debited, credited = debit_account, credit_account
    entries_ = (
        _new(RequestedEntry, (debited, _DEBIT, held, named)),
        _new(RequestedEntry, (credited, _CREDIT, held, named)),
    )
    told = None if reference is None else _reference(reference)
    return _new(
        Post,
        (_key(key), entries_, told, NO_METADATA if metadata_ is None else metadata(metadata_)),
    )


def post(key: object, raw: RawEntries, reference: object = None, metadata_: object = None) -> Post:
    """Read a `Post`; raises `Refused`."""
    return Post(_key(key), _at_least_two(entries(raw)), _reference(reference), metadata(metadata_))


def place_hold(
    key: object,
    raw: RawEntries,
    expires_at_us: object = None,
    capture_limit_minor: object = None,
    reference: object = None,
    metadata_: object = None,
) -> PlaceHold:
    """Read a `PlaceHold`; raises `Refused`."""
    return PlaceHold(
        _key(key),
        _at_least_two(entries(raw)),
        None if expires_at_us is None else _time(expires_at_us, "expires_at"),
        _optional_amount(capture_limit_minor, "capture_limit_minor"),
        _reference(reference),
        metadata(metadata_),
    )


def _time(value: object, field: str) -> int:
    if isinstance(value, int) and limits.MIN_TIME_US <= value <= limits.MAX_TIME_US:
        return value
    raise _malformed(f"{field} is a time between 1970 and 9999", field)


def capture(
    key: object,
    hold: object,
    amount_minor: object = None,
    raw: RawEntries | None = None,
    final: object = False,
    metadata_: object = None,
) -> Capture:
    """Read a `Capture`; raises `Refused`."""
    whole, part = _part(amount_minor, raw)
    return Capture(
        _key(key), position(hold, "hold"), whole, part, _flag(final, "final"), metadata(metadata_)
    )


def release(
    key: object,
    hold: object,
    amount_minor: object = None,
    raw: RawEntries | None = None,
    metadata_: object = None,
) -> Release:
    """Read a `Release`; raises `Refused`."""
    whole, part = _part(amount_minor, raw)
    return Release(_key(key), position(hold, "hold"), whole, part, metadata(metadata_))


def reverse(
    key: object,
    transaction: object,
    amount_minor: object = None,
    raw: RawEntries | None = None,
    override_limits: object = False,
    reference: object = None,
    metadata_: object = None,
) -> Reverse:
    """Read a `Reverse`; raises `Refused`."""
    whole, part = _part(amount_minor, raw)
    return Reverse(
        _key(key),
        position(transaction, "transaction"),
        whole,
        part,
        _flag(override_limits, "override_limits"),
        _reference(reference),
        metadata(metadata_),
    )


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


def _flag(value: object, field: str) -> bool:
    if isinstance(value, bool):
        return value
    raise _malformed(f"{field} is true or false", field)
