"""Which records and accounts a filter chooses, and how filters are read, digested and refused."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

import pytest

from tandem.ledger.core.accounts import Account, AccountClass, AccountStatus
from tandem.ledger.core.filters import (
    AccountFilter,
    RecordFilter,
    Span,
    account_filter,
    account_matches,
    digest,
    is_below,
    matches,
    metadata_term,
    record_filter,
    reference_term,
    terms,
)
from tandem.ledger.core.kinds import Effect, RecordKind
from tandem.ledger.core.limits import MAX_FILTER_CHARS, MAX_FILTER_PAIRS, MAX_POSITION
from tandem.ledger.core.records import ZERO, Entry, Record
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused

_PAID: Final = Record(
    3,
    9,
    RecordKind.TRANSACTION,
    "k",
    None,
    (Entry("cash", Effect.POST_DEBIT, 1, ZERO), Entry("a:b:c", Effect.POST_CREDIT, 1, ZERO)),
    None,
    "r",
    {"x": "1", "y": "2"},
)
_ACCOUNT: Final = Account(
    1,
    "a:b",
    "EUR/2",
    AccountClass.INCOME,
    False,
    None,
    None,
    AccountStatus.FROZEN,
    1,
    1,
    {"x": "1"},
)


@pytest.mark.parametrize(("chosen", "listed"), [
    (RecordFilter(), True),
    (RecordFilter(kind=RecordKind.TRANSACTION), True),
    (RecordFilter(kind=RecordKind.HOLD), False),
    (RecordFilter(reference="r"), True),
    (RecordFilter(reference="R"), False),
    (RecordFilter(account="cash"), True),
    (RecordFilter(account="a:b:c"), True),
    (RecordFilter(account="a:b"), False),
    (RecordFilter(account_prefix="a"), True),
    (RecordFilter(account_prefix="a:b:c"), True),
    (RecordFilter(account_prefix="a:"), False),
    (RecordFilter(account_prefix="b"), False),
    (RecordFilter(metadata={"x": "1"}), True),
    (RecordFilter(metadata={"x": "1", "y": "2"}), True),
    (RecordFilter(metadata={"x": "2"}), False),
    (RecordFilter(metadata={"x": "1", "z": "2"}), False),
    (RecordFilter("cash", "a", RecordKind.TRANSACTION, "r", {"y": "2"}), True),
    (RecordFilter("other", "a", RecordKind.TRANSACTION, "r", {"y": "2"}), False),
    (RecordFilter("cash", "b", RecordKind.TRANSACTION, "r", {"y": "2"}), False),
])  # fmt: skip
def test_a_record_is_listed_where_everything_given_applies(
    chosen: RecordFilter, *, listed: bool
) -> None:
    """One condition that does not apply is enough to leave it out."""
    assert matches(_PAID, chosen) is listed


@pytest.mark.parametrize(("chosen", "listed"), [
    (AccountFilter(), True),
    (AccountFilter(prefix="a"), True),
    (AccountFilter(prefix="a:b"), True),
    (AccountFilter(prefix="a:b:c"), False),
    (AccountFilter(asset="EUR/2"), True),
    (AccountFilter(asset="EUR/3"), False),
    (AccountFilter(account_class=AccountClass.INCOME), True),
    (AccountFilter(account_class=AccountClass.ASSET), False),
    (AccountFilter(status=AccountStatus.FROZEN), True),
    (AccountFilter(status=AccountStatus.OPEN), False),
    (AccountFilter(metadata={"x": "1"}), True),
    (AccountFilter(metadata={"x": "2"}), False),
    (AccountFilter("b", "EUR/2", AccountClass.INCOME, AccountStatus.FROZEN, {"x": "1"}), False),
])  # fmt: skip
def test_an_account_is_listed_where_everything_given_applies(
    chosen: AccountFilter, *, listed: bool
) -> None:
    """One condition that does not apply is enough to leave it out."""
    assert account_matches(_ACCOUNT, chosen) is listed


def test_a_prefix_is_whole_segments() -> None:
    """The account itself and those under it, never one that only begins alike."""
    below = {
        address: is_below(address, "a:b") for address in ("a:b", "a:b:c", "a:bc", "a", "b:a:b")
    }
    assert [address for address, is_it in below.items() if is_it] == ["a:b", "a:b:c"]


def test_what_is_left_of_a_span() -> None:
    """From the oldest what comes after, from the newest what comes before; never more than was."""
    assert Span() == (1, MAX_POSITION, False)
    assert Span(3, 9).beyond(5) == (6, 9, False)
    assert Span(3, 9).beyond(1) == (3, 9, False)
    assert Span(3, 9, True).beyond(5) == (3, 4, True)
    assert Span(3, 9, True).beyond(20) == (3, 9, True)


def test_terms_are_frozen() -> None:
    """They stand in rows: the first 128 bits of SHA-256 over the parts with NULs between."""
    assert reference_term("r") == sha256(b"reference\0r").hexdigest()[:32]
    assert metadata_term("k", "\u00e9") == sha256(b"metadata\0k\0\xc3\xa9").hexdigest()[:32]
    pair = metadata_term("k", "v")
    assert terms("r", {"k": "v"}) == [reference_term("r"), pair]
    assert terms(None, {"k": "v"}) == [pair]
    assert terms("r", {}) == [reference_term("r")]
    assert terms(None, {}) == []


def test_a_digest_is_frozen() -> None:
    """Cursors are bound to it; the order of metadata does not matter, that of fields does."""
    text = '["a", null, {"k": "\\u00e9", "l": "2"}]'
    expected = sha256(text.encode()).hexdigest()[:16]
    assert digest(["a", None, {"l": "2", "k": "\u00e9"}]) == expected
    assert digest([None, "a", {"l": "2", "k": "\u00e9"}]) != expected


def test_filters_are_read() -> None:
    """Every field where it belongs; an empty prefix is none."""
    assert record_filter(None, None, None, None, None) == RecordFilter()
    assert record_filter("a:b", "a", "hold", "r", {"k": "v"}) == RecordFilter(
        "a:b", "a", RecordKind.HOLD, "r", {"k": "v"}
    )
    assert record_filter(None, "", None, None, None) == RecordFilter()
    assert account_filter(None, None, None, None, None) == AccountFilter()
    assert account_filter("", None, None, None, None) == AccountFilter()
    assert account_filter("a", "EUR/2", "income", "closed", {"k": "v"}) == AccountFilter(
        "a", "EUR/2", AccountClass.INCOME, AccountStatus.CLOSED, {"k": "v"}
    )


def _metadata(pairs: int, chars: int) -> dict[str, str]:
    """So many pairs, and so many characters in all of them."""
    held = {str(number): "" for number in range(pairs)}
    for key in held:
        held[key] = "v" * min(chars - pairs - sum(map(len, held.values())), 1_024)
    return held


def test_as_much_metadata_as_a_filter_may_have() -> None:
    """Eight pairs, and 4,096 characters of keys and values together."""
    most = _metadata(MAX_FILTER_PAIRS, MAX_FILTER_CHARS)
    assert sum(map(len, [*most, *most.values()])) == MAX_FILTER_CHARS
    assert record_filter(None, None, None, None, most).metadata == most
    assert account_filter(None, None, None, None, most).metadata == most


_ADDRESS: Final = (
    "an address is segments of letters, digits, _ and - joined by :, at most 128 characters"
)
_KINDS: Final = (
    "kind is one of open_account, update_account, transaction, hold, capture, release, expiry, "
    "reversal, close_period, batch, refusal"
)
_PAIRS: Final = "a filter has at most 8 pairs of metadata"
_CHARS: Final = "a filter's metadata has at most 4096 characters"
_LONG: Final = _metadata(MAX_FILTER_PAIRS, MAX_FILTER_CHARS + 1)
_MANY: Final = _metadata(MAX_FILTER_PAIRS + 1, 9)


@pytest.mark.parametrize(("read", "values", "detail", "field"), [
    (record_filter, ("a b", None, None, None, None), _ADDRESS, "account"),
    (record_filter, ("", None, None, None, None), _ADDRESS, "account"),
    (record_filter, (None, "a b", None, None, None), _ADDRESS, "account_prefix"),
    (record_filter, (None, None, "x", None, None), _KINDS, "kind"),
    (record_filter, (None, None, [], None, None), _KINDS, "kind"),
    (record_filter, (None, None, None, "", None), "a reference is not empty", "reference"),
    (record_filter, (None, None, None, "r" * 129, None),
     "reference is a text of at most 128 characters", "reference"),
    (record_filter, (None, None, None, None, _MANY), _PAIRS, "metadata"),
    (record_filter, (None, None, None, None, _LONG), _CHARS, "metadata"),
    (account_filter, ("a b", None, None, None, None), _ADDRESS, "prefix"),
    (account_filter, (None, "EUR", None, None, None),
     "an asset is written CODE/scale, as EUR/2", "asset"),
    (account_filter, (None, None, "x", None, None),
     "account_class is one of asset, liability, equity, income, expense", "account_class"),
    (account_filter, (None, None, None, "x", None),
     "status is one of open, frozen, closed", "status"),
    (account_filter, (None, None, None, None, _MANY), _PAIRS, "metadata"),
    (account_filter, (None, None, None, None, _LONG), _CHARS, "metadata"),
])  # fmt: skip
def test_what_is_no_filter_is_refused(
    read: Callable[..., object], values: tuple[Any, ...], detail: str, field: str
) -> None:
    """Always as malformed, with the words and the field."""
    with pytest.raises(Refused) as refused:
        read(*values)
    assert refused.value.refusal == Refusal(RefusalCode.MALFORMED, detail, field)
