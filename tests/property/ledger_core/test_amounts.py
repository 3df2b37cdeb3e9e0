"""Reading amounts and limits: whatever comes, an integer in its bounds or a named refusal."""

import re
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from tandem.ledger.core.amounts import parse_amount, parse_limit
from tandem.ledger.core.limits import MAX_AMOUNT_MINOR
from tandem.ledger.core.refusals import Refusal

_CODES = {"amount_invalid", "amount_overflow", "malformed"}

_texts = st.text(alphabet="0123456789+-.eE_, \n\t\0\u0660\u0663\uff11", max_size=45)
_anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.fractions(),
    st.complex_numbers(),
    st.text(),
    _texts,
    st.binary(),
    st.lists(st.integers()),
    st.dictionaries(st.text(), st.integers()),
)


@given(_texts)
@example(str(MAX_AMOUNT_MINOR))
@example(str(MAX_AMOUNT_MINOR + 1))
@example("9" * 39)
def test_a_text_is_an_amount_only_in_plain_digits(text: str) -> None:
    """Exactly the texts that `str` writes for 1 to 2^127-1 are amounts."""
    parsed = parse_amount(text)
    plain = re.fullmatch("[1-9][0-9]*", text, re.ASCII) is not None
    if plain and int(text) <= MAX_AMOUNT_MINOR:
        assert parsed == int(text)
        assert str(parsed) == text
    else:
        assert isinstance(parsed, Refusal)
        assert parsed.code == "amount_overflow" if plain else parsed.code != "amount_overflow"


@given(st.integers())
@example(MAX_AMOUNT_MINOR)
@example(MAX_AMOUNT_MINOR + 1)
@example(0)
def test_an_integer_is_an_amount_within_its_bounds(value: int) -> None:
    """An integer and its digits are read alike."""
    parsed, written = parse_amount(value), parse_amount(str(value))
    if 1 <= value <= MAX_AMOUNT_MINOR:
        assert parsed == written == value
    else:
        assert isinstance(parsed, Refusal)
        assert isinstance(written, Refusal)
        assert parsed.code == written.code
        assert parsed.code == ("amount_invalid" if value < 1 else "amount_overflow")


@given(_anything)
def test_whatever_comes_is_an_integer_or_refused(value: Any) -> None:
    """No value crashes the reading, and only integers and texts ever pass."""
    parsed = parse_amount(value)
    if isinstance(parsed, Refusal):
        assert parsed.code in _CODES
    else:
        assert type(parsed) is int
        assert isinstance(value, int | str)
    limit = parse_limit(value, "min_balance_minor")
    if isinstance(limit, Refusal):
        assert (limit.code in _CODES, limit.field) == (True, "min_balance_minor")
    elif limit is not None:
        assert isinstance(value, int | str)
        assert limit == int(value)
        assert abs(limit) <= MAX_AMOUNT_MINOR


@given(st.integers(-(2**130), 2**130))
def test_limits_are_signed(value: int) -> None:
    """Any integer up to 2^127-1 either way is a limit, as are its digits."""
    fits = abs(value) <= MAX_AMOUNT_MINOR
    for written in (value, str(value)):
        limit = parse_limit(written, "x")
        assert (limit == value) if fits else isinstance(limit, Refusal)
