"""What a provider lets us use, and the limits that keep us to it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tandem.resilience.gcra import Denied, Plan, RateLimit, Reservation
from tandem.routing.limits import (
    DEADLINE_MS_MAX,
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
    may begin just after it. A call may take `late_s`, in which its credits are taken here and not
    there yet.
    """

    credits: float | None = None
    requests_per_s: float | None = None
    credits_at_once: float | None = None
    window_s: float = _DAY_S
    late_s: float = DEADLINE_MS_MAX / 1_000

    def credit_plan(self) -> Plan | None:
        """Return the plan of credits. Raises ValueError where all of them may come at once."""
        if self.credits is None:
            return None
        at_once = self.credits_at_once or self.credits * PLAN_CREDITS_AT_ONCE_SHARE
        return Plan.within(self.credits, self.window_s, at_once, late_s=self.late_s)

    def request_plan(self) -> Plan | None:
        """Return the plan of requests.

        Half a second's may come at once, though more may be allowed: the way to the provider
        brings requests closer together than they were sent.
        """
        if self.requests_per_s is None:
            return None
        rate = self.requests_per_s * PLAN_REQUESTS_SHARE
        return Plan(rate, 1.0, rate * PLAN_REQUESTS_AT_ONCE_S)


class Unlimited:
    """The limit of who has no plan: every call may be made, and is counted."""

    async def reserve(self, key: str, cost: float) -> Reservation | Denied:
        """Take credits."""
        return Reservation(key, cost)

    async def settle(self, reservation: Reservation, cost_actual: float) -> None:
        """Put right what a call really cost."""


_UNLIMITED: Final = Unlimited()


@dataclass(frozen=True, slots=True)
class Quota:
    """The limits of one account with a provider, which several adapters may share."""

    account: str = ""
    credits: RateLimit = _UNLIMITED
    requests: RateLimit | None = None

    @classmethod
    def of(cls, account: str, plan: ProviderPlan, limited: Limited) -> "Quota":
        """Return limits that keep to a plan. Raises ValueError where that cannot be."""
        credit_plan, request_plan = plan.credit_plan(), plan.request_plan()
        return cls(
            account,
            _UNLIMITED if credit_plan is None else limited(credit_plan),
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
