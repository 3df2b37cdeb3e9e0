"""The eight forms in which servers say when to come back."""

from datetime import UTC, datetime

import pytest

from tandem.resilience.hints import STANDARD, Dialect, HeaderHint, HintForm, retry_after_s, wish_s

_NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
_EPOCH_S = int(_NOW.timestamp())


@pytest.mark.parametrize(
    ("value", "server_date", "expected_s"),
    [
        ("0", None, 0),
        ("7", None, 7),
        (" 7 ", None, 7),
        ("86400", None, 3_600),
        ("Sun, 22 Nov 2026 12:00:30 GMT", None, 30),
        # The server's clock is an hour ahead, and it says so.
        ("Sun, 22 Nov 2026 13:00:30 GMT", "Sun, 22 Nov 2026 13:00:00 GMT", 30),
        ("Sun, 22 Nov 2026 13:00:30 GMT", "nonsense", 3_600),
        ("Sunday, 22-Nov-26 12:00:30 GMT", None, 30),
        ("Sunday, 22-Nov-77 12:00:30 GMT", None, None),
        ("Sun Nov 22 12:00:30 2026", None, 30),
        ("Sun Nov  1 12:00:30 2026", None, None),
        ("Sun, 22 Nov 2026 12:00:60 GMT", None, 60),
        ("Sun, 22 Nov 2026 12:00:61 GMT", None, None),
        ("Sun, 22 Nov 2026 12:00:00 GMT", None, 0),
        ("Sun, 22 Nov 2026 11:59:00 GMT", None, None),
        ("Sun, 22 Nov 2026 12:00:30", None, None),
        ("Sun, 99 Nov 2026 12:00:30 GMT", None, None),
        ("Fri, 31 Dec 9999 23:59:60 GMT", None, None),
        ("-5", None, None),
        ("1.5", None, None),
        ("1e3", None, None),
        ("٣", None, None),
        ("²", None, None),
        ("7, 7", None, None),
        ("soon", None, None),
        ("", None, None),
        (None, None, None),
        ("9" * 500, None, None),
    ],
)
def test_retry_after_is_read_strictly(
    value: str | None, server_date: str | None, expected_s: float | None
) -> None:
    """Both forms are read, what is odd is no wish at all, and no wish is longer than an hour."""
    assert retry_after_s(value, _NOW, server_date) == expected_s


