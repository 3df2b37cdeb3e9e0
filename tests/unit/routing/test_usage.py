"""What headers say of our plan, in both of Bikemap's dialects."""

import pytest

from tandem.routing.domain.usage import UNKNOWN_USAGE, Usage
from tandem.routing.providers.usage import counted_usage, structured_usage


@pytest.mark.parametrize(
    ("headers", "usage"),
    [
        ({}, UNKNOWN_USAGE),
        (
            {"ratelimit": '"credits";r=4711;t=3600', "bikemap-credits": "3"},
            Usage(3.0, 4_711.0, 3_600.0),
        ),
        (
            {"ratelimit": '"burst";r=0;t=1, "credits";r=-2.5;t=60'},
            Usage(None, -2.5, 60.0, 0, 1.0),
        ),
        ({"ratelimit": '"credits";r=٣;t=1e3', "bikemap-credits": "nan"}, UNKNOWN_USAGE),
        ({"ratelimit": '"credits";t=-5', "bikemap-credits": "many"}, UNKNOWN_USAGE),
        ({"ratelimit": "4711"}, UNKNOWN_USAGE),
    ],
)
def test_structured_fields(headers: dict[str, str], usage: Usage) -> None:
    """Policies are told apart by their names; what is not well-formed says nothing."""
    assert structured_usage(headers) == usage


@pytest.mark.parametrize(
    ("headers", "usage"),
    [
        ({}, UNKNOWN_USAGE),
        (
            {
                "x-ratelimit-credits": "1.5",
                "x-ratelimit-remaining": "-3.25",
                "x-ratelimit-reset": "7200",
            },
            Usage(1.5, -3.25, 7_200.0),
        ),
        # A time since 1970 where seconds from now are agreed on.
        ({"x-ratelimit-reset": "1795348830"}, UNKNOWN_USAGE),
        ({"x-ratelimit-remaining": "9" * 400}, UNKNOWN_USAGE),
    ],
)
def test_counted_headers(headers: dict[str, str], usage: Usage) -> None:
    """Credits may be fractions and below 0; the reset is seconds."""
    assert counted_usage(headers) == usage
