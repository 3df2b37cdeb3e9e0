"""What the end of a call says about the other side."""

from enum import StrEnum


class Outcome(StrEnum):
    """What a call says of the other side's health."""

    SUCCESS = "success"
    FAILURE = "failure"
    ANSWERED = "answered"
    """A refusal: it is in no rate, but whoever can refuse is there, so it ends a probe well."""
    NEUTRAL = "neutral"
    """The call was cancelled, or never made: it says nothing."""
