"""A whole day against a running Tandem: accounts, three phases, and the books at the end."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from tandem.courier.board import DayBoard
from tandem.courier.day import DayPlan, Phase
from tandem.courier.dispatch import Dispatcher
from tandem.courier.limits import (
    CONCURRENT_CUSTOMERS,
    MAX_SEARCH_PAGES,
    ROUTING_TIMEOUT_MS,
    SEARCH_PAGE_SIZE,
)
from tandem.courier.outage import SandboxAdmin, await_recovery
from tandem.courier.pricing import Tariff
from tandem.courier.report import Outcome
from tandem.courier.service import CourierService
from tandem.courier.stage import Places
from tandem.ledger.client import Ledger, LedgerClient, TrialBalance, Verification
from tandem.routing.client import RoutingClient


@dataclass(frozen=True, slots=True)
class Books:
    """What the ledger says once the day is over."""

    balances_minor: Mapping[str, int]
    trial_balance: TrialBalance
    verification: Verification

    @property
    def close(self) -> bool:
        """True where debits equal credits in every asset and no invariant is broken."""
        return self.trial_balance.balanced and self.verification.holds


async def run_day(places: Places, plan: DayPlan, board: DayBoard) -> tuple[list[Outcome], Books]:
    """Run the plan phase by phase; no delivery of one phase overlaps with the next."""
    async with (
        LedgerClient(places.server_url, places.api_key) as ledger,
        RoutingClient(places.server_url, places.api_key, timeout_ms=ROUTING_TIMEOUT_MS) as routes,
        SandboxAdmin(places.sandbox_url, places.sandbox_admin_token) as sandbox,
    ):
        dispatcher = Dispatcher(CourierService(ledger, routes, Tariff()))
        await dispatcher.open_accounts(plan)
        outcomes: list[Outcome] = []
        for phase in Phase:
            if phase is Phase.OUTAGE:
                await sandbox.fail()
            elif phase is Phase.RECOVERED:
                board.phase("recovering")
                await sandbox.heal()
                await await_recovery(routes, plan.spare_trips)
            board.phase(phase)
            outcomes += await dispatcher.run(plan.of(phase), board.add)
        return outcomes, await close_books(ledger)


async def close_books(ledger: Ledger) -> Books:
    """Read every balance, the trial balance and the result of a full verification."""
    addresses = await _addresses(ledger)
    gate = asyncio.Semaphore(CONCURRENT_CUSTOMERS)

    async def balance(address: str) -> int:
        async with gate:
            return (await ledger.balance(address)).balance_minor

    amounts = await asyncio.gather(*(balance(address) for address in addresses))
    return Books(
        balances_minor=dict(zip(addresses, amounts, strict=True)),
        trial_balance=await ledger.trial_balance(),
        verification=await ledger.verify(),
    )


async def _addresses(ledger: Ledger) -> list[str]:
    addresses: list[str] = []
    cursor: str | None = None
    for _ in range(MAX_SEARCH_PAGES):
        page = await ledger.accounts(cursor=cursor, limit=SEARCH_PAGE_SIZE)
        addresses += [account.address for account in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    return addresses
