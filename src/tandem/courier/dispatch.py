"""Runs the deliveries of a plan: customers side by side, each customer's deliveries in order.

A wallet is only touched by its own customer's deliveries, so that order alone decides who can pay:
outcomes and balances do not depend on timing.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tandem.courier.day import Customer, DayPlan, Fate, PlannedDelivery
from tandem.courier.delivery import Held, State, Step, advance
from tandem.courier.errors import UnpricedRoute
from tandem.courier.limits import CONCURRENT_CUSTOMERS
from tandem.courier.report import Outcome
from tandem.courier.service import CourierService
from tandem.ledger.client import RefusalCode, Refused
from tandem.routing.client import NoRoute, NotSnapped, OutOfCoverage, TooLong

type OnOutcome = Callable[[Outcome], None]


@dataclass(frozen=True, slots=True)
class Dispatcher:
    """Takes deliveries through their steps. Retries are the clients' affair, and theirs alone."""

    service: CourierService

    async def open_accounts(self, plan: DayPlan) -> None:
        """Open everyone's accounts and pay the customers' deposits in."""
        await self.service.open_platform()
        gate = asyncio.Semaphore(CONCURRENT_CUSTOMERS)

        async def open_customer(customer: Customer) -> None:
            async with gate:
                await self.service.open_customer(customer.number, customer.funds_minor)

        async def open_courier(courier: int) -> None:
            async with gate:
                await self.service.open_courier(courier)

        async with asyncio.TaskGroup() as group:
            for customer in plan.customers:
                group.create_task(open_customer(customer))
            for courier in range(plan.couriers):
                group.create_task(open_courier(courier))

    async def run(
        self, deliveries: Iterable[PlannedDelivery], on_outcome: OnOutcome
    ) -> list[Outcome]:
        """Run deliveries and return their outcomes in order of index."""
        queues: dict[int, list[PlannedDelivery]] = defaultdict(list)
        for planned in deliveries:
            queues[planned.order.customer].append(planned)
        gate = asyncio.Semaphore(CONCURRENT_CUSTOMERS)
        outcomes: list[Outcome] = []

        async def serve(queue: Sequence[PlannedDelivery]) -> None:
            async with gate:
                for planned in queue:
                    outcome = await self.deliver(planned)
                    outcomes.append(outcome)
                    on_outcome(outcome)

        async with asyncio.TaskGroup() as group:
            for queue in queues.values():
                group.create_task(serve(queue))
        return sorted(outcomes, key=lambda outcome: outcome.index)

    async def deliver(self, planned: PlannedDelivery) -> Outcome:
        """Take one delivery from request to its end; doing so again gives the same outcome."""
        order = planned.order
        try:
            quote = await self.service.quote(order)
        except (NoRoute, NotSnapped, OutOfCoverage, TooLong, UnpricedRoute) as error:
            declined = advance(State.REQUESTED, Step.DECLINE)
            return Outcome(planned.index, declined, error.code, None)
        state = advance(State.REQUESTED, Step.QUOTE)
        try:
            held = await self.service.hold(order, quote)
        except Refused as refused:
            if refused.code is not RefusalCode.INSUFFICIENT_FUNDS:
                raise
            declined = advance(state, Step.DECLINE)
            return Outcome(planned.index, declined, str(refused.code), quote)
        state = await self._settle(planned, held, advance(state, Step.HOLD))
        return Outcome(planned.index, state, None, held.quote)

    async def _settle(self, planned: PlannedDelivery, held: Held, state: State) -> State:
        """Let the delivery meet its fate: cancelled, or ridden and paid, perhaps refunded."""
        order = planned.order
        if planned.fate is Fate.CANCEL:
            await self.service.release(order, held)
            return advance(state, Step.RELEASE)
        state = advance(state, Step.RIDE)
        captured = await self.service.capture(order, held)
        state = advance(state, Step.CAPTURE)
        if planned.fate is Fate.REFUND:
            await self.service.refund(order, captured)
            state = advance(state, Step.REFUND)
        return state
