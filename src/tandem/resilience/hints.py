"""When a server wants us back, read from the headers that it uses.

Servers say it in eight forms, and the same name means different things: `X-RateLimit-Reset` is
seconds here, a time there. So a provider names its headers and their forms (a `Dialect`) and each
is read strictly as that, never guessed. What is not of the form, lies in the past or is negative
is no wish at all: our own backoff is kinder than coming back at once.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from tandem.resilience.dates import calendar_date, http_date
from tandem.resilience.limits import RATE_LIMIT_FIELD_CHARS_MAX, WISH_S_MAX

_DIGITS: Final = re.compile(r"[0-9]{1,64}")
_NUMBER: Final = re.compile(r"[0-9]{1,32}(?:\.[0-9]{1,9})?")

# A list of structured field items (RFC 9651): a name, then parameters with any bare value.
_STRING: Final = r'"(?:[ !#-\[\]-~]|\\["\\])*"'
_WORD: Final = r"[A-Za-z*][\w:/!#$%&'*+.^`|~-]*"
_VALUE: Final = rf"-?[0-9]+(?:\.[0-9]+)?|{_STRING}|{_WORD}|:[\w+/=]*:|\?[01]"
_PARAMETER: Final = re.compile(rf" *; *([a-z*][a-z0-9_.*-]*)(?:=({_VALUE}))?", re.ASCII)
_NAME: Final = re.compile(rf"{_STRING}|{_WORD}", re.ASCII)
_COMMA: Final = re.compile(r"[ \t]*,[ \t]*")


class HintForm(StrEnum):
    """One way to write when to come back."""

    DELAY_SECONDS = "delay_seconds"
    """`Retry-After: 120`: whole seconds."""
    HTTP_DATE = "http_date"
    """`Retry-After: Sun, 22 Nov 2026 12:00:30 GMT`, in any of HTTP's three forms."""
    RATE_LIMIT_FIELD = "rate_limit_field"
    """`RateLimit: "burst";r=0;t=1, "day";r=90;t=3600`: the exhausted policy decides."""
    SECONDS = "seconds"
    """`X-RateLimit-Reset: 17.5`: seconds from now."""
    EPOCH_SECONDS = "epoch_seconds"
    """`X-RateLimit-Reset: 1795348830`: seconds since 1970."""
    EPOCH_MS = "epoch_ms"
    """`X-RateLimit-Reset: 1795348830000`: milliseconds since 1970."""
    MILLISECONDS = "milliseconds"
    """`Retry-After-Ms: 1500`: milliseconds from now."""
    CALENDAR_DATE = "calendar_date"
    """`X-RateLimit-Reset: 2026-11-22T12:00:30Z`, or as people write it, with a zone."""


@dataclass(frozen=True, slots=True)
class HeaderHint:
    """A header (in lower case) and the forms in which a provider writes it."""

    header: str
    forms: tuple[HintForm, ...]


type Dialect = tuple[HeaderHint, ...]
"""The headers of one provider; the first that says something sane is believed."""

STANDARD: Final[Dialect] = (
    # RFC 9110 first: the draft of the RateLimit field gives Retry-After precedence.
    HeaderHint("retry-after", (HintForm.DELAY_SECONDS, HintForm.HTTP_DATE)),
    HeaderHint("ratelimit", (HintForm.RATE_LIMIT_FIELD,)),
)


def wish_s(headers: Mapping[str, str], dialect: Dialect, now: datetime) -> float | None:
    """Return the seconds, from 0 to an hour, after which we are wanted back; None if unsaid.

    `now` is when the answer came, aware. Times are compared with the answer's own `Date` where it
    has one, so that a wrong clock on either side does no harm.
    """
    reference = http_date(headers.get("date", "").strip(), now) or now
    for hint in dialect:
        text = headers.get(hint.header, "").strip()
        for form in hint.forms if text else ():
            waited_s = _READERS[form](text, reference)
            if waited_s is not None and waited_s >= 0:
                return min(waited_s, WISH_S_MAX)
    return None


def retry_after_s(value: str | None, now: datetime, server_date: str | None = None) -> float | None:
    """Read a Retry-After header alone, as `wish_s` does."""
    headers = {"retry-after": value or "", "date": server_date or ""}
    return wish_s(headers, STANDARD, now)


def _delay(text: str, _reference: datetime) -> float | None:
    return float(text) if _DIGITS.fullmatch(text) else None


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def _scaled(unit_s: float) -> Callable[[str, datetime], float | None]:
    def read(text: str, _reference: datetime) -> float | None:
        number = _number(text)
        return None if number is None else number * unit_s

    return read


def _epoch(unit_s: float) -> Callable[[str, datetime], float | None]:
    def read(text: str, reference: datetime) -> float | None:
        number = _number(text)
        return None if number is None else number * unit_s - reference.timestamp()

    return read


def _until(
    parse: Callable[[str, datetime], datetime | None],
) -> Callable[[str, datetime], float | None]:
    def read(text: str, reference: datetime) -> float | None:
        moment = parse(text, reference.astimezone(UTC))
        return None if moment is None else (moment - reference).total_seconds()

    return read


def _rate_limit_field(text: str, _reference: datetime) -> float | None:
    """The longest reset of the policies that have nothing left; None while none is exhausted."""
    policies = _policies(text)
    resets = [
        float(policy["t"])
        for policy in policies or ()
        if _remaining(policy) <= 0 and _DIGITS.fullmatch(policy.get("t", ""))
    ]
    return max(resets, default=None)


def _remaining(policy: Mapping[str, str]) -> float:
    """What a policy has left: credits may be decimal or negative; unsaid means enough."""
    remaining = policy.get("r", "")
    return float(remaining) if _NUMBER.fullmatch(remaining.removeprefix("-")) else 1.0


def _policies(text: str) -> list[dict[str, str]] | None:
    """Read a structured list; each item's parameters as written, or None where it is none."""
    if len(text) > RATE_LIMIT_FIELD_CHARS_MAX:
        return None
    found: list[dict[str, str]] = []
    at = 0
    while True:
        name = _NAME.match(text, at)
        if name is None:
            return None
        at, parameters = name.end(), dict[str, str]()
        while parameter := _PARAMETER.match(text, at):
            parameters[parameter[1]] = parameter[2] or ""
            at = parameter.end()
        found.append(parameters)
        if at == len(text):
            return found
        comma = _COMMA.match(text, at)
        if comma is None:
            return None
        at = comma.end()


_READERS: Final[Mapping[HintForm, Callable[[str, datetime], float | None]]] = {
    HintForm.DELAY_SECONDS: _delay,
    HintForm.HTTP_DATE: _until(http_date),
    HintForm.RATE_LIMIT_FIELD: _rate_limit_field,
    HintForm.SECONDS: _scaled(1.0),
    HintForm.EPOCH_SECONDS: _epoch(1.0),
    HintForm.EPOCH_MS: _epoch(0.001),
    HintForm.MILLISECONDS: _scaled(0.001),
    HintForm.CALENDAR_DATE: _until(calendar_date),
}
