"""What a provider lets us use, and the limits that keep us to it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tandem.resilience.gcra import Plan, RateLimit
from tandem.routing.limits import (
    PLAN_CREDITS_AT_ONCE_SHARE,
    PLAN_REQUESTS_AT_ONCE_S,
    PLAN_REQUESTS_SHARE,
)

_DAY_S: Final = 86_400.0

type Limited = Callable[[Plan], RateLimit]
"""Makes a limit that keeps to a plan; ValueError where it cannot."""


@dataclass(frozen=True, slots=True)
class ProviderPlan:
    """What we pay a provider for; None is no bound.

    `credits` in any `window_s` seconds, of which no more than `credits_at_once` come at once and
    the others evenly. What may come at once is not there for the steady rate: a provider's window
    may begin just after it.
    """

    credits: float | None = None
    requests_per_s: float | None = None
    credits_at_once: float | None = None
    window_s: float = _DAY_S

    def credit_plan(self) -> Plan | None:
        """Return the plan of credits. Raises ValueError where all of them may come at once."""
        if self.credits is None:
            return None
        at_once = self.credits_at_once or self.credits * PLAN_CREDITS_AT_ONCE_SHARE
        return Plan.within(self.credits, self.window_s, at_once)

    def request_plan(self) -> Plan | None:
        """Return the plan of requests.

        Half a second's may come at once, though more may be allowed: the way to the provider
        brings requests closer together than they were sent.
        """
        if self.requests_per_s is None:
            return None
        rate = self.requests_per_s * PLAN_REQUESTS_SHARE
        return Plan(rate, 1.0, rate * PLAN_REQUESTS_AT_ONCE_S)


@dataclass(frozen=True, slots=True)
class Quota:
    """The limits of one account with a provider, which several adapters may share."""

    account: str = ""
    credits: RateLimit | None = None
    requests: RateLimit | None = None

    @classmethod
    def of(cls, account: str, plan: ProviderPlan, limited: Limited) -> "Quota":
        """Return limits that keep to a plan. Raises ValueError where that cannot be."""
        credit_plan, request_plan = plan.credit_plan(), plan.request_plan()
        return cls(
            account,
            None if credit_plan is None else limited(credit_plan),
            None if request_plan is None else limited(request_plan),
        )

    @property
    def credits_key(self) -> str:
        """The bucket of the account's credits."""
        return f"{self.account} credits"

    @property
    def requests_key(self) -> str:
        """The bucket of the account's requests."""
        return f"{self.account} requests"


NO_QUOTA: Final = Quota()
