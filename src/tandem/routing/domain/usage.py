"""What an answer says of our plan with a provider."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Usage:
    """What was spent and what is left; None where the provider does not say.

    Credits may be fractions, and what is left of them may be below 0.
    """

    credits_spent: float | None = None
    credits_left: float | None = None
    credits_reset_s: float | None = None
    burst_left: int | None = None
    burst_reset_s: float | None = None


UNKNOWN_USAGE: Final = Usage()
