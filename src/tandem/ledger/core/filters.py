"""Which records and accounts a listing asks for, and what matches.

The stores answer from indexes; `matches` says what the answer has to be.
"""

import json
from collections.abc import Iterable, Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple

from tandem.ledger.core import intake
from tandem.ledger.core.accounts import Account, AccountClass, AccountStatus, parse_asset
from tandem.ledger.core.commands import NO_METADATA
from tandem.ledger.core.kinds import RecordKind
from tandem.ledger.core.limits import (
    MAX_FILTER_CHARS,
    MAX_FILTER_PAIRS,
    MAX_POSITION,
    MAX_REFERENCE_CHARS,
)
from tandem.ledger.core.records import Record
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused

_TERM_HEX_CHARS: Final = 32
_DIGEST_HEX_CHARS: Final = 16


class RecordFilter(NamedTuple):
    """Which records to list: those to which everything given applies.

    `account` and `account_prefix` are of any of a record's entries; a prefix is whole segments.
    `metadata` is contained in the record's: all of its pairs, and maybe others.
    """

    account: str | None = None
    account_prefix: str | None = None
    kind: RecordKind | None = None
    reference: str | None = None
    metadata: Mapping[str, str] = NO_METADATA


class AccountFilter(NamedTuple):
    """Which accounts to list: those, as they stand, to which everything given applies."""

    prefix: str | None = None
    asset: str | None = None
    account_class: AccountClass | None = None
    status: AccountStatus | None = None
    metadata: Mapping[str, str] = NO_METADATA


class Span(NamedTuple):
    """Positions from the first to the last one, both included, and from which end to list them."""

    first: int = 1
    last: int = MAX_POSITION
    newest_first: bool = False

    def beyond(self, position: int) -> "Span":
        """What is left after a position, in the order of the listing."""
        if self.newest_first:
            return self._replace(last=min(self.last, position - 1))
        return self._replace(first=max(self.first, position + 1))


def is_below(address: str, prefix: str) -> bool:
    """Tell whether an address begins with whole segments: the account itself, or one under it."""
    return address == prefix or address.startswith(f"{prefix}:")


def _contains(held: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(held.get(key) == value for key, value in wanted.items())


def matches(record: Record, chosen: RecordFilter) -> bool:
    """Tell whether a record is listed."""
    return (
        chosen.kind in (None, record.kind)
        and chosen.reference in (None, record.reference)
        and _contains(record.metadata, chosen.metadata)
        and (
            chosen.account is None
            or any(entry.address == chosen.account for entry in record.entries)
        )
        and (
            chosen.account_prefix is None
            or any(is_below(entry.address, chosen.account_prefix) for entry in record.entries)
        )
    )


def account_matches(account: Account, chosen: AccountFilter) -> bool:
    """Tell whether an account is listed."""
    return (
        (chosen.prefix is None or is_below(account.address, chosen.prefix))
        and chosen.asset in (None, account.asset)
        and chosen.account_class in (None, account.account_class)
        and chosen.status in (None, account.status)
        and _contains(account.metadata, chosen.metadata)
    )


# -- terms ---------------------------------------------------------------------------------------


def reference_term(reference: str) -> str:
    """Digest a reference: 128 bits in hexadecimal, under which its records are listed."""
    return _term("reference", reference)


def metadata_term(key: str, value: str) -> str:
    """Digest a pair of metadata: 128 bits in hexadecimal, under which its holders are listed."""
    return _term("metadata", key, value)


def _term(*parts: str) -> str:
    # No text of the ledger holds a NUL, so no two lists of parts are written alike.
    return sha256("\0".join(parts).encode()).hexdigest()[:_TERM_HEX_CHARS]


def terms(reference: str | None, metadata: Mapping[str, str]) -> list[str]:
    """The terms of a reference and metadata; what has neither has none."""
    found = [metadata_term(key, value) for key, value in metadata.items()]
    return found if reference is None else [reference_term(reference), *found]


# -- reading filters -----------------------------------------------------------------------------


def _malformed(detail: str, field: str) -> Refused:
    return Refused(Refusal(RefusalCode.MALFORMED, detail, field))


def _choice[E: StrEnum](kind: type[E], value: object, field: str) -> E | None:
    try:
        return None if value is None else kind(value)  # type: ignore[arg-type]  # an enum refuses what is no member
    except (ValueError, TypeError):
        raise _malformed(f"{field} is one of {', '.join(kind)}", field) from None


def _wanted(value: object) -> Mapping[str, str]:
    pairs = intake.metadata(value)
    if len(pairs) > MAX_FILTER_PAIRS:
        raise _malformed(f"a filter has at most {MAX_FILTER_PAIRS} pairs of metadata", "metadata")
    if sum(map(len, [*pairs, *pairs.values()])) > MAX_FILTER_CHARS:
        detail = f"a filter's metadata has at most {MAX_FILTER_CHARS} characters"
        raise _malformed(detail, "metadata")
    return pairs


def _prefix(value: object, field: str) -> str | None:
    return None if value is None or value == "" else intake.address(value, field)


def record_filter(
    account: object, account_prefix: object, kind: object, reference: object, metadata: object
) -> RecordFilter:
    """Read a filter of records; raises `Refused`."""
    if reference is not None and not intake.text(reference, "reference", MAX_REFERENCE_CHARS):
        raise _malformed("a reference is not empty", "reference")
    return RecordFilter(
        None if account is None else intake.address(account, "account"),
        _prefix(account_prefix, "account_prefix"),
        _choice(RecordKind, kind, "kind"),
        None if reference is None else str(reference),
        _wanted(metadata),
    )


def account_filter(
    prefix: object, asset: object, account_class: object, status: object, metadata: object
) -> AccountFilter:
    """Read a filter of accounts; raises `Refused`."""
    if asset is not None and parse_asset(asset) is None:
        raise _malformed("an asset is written CODE/scale, as EUR/2", "asset")
    return AccountFilter(
        _prefix(prefix, "prefix"),
        None if asset is None else str(asset),
        _choice(AccountClass, account_class, "account_class"),
        _choice(AccountStatus, status, "status"),
        _wanted(metadata),
    )


def digest(chosen: Iterable[object]) -> str:
    """Digest a filter, so that a cursor can be bound to it."""
    text = json.dumps(list(chosen), ensure_ascii=True, sort_keys=True)
    return sha256(text.encode()).hexdigest()[:_DIGEST_HEX_CHARS]
