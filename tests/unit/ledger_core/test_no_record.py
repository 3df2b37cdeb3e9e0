"""What is said of a text that is no record, and which numbers one may hold."""

import pytest

from tandem.ledger.core.canonical import decode


@pytest.mark.parametrize("number", ["1.5", "1e3", "NaN", "Infinity", "-Infinity"])
def test_records_hold_whole_numbers_only(number: str) -> None:
    """It is told which one is none, and no more of it than is worth reading."""
    with pytest.raises(ValueError, match="^" + number + " is no number of a record$"):
        decode(f'{{"v":1,"position":{number}}}')
    with pytest.raises(ValueError, match=r"^1\.0{18} is no number of a record$"):
        decode('{"v":1,"position":1.' + "0" * 900 + "}")


@pytest.mark.parametrize(("body", "said"), [
    ("{}", "unknown format version None"),
    ('{"v":"1"}', "unknown format version '1'"),
    ('{"v":2,"position":1}', "unknown format version 2"),
    ('{"v":1}', "not a record: KeyError('position')"),
    ("null", "not a record: AttributeError(\"'NoneType' object has no attribute 'get'\")"),
])  # fmt: skip
def test_what_is_no_record_is_told_why(body: str, said: str) -> None:
    """The version, or what it lacks."""
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the words are compared below
        decode(body)
    assert str(error.value) == said
