"""What can go wrong in the courier that is not an expected "no" of the ledger.

CourierError
├── UnpricedRoute        a route with lengths that no price can be made of
├── IllegalTransition    a step that a delivery's state does not allow
├── OutcomeUnknown       a key was used before, and what for cannot be found
├── NotRecovered         the gateway did not come back to its first provider
├── SandboxUnreachable   the sandbox's fault switch did not answer
└── StageTaken           another demo runs in the same directory
"""

from typing import ClassVar


class CourierError(Exception):
    """Base of the courier's operating errors; the message is fit to show."""


class UnpricedRoute(CourierError):  # noqa: N818 - names what the route is
    """A route whose lengths are not ones a price may be made of."""

    code: ClassVar[str] = "unpriced_route"


class IllegalTransition(CourierError):  # noqa: N818 - names what happened
    """A delivery was asked to take a step that its state does not allow."""


class OutcomeUnknown(CourierError):  # noqa: N818 - names what is the matter
    """A key was used before, yet what it did is not to be found in the log."""


class NotRecovered(CourierError):  # noqa: N818 - names what is the matter
    """The gateway did not return to its first provider within the bound."""


class SandboxUnreachable(CourierError):  # noqa: N818 - names what the sandbox is
    """The sandbox's fault switch did not answer."""


class StageTaken(CourierError):  # noqa: N818 - names what the directory is
    """Another demo runs in the same directory."""
