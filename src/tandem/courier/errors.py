"""What can go wrong in the courier that is not an expected "no" of the ledger."""


class CourierError(Exception):
    """Base of the courier's operating errors."""


class UnpricedRoute(CourierError):  # noqa: N818 - names what the route is
    """A route whose lengths are not ones a price may be made of."""


class IllegalTransition(CourierError):  # noqa: N818 - names what happened
    """A delivery was asked to take a step that its state does not allow."""


class OutcomeUnknown(CourierError):  # noqa: N818 - names what is the matter
    """A key was used before, yet what it did is not to be found in the log."""


class NotRecovered(CourierError):  # noqa: N818 - names what is the matter
    """The gateway did not return to its first provider within the bound."""
