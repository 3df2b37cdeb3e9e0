"""Moments as headers write them. What names no time zone is unknown, never local.

The C library's parsers follow the process's locale, and `email.utils` takes nearly anything; so
each form is matched as a whole.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from tandem.resilience.limits import HEADER_CHARS_MAX

_MONTHS: Final = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_DAY: Final = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_DAY: Final = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_MONTH: Final = f"(?P<month>{_MONTHS})"
_YEAR: Final = r"(?P<year>\d{4})"
_TIME: Final = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_OFFSET: Final = r"(?P<zone>Z|[+-]\d\d:?\d\d| ?UTC| ?GMT)"


def _compiled(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.ASCII) for pattern in patterns)


_HTTP: Final = _compiled(
    rf"{_DAY}, (?P<day>\d\d) {_MONTH} {_YEAR} {_TIME} GMT",
    rf"{_LONG_DAY}, (?P<day>\d\d)-{_MONTH}-(?P<year>\d\d) {_TIME} GMT",
    rf"{_DAY} {_MONTH} (?P<day>[ \d]\d) {_TIME} {_YEAR}",
)
_CALENDAR: Final = _compiled(
    rf"{_YEAR}-(?P<month>\d\d)-(?P<day>\d\d)[Tt ]{_TIME}(?P<part>\.\d{{1,9}})?{_OFFSET}",
    rf"(?:{_DAY}, )?(?P<day>\d\d?) {_MONTH} {_YEAR} {_TIME} (?P<zone>[+-]\d{{4}}|UTC|GMT)",
    rf"(?:{_DAY}, )?{_MONTH} (?P<day>\d\d?),? {_YEAR} {_TIME} (?P<zone>UTC|GMT)",
)


def http_date(text: str, now: datetime) -> datetime | None:
    """Read any of the three date forms of RFC 9110, section 5.6.7; `now` tells the century."""
    return _first(_HTTP, text, now)


def calendar_date(text: str, now: datetime) -> datetime | None:
    """Read RFC 3339, or a date as people write it in headers, with its zone."""
    return _first(_CALENDAR, text, now)


def _first(forms: tuple[re.Pattern[str], ...], text: str, now: datetime) -> datetime | None:
    if len(text) > HEADER_CHARS_MAX:
        return None
    for form in forms:
        match = form.fullmatch(text)
        if match is not None:
            return _moment(match.groupdict().get, now)
    return None


def _moment(part: Callable[[str], str | None], now: datetime) -> datetime | None:
    month, year = part("month") or "", int(part("year") or 0)
    number = int(month) if month.isdigit() else _MONTHS.split("|").index(month) + 1
    second = int(part("second") or 0) + float(part("part") or 0)
    try:
        if len(part("year") or "") <= len("26"):
            year = _century(year, now)
        start = datetime(
            year,
            number,
            int(part("day") or 0),
            int(part("hour") or 0),
            int(part("minute") or 0),
            tzinfo=_zone(part("zone")),
        )
        # A leap second is the next minute's first.
        moment = start + timedelta(seconds=second)
    except (ValueError, OverflowError):
        return None
    return moment if second < 61 else None  # noqa: PLR2004 - a minute and its leap second


def _century(year: int, now: datetime) -> int:
    """Two digits that seem more than 50 years ahead are the past's, says RFC 9110."""
    year += now.year // 100 * 100
    return year - 100 if year > now.year + 50 else year


def _zone(name: str | None) -> timezone:
    digits = (name or "").replace(":", "")
    if not digits.startswith(("+", "-")):
        return UTC
    offset = timedelta(hours=int(digits[1:3]), minutes=int(digits[3:5]))
    return timezone(-offset if digits[0] == "-" else offset)