@pytest.mark.parametrize(
    ("form", "text", "expected_s"),
    [
        (HintForm.SECONDS, "17", 17),
        (HintForm.SECONDS, "17.25", 17.25),
        (HintForm.SECONDS, "-17", None),
        (HintForm.SECONDS, "NaN", None),
        (HintForm.SECONDS, "Infinity", None),
        (HintForm.EPOCH_SECONDS, str(_EPOCH_S + 30), 30),
        (HintForm.EPOCH_SECONDS, f"{_EPOCH_S + 30}.5", 30.5),
        # Seconds where a time was announced are the year 1970, and milliseconds the far future.
        (HintForm.EPOCH_SECONDS, "30", None),
        (HintForm.EPOCH_SECONDS, str((_EPOCH_S + 30) * 1_000), 3_600),
        (HintForm.EPOCH_MS, str((_EPOCH_S + 30) * 1_000 + 250), 30.25),
        (HintForm.EPOCH_MS, str(_EPOCH_S + 30), None),
        (HintForm.MILLISECONDS, "1500", 1.5),
        (HintForm.MILLISECONDS, "1500ms", None),
        (HintForm.CALENDAR_DATE, "2026-11-22T12:00:30Z", 30),
        (HintForm.CALENDAR_DATE, "2026-11-22T12:00:30.500Z", 30.5),
        (HintForm.CALENDAR_DATE, "2026-11-22T14:00:30+02:00", 30),
        (HintForm.CALENDAR_DATE, "2026-11-22 08:30:30-03:30", 30),
        (HintForm.CALENDAR_DATE, "2026-11-22 12:00:30 UTC", 30),
        (HintForm.CALENDAR_DATE, "Sun, 22 Nov 2026 14:00:30 +0200", 30),
        (HintForm.CALENDAR_DATE, "Nov 22, 2026 12:00:30 UTC", 30),
        (HintForm.CALENDAR_DATE, "2026-11-22T12:00:30", None),
        (HintForm.CALENDAR_DATE, "2026-11-22T12:00:30+99:99", None),
        (HintForm.CALENDAR_DATE, "2026-13-22T12:00:30Z", None),
        (HintForm.CALENDAR_DATE, "tomorrow", None),
        (HintForm.RATE_LIMIT_FIELD, '"burst";r=0;t=2', 2),
        (HintForm.RATE_LIMIT_FIELD, '"burst";r=0;t=2, "credits";r=4711;t=3600', 2),
        (HintForm.RATE_LIMIT_FIELD, '"burst";r=0;t=2 ,"credits";t=40;r=-0.5', 40),
        (HintForm.RATE_LIMIT_FIELD, '"a,b;r=0;t=9";r=0;t=2;pk=:dGVzdA==:;q', 2),
        (HintForm.RATE_LIMIT_FIELD, 'burst; r=0; t=86400; unit="cr\\"edits"', 3_600),
        # Nothing is exhausted, or the exhausted one does not say until when.
        (HintForm.RATE_LIMIT_FIELD, '"burst";r=1;t=2', None),
        (HintForm.RATE_LIMIT_FIELD, '"burst";r=0', None),
        (HintForm.RATE_LIMIT_FIELD, '"burst";t=2', None),
        (HintForm.RATE_LIMIT_FIELD, '"burst";r=0;t=-2', None),
        (HintForm.RATE_LIMIT_FIELD, '"burst";r=0;t=2,', None),
        (HintForm.RATE_LIMIT_FIELD, '"burst;r=0;t=2', None),
        (HintForm.RATE_LIMIT_FIELD, "limit=10, remaining=0, reset=5", None),
        (HintForm.RATE_LIMIT_FIELD, '"burst";r=0;t=2' + " " * 2_000 + ',"b"', None),
    ],
)
def test_each_form_is_read_as_that_form(
    form: HintForm, text: str, expected_s: float | None
) -> None:
    """A value is read in the form that the provider uses, and in no other."""
    found_s = wish_s({"x-reset": text}, (HeaderHint("x-reset", (form,)),), _NOW)
    assert found_s == (None if expected_s is None else pytest.approx(expected_s, abs=1e-6))


def test_the_first_sane_header_is_believed() -> None:
    """The order of a dialect is precedence, and junk is passed over."""
    dialect: Dialect = (*STANDARD, HeaderHint("x-ratelimit-reset", (HintForm.SECONDS,)))
    headers = {"retry-after": "soon", "ratelimit": '"day";r=5;t=9', "x-ratelimit-reset": "40"}
    assert wish_s(headers, dialect, _NOW) == 40
    assert wish_s(headers | {"ratelimit": '"day";r=0;t=9'}, dialect, _NOW) == 9
    assert wish_s(headers | {"retry-after": "3"}, dialect, _NOW) == 3
    assert wish_s({}, dialect, _NOW) is None


def test_the_servers_own_clock_is_the_measure() -> None:
    """Every form that names a time is compared with the answer's Date."""
    date = {"date": "Sun, 22 Nov 2026 15:00:00 GMT"}
    three_hours_ahead = _EPOCH_S + 3 * 3_600
    for form, text in (
        (HintForm.EPOCH_SECONDS, str(three_hours_ahead + 30)),
        (HintForm.EPOCH_MS, str((three_hours_ahead + 30) * 1_000)),
        (HintForm.CALENDAR_DATE, "2026-11-22T15:00:30Z"),
        (HintForm.HTTP_DATE, "Sun, 22 Nov 2026 15:00:30 GMT"),
    ):
        dialect = (HeaderHint("x-reset", (form,)),)
        assert wish_s({"x-reset": text, **date}, dialect, _NOW) == pytest.approx(30)
