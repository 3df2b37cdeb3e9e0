"""Every reader of the core against anything at all: it reads what it should, or refuses by name."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from hypothesis import example, given
from hypothesis import strategies as st
from tests.property.ledger_core.strategies import records
from tests.support.examples import examples

from tandem.ledger.core import intake, limits
from tandem.ledger.core.accounts import is_address, parse_asset
from tandem.ledger.core.canonical import decode, encode
from tandem.ledger.core.records import Record
from tandem.ledger.core.refusals import Refused
from tandem.ledger.times import from_us, to_us

# What JSON can say, and what else Python can hand over.
_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.text(alphabet="01aAzZ_-:/ \n\0\u00e9\u0660", max_size=10)
)
_json = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
_anything = _json | st.binary(max_size=8) | st.just(10**5_000) | st.just(object())
_CODES: Final = {
    "malformed", "too_large", "amount_invalid", "amount_overflow", "idempotency_key_missing",
}  # fmt: skip


def _outcome[T](read: Callable[..., T], *values: object) -> T | None:
    """What was read, or None where it was refused by a code of the shape."""
    try:
        return read(*values)
    except Refused as error:
        refusal = error.refusal
    assert refusal.code in _CODES
    assert refusal.field is not None
    return None


@given(_anything)
@example("a" * limits.MAX_ADDRESS_CHARS)
@example("a" * (limits.MAX_ADDRESS_CHARS + 1))
@example("a\n")
def test_addresses(value: Any) -> None:
    """Segments of ASCII letters, digits, `_` and `-`, joined by colons; all 128 characters."""
    fits = (
        isinstance(value, str)
        and 0 < len(value) <= 128
        and all(part and re.sub("[a-zA-Z0-9_-]", "", part) == "" for part in value.split(":"))
    )
    assert is_address(value) == fits
    assert _outcome(intake.address, value, "account") == (value if fits else None)


@given(_anything)
@example("EUR/18")
@example("EUR/19")
@example("EUR/02")
@example("A" * 16 + "/0")
@example("A" * 17 + "/0")
@example("EUR/2\n")
def test_assets(value: Any) -> None:
    """A code of up to 16 capitals, digits and `_`, and a scale of 0 to 18, written one way."""
    parsed = parse_asset(value)
    if parsed is None:
        return
    code, scale = parsed
    assert value == f"{code}/{scale}"
    assert 0 <= scale <= 18
    assert re.fullmatch("[A-Z][A-Z0-9_]{0,15}", code, re.ASCII)


@given(st.from_regex("[A-Z][A-Z0-9_]{0,15}", fullmatch=True), st.integers(0, 18))
def test_every_asset_is_read(code: str, scale: int) -> None:
    """Whatever is made by the rule is read back in its parts."""
    assert parse_asset(f"{code}/{scale}") == (code, scale)


@given(_anything)
@example("a" * limits.MAX_LEDGER_NAME_CHARS)
@example("a" * (limits.MAX_LEDGER_NAME_CHARS + 1))
@example("a\n")
@example("-a")
def test_ledger_names(value: Any) -> None:
    """Lower case, digits, `_` and `-`, not beginning with a sign, at most 63."""
    fits = (
        isinstance(value, str)
        and 0 < len(value) <= 63
        and not value.startswith(("-", "_"))
        and set(value) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
    )
    assert _outcome(intake.ledger_name, value) == (value if fits else None)


@given(_anything)
@example("!" * limits.MAX_IDEMPOTENCY_KEY_CHARS)
@example("!" * (limits.MAX_IDEMPOTENCY_KEY_CHARS + 1))
@example("k\n")
def test_keys(value: Any) -> None:
    """1 to 128 visible ASCII characters."""
    fits = (
        isinstance(value, str)
        and 0 < len(value) <= 128
        and all(33 <= ord(character) <= 126 for character in value)
    )
    assert _outcome(intake.idempotency_key, value) == (value if fits else None)


@given(_anything)
def test_metadata_and_references(value: Any) -> None:
    """What is taken can be written as UTF-8, has no NUL, and is in order of key."""
    held = _outcome(intake.metadata, value)
    if held:
        assert list(held) == sorted(held)
        assert "\0" not in json.dumps(held, ensure_ascii=False).encode().decode()
    text = _outcome(intake.text, value, "reference", 8)
    assert text is None or (text == value and len(text.encode().decode()) <= 8)


_entry = st.tuples(
    st.sampled_from(["a", "b:c"]) | _anything,
    st.sampled_from(["debit", "credit"]) | _anything,
    st.integers(1, 9) | _anything,
    st.sampled_from([None, "EUR/2"]) | _anything,
)
_entries = st.lists(_entry, max_size=4)
_usual = st.sampled_from([None, "a", 1, "EUR/2", "asset", "frozen", True, {"a": "b"}]) | _anything
_READERS: Final[list[tuple[Callable[..., object], int]]] = [
    (intake.open_account, 7),
    (intake.update_account, 6),
    (intake.transfer, 7),
]
_ENTRY_READERS: Final = [intake.post, intake.place_hold]
_PART_READERS: Final = [intake.capture, intake.release, intake.reverse]


@examples(300)
@given(st.sampled_from(_READERS), st.lists(_usual, min_size=7, max_size=7))
def test_commands_from_anything(reader: tuple[Callable[..., object], int], values: Any) -> None:
    """Any values become a command or one refusal that names the field; nothing else is raised."""
    read, count = reader
    _outcome(read, *values[:count])


@examples(300)
@given(st.sampled_from(_ENTRY_READERS), _entries, st.lists(_usual, min_size=3, max_size=3))
def test_commands_with_entries_from_anything(
    read: Callable[..., Any], entries: Any, rest: Any
) -> None:
    """The same where entries come first; each amount that is taken is within its bounds."""
    command = _outcome(read, "key", entries, *rest[: 2 if read is intake.post else 3])
    if command is not None:
        assert all(1 <= entry.amount_minor <= limits.MAX_AMOUNT_MINOR for entry in command.entries)
        assert len(command.entries) == len(entries) >= 2


@examples(300)
@given(
    st.sampled_from(_PART_READERS), st.integers(1, 9) | _anything, _usual, st.none() | _entries,
    _usual,
)  # fmt: skip
def test_parts_from_anything(
    read: Callable[..., Any], parent: Any, amount: Any, entries: Any, last: Any
) -> None:
    """The same of what names a part: an amount or entries, and never both."""
    command = _outcome(read, "key", parent, amount, entries, last)
    if command is not None:
        assert command.amount_minor is None or command.entries is None


# -- the canonical text --------------------------------------------------------------------------


@examples(300)
@given(st.text(max_size=40) | _json.map(lambda value: json.dumps(value, default=str)))
@example("")
@example("null")
@example("[" * 100_000)
@example('{"v":1}')
@example("9" * 5_000)
def test_any_text_is_a_record_or_none(body: str) -> None:
    """One documented error, whatever it is that is no record."""
    try:
        decode(body)
    except ValueError:
        return
    raise AssertionError("no such text is a record")


@examples(200)
@given(records, st.data())
def test_a_changed_text_is_another_record_or_none(record: Record, data: st.DataObject) -> None:
    """One character changed, left out or put in: read, or refused with the documented error."""
    body = encode(record)
    at = data.draw(st.integers(0, len(body) - 1))
    put = data.draw(st.characters(exclude_categories=["Cs"]) | st.sampled_from('0"[{,}]:-'))
    head, tail = body[:at], body[at + 1 :]
    changed = data.draw(st.sampled_from([head + put + tail, head + tail, head + put + body[at:]]))
    if changed == body:
        return
    try:
        read = decode(changed)
    except ValueError:
        return
    # A blank more may be read alike; then it is not how the record is written.
    assert isinstance(read, Record)
    assert read != record or encode(record) != changed


@given(records, records)
def test_records_are_equal_where_their_bytes_are(one: Record, two: Record) -> None:
    """Written twice it is the same text; two texts are equal only of equal records."""
    assert encode(one) == encode(one)
    assert (encode(one).encode() == encode(two).encode()) == (one == two)


# -- times ---------------------------------------------------------------------------------------

_offsets = st.integers(-1_439, 1_439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.integers(limits.MIN_TIME_US, limits.MAX_TIME_US))
@example(limits.MAX_TIME_US)
def test_times_survive(time_us: int) -> None:
    """To the microsecond from 1970 to 9999, through datetime and its text."""
    time = from_us(time_us)
    assert to_us(time, "at") == time_us
    assert to_us(datetime.fromisoformat(time.isoformat()), "at") == time_us


@given(st.datetimes(timezones=_offsets))
def test_an_offset_is_no_difference(time: datetime) -> None:
    """The same moment said elsewhere is the same number."""
    try:
        elsewhere = time.astimezone(UTC)
    except OverflowError:
        return
    assert to_us(time, "at") == to_us(elsewhere, "at")


@given(_anything | st.datetimes())
def test_what_is_no_time_is_refused(value: Any) -> None:
    """A text, a number, and a time without an offset."""
    assert _outcome(to_us, value, "at") is None
