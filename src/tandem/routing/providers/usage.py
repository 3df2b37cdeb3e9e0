"""What an answer's headers say of our plan; what is not well-formed says nothing."""

import re
from collections.abc import Mapping
from typing import Final

from tandem.routing.domain.usage import Usage
from tandem.routing.limits import RESET_S_MAX

_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,9})?")
_POLICY: Final = re.compile(
    r'"(?P<name>[a-z]{1,20})"(?P<parameters>(?: *; *[a-z]{1,10}=-?[0-9]{1,15}(?:\.[0-9]{1,9})?)*)'
)
_PARAMETER: Final = re.compile(r"([a-z]{1,10})=(-?[0-9.]{1,26})")
_FIELD_CHARS_MAX: Final = 1_024


def structured_usage(headers: Mapping[str, str]) -> Usage:
    """Read `RateLimit: "burst";r=9;t=1, "credits";r=4711;t=3600` and `Bikemap-Credits: 1`."""
    policies = {
        found["name"]: dict(_PARAMETER.findall(found["parameters"]))
        for found in _POLICY.finditer(headers.get("ratelimit", "")[:_FIELD_CHARS_MAX])
    }
    plan, burst = policies.get("credits", {}), policies.get("burst", {})
    burst_left = _number(burst.get("r"))
    return Usage(
        credits_spent=_number(headers.get("bikemap-credits")),
        credits_left=_number(plan.get("r")),
        credits_reset_s=_reset_s(plan.get("t")),
        burst_left=None if burst_left is None else int(burst_left),
        burst_reset_s=_reset_s(burst.get("t")),
    )


def counted_usage(headers: Mapping[str, str]) -> Usage:
    """Read `X-RateLimit-Credits`, `-Remaining` and `-Reset`: the reset is seconds from now.

    Credits may be fractions, and what remains below 0.
    """
    return Usage(
        credits_spent=_number(headers.get("x-ratelimit-credits")),
        credits_left=_number(headers.get("x-ratelimit-remaining")),
        credits_reset_s=_reset_s(headers.get("x-ratelimit-reset")),
    )


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and _NUMBER.fullmatch(text.strip()) else None


def _reset_s(text: str | None) -> float | None:
    """Return the seconds until a plan is full again; a time long past or far off is none."""
    seconds = _number(text)
    return seconds if seconds is not None and 0 <= seconds <= RESET_S_MAX else None
