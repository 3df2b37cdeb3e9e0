"""What the layers raise themselves.

ResilienceError
├── Rejected            the call was not made
├── AttemptTimedOut     the attempt took longer than it was given
├── DeadlineExceeded    the whole call did
└── WorkCancelled       work that others waited for was cancelled from within
"""

from enum import StrEnum


class RejectReason(StrEnum):
    """Which layer said no."""

    BREAKER_OPEN = "breaker_open"
    CONCURRENCY = "concurrency"
    BATCH_YIELDS = "batch_yields"
    TENANT_SHARE = "tenant_share"
    HOLD_OFF = "hold_off"
    THROTTLE = "throttle"
    RATE_LIMIT = "rate_limit"


class ResilienceError(Exception):
    """A layer's own error, as against those of the call it wraps."""


class Rejected(ResilienceError):  # noqa: N818 - a decision, named as one
    """The call was not made; it says nothing about the other side's health.

    `retry_after_s` is when it could be, where the layer knows.
    """

    def __init__(self, reason: RejectReason, retry_after_s: float | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.retry_after_s = retry_after_s


class AttemptTimedOut(ResilienceError):  # noqa: N818 - an outcome, named as one
    """The attempt took longer than the seconds that it was given."""

    def __init__(self, given_s: float) -> None:
        super().__init__("the attempt took too long")
        self.given_s = given_s


class DeadlineExceeded(ResilienceError):  # noqa: N818 - an outcome, named as one
    """The whole call took longer than its caller had."""

    def __init__(self) -> None:
        super().__init__("the call did not end by its deadline")


class WorkCancelled(ResilienceError):  # noqa: N818 - an outcome, named as one
    """Work that others waited for was cancelled, by none of them."""

    def __init__(self) -> None:
        super().__init__("the work was cancelled")
