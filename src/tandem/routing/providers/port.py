"""What the gateway needs of a provider."""

from typing import Protocol

from tandem.resilience.deadline import Deadline
from tandem.routing.domain.request import RouteRequest
from tandem.routing.domain.route import Route


class Provider(Protocol):
    """Somebody who computes bicycle routes."""

    @property
    def name(self) -> str:
        """A short name for labels and metrics."""
        ...

    @property
    def attribution(self) -> tuple[str, ...]:
        """What must be shown with its routes where an answer does not say."""
        ...

    async def route(self, request: RouteRequest, deadline: Deadline) -> Route:
        """Ask once, and return a believable route in the domain's words and units.

        Raises:
            RoutingError: Refused or failed; its traits say what may be done about it.
        """
        ...
