"""What an error of the API of paths means. Pure.

There is no stable code: the class of Java in the hints is the best there is, then the words of the
message, then the status. Their text is never shown: it has lied, and may hold what was sent.
"""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Final

from pydantic import Field, ValidationError

from tandem.resilience.hints import Dialect as Wishes
from tandem.resilience.hints import HeaderHint, HintForm, wish_s
from tandem.routing.domain.coordinate import Coordinate, great_circle_m
from tandem.routing.domain.errors import (
    BadPayload,
    ComputeTimeout,
    InvalidRequest,
    NoRoute,
    NotSnapped,
    OutOfCoverage,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    Refusal,
    RoutingError,
    TooLong,
    Unsupported,
)
from tandem.routing.exchange import Answer
from tandem.routing.limits import RATE_LIMIT_WAIT_S_MAX
from tandem.routing.providers.guard import Foreign
from tandem.routing.providers.status import error_of_status, wait_s

_NO_WAY: Final = (NoRoute, "no way connects the waypoints")
_FAR: Final = (NotSnapped, "a waypoint is too far from the network")
_OUTSIDE: Final = (OutOfCoverage, "a waypoint is outside the provider's area")
_LONG: Final = (TooLong, "the route would be too long")
_INVALID: Final = (InvalidRequest, "the provider does not accept the request")

type _Refused = tuple[type[Refusal], str]

_CLASSES: Final[tuple[tuple[str, _Refused], ...]] = (
    ("PointNotFoundException", _FAR),
    ("ConnectionNotFoundException", _NO_WAY),
    ("PointOutOfBoundsException", _OUTSIDE),
    ("PointDistanceExceededException", _LONG),
    ("MaximumNodesExceededException", _LONG),
    ("IllegalArgumentException", _INVALID),
)
_WORDS: Final[tuple[tuple[re.Pattern[str], _Refused], ...]] = (
    (re.compile(r"(?i)cannot find point"), _FAR),
    (re.compile(r"(?i)connection between locations not found|no route found"), _NO_WAY),
    (re.compile(r"(?i)out of bounds"), _OUTSIDE),
    (re.compile(r"(?i)too far|maximum nodes|distance.*exceed"), _LONG),
)
_DAY: Final = re.compile(r"(?i)\b(dail?y|day|quota|credits?)\b")
_MINUTE: Final = re.compile(r"(?i)\b(minute(ly)?|second(ly)?|burst)\b")
_POINT: Final = re.compile(r"(-?[0-9]{1,3}\.[0-9]{1,15}), ?(-?[0-9]{1,3}\.[0-9]{1,15})")
_SAME_PLACE_M: Final = 5.0
# The reset is the day's, whichever limit was met: it says nothing of a minute's.
_RESET: Final[Wishes] = (
    HeaderHint("retry-after", (HintForm.DELAY_SECONDS, HintForm.HTTP_DATE)),
    HeaderHint("x-ratelimit-reset", (HintForm.SECONDS,)),
)
_MAYBE_OURS: Final = frozenset(
    {HTTPStatus.OK, HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR}
)


class _Hint(Foreign):
    message: str = ""
    details: str = ""
    point_index: int | None = None


class _Error(Foreign):
    message: str
    hints: Annotated[tuple[_Hint, ...], Field(max_length=1_000)] = ()


def error_of(answer: Answer, places: Sequence[Coordinate]) -> RoutingError | None:
    """Return what an answer refuses or fails with; None where it may be what was asked for.

    The body is looked at first: an error may come with the status of success. `places` are those
    of the request, to find out which of them is to blame.
    """
    said = _said(answer)
    if said is None:
        return None if answer.status == HTTPStatus.OK else error_of_status(answer)
    limited = _limited(said, answer)
    if limited is not None:
        return limited
    if answer.status in _MAYBE_OURS:
        refused = _refused(said)
        if refused is not None:
            refusal, text = refused
            return refusal(text, point_index=_point_index(said, places))
    return _by_status(answer)


def _said(answer: Answer) -> _Error | None:
    if not answer.is_json:
        return None
    try:
        return _Error.model_validate_json(answer.body)
    except ValidationError:
        return None


def _limited(said: _Error, answer: Answer) -> ProviderError | None:
    """Tell the minute's limit from the day's, which may come as 403 or in a 200."""
    is_day = bool(_DAY.search(said.message))
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        asked_s = wait_s(answer)
        is_long = asked_s is not None and asked_s > RATE_LIMIT_WAIT_S_MAX
        if is_long or (is_day and not _MINUTE.search(said.message)):
            return _quota(answer)
        return RateLimited("too many requests in a short time", retry_after_s=asked_s)
    says_limit = "limit" in said.message.lower() or "quota" in said.message.lower()
    if is_day and says_limit and answer.status in {HTTPStatus.OK, HTTPStatus.FORBIDDEN}:
        return _quota(answer)
    return None


def _quota(answer: Answer) -> QuotaExhausted:
    wait = wish_s(answer.headers, _RESET, answer.received_at)
    return QuotaExhausted("the plan is used up", retry_after_s=wait)


def _refused(said: _Error) -> _Refused | None:
    classes = [hint.details for hint in said.hints]
    for name, refused in _CLASSES:
        if any(details.endswith(name) for details in classes):
            return refused
    texts = [said.message, *(hint.message for hint in said.hints)]
    for pattern, refused in _WORDS:
        if any(pattern.search(text) for text in texts):
            return refused
    return None


def _point_index(said: _Error, places: Sequence[Coordinate]) -> int | None:
    """Return which place is to blame: the one that the text names, rather than its number."""
    for hint in said.hints:
        found = _POINT.search(hint.message)
        if found is not None:
            return _index_of(float(found[1]), float(found[2]), places)
        if hint.point_index is not None and 0 <= hint.point_index < len(places):
            return hint.point_index
    return None


def _index_of(lat: float, lon: float, places: Sequence[Coordinate]) -> int | None:
    try:
        named = Coordinate(lon, lat)
    except ValueError:
        return None
    near = (i for i, place in enumerate(places) if great_circle_m(place, named) < _SAME_PLACE_M)
    return next(near, None)


def _by_status(answer: Answer) -> RoutingError:
    if answer.status == HTTPStatus.OK:
        return BadPayload("the answer is an error with the status of success")
    if answer.status == HTTPStatus.NOT_IMPLEMENTED:
        return Unsupported("the provider does not know the profile")
    if answer.status == HTTPStatus.GATEWAY_TIMEOUT:
        return ComputeTimeout("the provider took too long to compute")
    return error_of_status(answer)
