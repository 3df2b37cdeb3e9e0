"""Which numbers a record's text may hold."""

import pytest

from tandem.ledger.core.canonical import decode


@pytest.mark.parametrize("number", ["1.5", "1e3", "NaN", "Infinity", "-Infinity"])
def test_records_hold_whole_numbers_only(number: str) -> None:
    """It is told which one is none, and no more of it than is worth reading."""
    with pytest.raises(ValueError, match="^" + number + " is no number of a record$"):
        decode(f'{{"v":1,"position":{number}}}')
    with pytest.raises(ValueError, match=r"^1\.0{18} is no number of a record$"):
        decode('{"v":1,"position":1.' + "0" * 900 + "}")
