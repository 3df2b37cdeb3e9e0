"""What the gateway needs of a provider."""

from dataclasses import dataclass
from typing import Protocol

from tandem.resilience.deadline import Deadline
from tandem.routing.domain.answers import DomainAnswer
from tandem.routing.domain.caching import CachePolicy
from tandem.routing.domain.capabilities import Capabilities
from tandem.routing.domain.operation import Operation
from tandem.routing.domain.request import Request
from tandem.routing.domain.usage import UNKNOWN_USAGE, Usage


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer of the request's operation, and what it says of our plan."""

    answer: DomainAnswer
    usage: Usage = UNKNOWN_USAGE


class Provider(Protocol):
    """Somebody who answers questions about bicycle routes."""

    @property
    def name(self) -> str:
        """A short name for labels, metrics and flags."""
        ...

    @property
    def attribution(self) -> tuple[str, ...]:
        """What must be shown with its answers where they do not say."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    def cache_policy(self, operation: Operation) -> CachePolicy:
        """Return what its terms allow to be kept."""
        ...

    def credits(self, request: Request) -> float:
        """Estimate what a request costs, in the provider's credits; 0 where it is free."""
        ...

    async def call(self, request: Request, deadline: Deadline) -> Answered:
        """Ask once, and return a believable answer in the domain's words and units.

        Raises:
            RoutingError: Refused or failed; its traits say what may be done about it.
        """
        ...
