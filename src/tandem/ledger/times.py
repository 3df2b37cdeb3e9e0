"""Between `datetime`, which callers use, and microseconds since 1970, which the log does."""

from datetime import UTC, datetime, timedelta
from typing import Final

from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def to_us(value: object, field: str) -> int:
    """Return microseconds since 1970. Refused `malformed`: a time without an offset is no time."""
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise Refused(Refusal(RefusalCode.MALFORMED, f"{field} is a time with an offset", field))
    return (value - _EPOCH) // _MICROSECOND


def from_us(time_us: int) -> datetime:
    """Return the time in UTC."""
    return _EPOCH + timedelta(0, 0, time_us)
