"""The steps of a delivery, each safe to repeat: its ledger key is made of delivery and step.

The ledger is the journal. Nothing else is stored: whoever holds the order can take every step
again after a crash and reaches the same outcome, because the first hold binds its quote.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from tandem.courier.delivery import Held, Order, Quote, Step, idempotency_key
from tandem.courier.errors import OutcomeUnknown
from tandem.courier.limits import (
    MAX_ASCENT_M,
    MAX_DISTANCE_M,
    MAX_SEARCH_PAGES,
    QUOTE_DEADLINE_MS,
    SEARCH_PAGE_SIZE,
)
from tandem.courier.pricing import ASSET, Split, Tariff, price_minor, split, whole_metres
from tandem.ledger.client import (
    AccountClass,
    Direction,
    Ledger,
    Record,
    RecordKind,
    RefusalCode,
    Refused,
    credit,
    debit,
)
from tandem.routing.client import Coordinate, RouteResult

REVENUE: Final = "platform:revenue"
CASH: Final = "platform:cash"


def wallet(customer: int) -> str:
    """Address of a customer's wallet."""
    return f"customers:{customer}:wallet"


def earnings(courier: int) -> str:
    """Address of a courier's earnings."""
    return f"couriers:{courier}:earnings"


class RoutePlanner(Protocol):
    """What the courier needs of the routing client."""

    async def plan(
        self, waypoints: Sequence[Coordinate], *, profile: str, deadline_ms: int
    ) -> RouteResult:
        """Plan a bicycle route through the waypoints."""
        ...


@dataclass(frozen=True, slots=True)
class CourierService:
    """Quote, hold, capture, release and refund, over a ledger and a route planner."""

    ledger: Ledger
    routes: RoutePlanner
    tariff: Tariff

    async def open_platform(self) -> None:
        """Open the platform's accounts."""
        await self._open(REVENUE, AccountClass.INCOME)
        await self._open(CASH, AccountClass.ASSET)

    async def open_courier(self, courier: int) -> None:
        """Open a courier's earnings account."""
        await self._open(earnings(courier), AccountClass.LIABILITY)

    async def open_customer(self, customer: int, funds_minor: int) -> None:
        """Open a customer's wallet, which never goes below zero, and pay the first deposit in."""
        address = wallet(customer)
        await self._open(address, AccountClass.LIABILITY, min_balance_minor=0)
        if funds_minor > 0:
            await self.ledger.transfer(
                debit_account=CASH,
                credit_account=address,
                amount_minor=funds_minor,
                reference=f"deposit-{customer}",
                idempotency_key=f"{address}:deposit",
            )

    async def quote(self, order: Order) -> Quote:
        """Price an order by its route; reads only, so a repeat may meet another route."""
        result = await self.routes.plan(
            [order.pickup, order.dropoff], profile="touring", deadline_ms=QUOTE_DEADLINE_MS
        )
        distance_m = whole_metres(result.route.distance_m, MAX_DISTANCE_M)
        ascent_m = whole_metres(result.route.ascent_m, MAX_ASCENT_M)
        return Quote(
            distance_m=distance_m,
            ascent_m=ascent_m,
            provider=result.provider,
            freshness=str(result.freshness),
            degraded=result.degraded,
            split=split(price_minor(distance_m, ascent_m, self.tariff), self.tariff),
        )

    async def hold(self, order: Order, quote: Quote) -> Held:
        """Reserve the price on the customer's wallet, already split.

        Where an earlier attempt with another quote got through, that one stands and is returned.

        Raises:
            Refused: `insufficient_funds` where the wallet does not cover the price.
            OutcomeUnknown: an earlier attempt is known to have happened but is not found.
        """
        key = idempotency_key(order.delivery_id, Step.HOLD)
        try:
            record = await self.ledger.hold(
                [
                    debit(wallet(order.customer), quote.split.price_minor),
                    credit(earnings(order.courier), quote.split.courier_minor),
                    credit(REVENUE, quote.split.platform_minor),
                ],
                expires_at=order.hold_expires_at,
                reference=order.delivery_id,
                metadata=_facts(quote),
                idempotency_key=key,
            )
        except Refused as refused:
            if refused.code is not RefusalCode.IDEMPOTENCY_KEY_REUSED:
                raise
            record = await self._first_outcome(order, key)
        return Held(record.position, _quote_of(record))

    async def capture(self, order: Order, held: Held) -> Record:
        """Pay the courier and the platform: capture the whole hold."""
        key = idempotency_key(order.delivery_id, Step.CAPTURE)
        return await self.ledger.capture(held.position, idempotency_key=key)

    async def release(self, order: Order, held: Held) -> Record:
        """Give the held money back: the delivery is cancelled."""
        key = idempotency_key(order.delivery_id, Step.RELEASE)
        return await self.ledger.release(held.position, idempotency_key=key)

    async def refund(self, order: Order, captured: Record) -> Record:
        """Take a delivered payment back from both sides, to the customer."""
        key = idempotency_key(order.delivery_id, Step.REFUND)
        return await self.ledger.reverse(
            captured.position, reference=order.delivery_id, idempotency_key=key
        )

    async def _open(
        self, address: str, account_class: AccountClass, *, min_balance_minor: int | None = None
    ) -> None:
        await self.ledger.open_account(
            address,
            asset=ASSET,
            account_class=account_class,
            min_balance_minor=min_balance_minor,
            idempotency_key=f"{address}:open",
        )

    async def _first_outcome(self, order: Order, key: str) -> Record:
        """Find what the first use of a hold's key did: the hold, or the refusal (raised)."""
        held = await self._search(key, account=wallet(order.customer), kind=RecordKind.HOLD)
        if held is not None:
            return held
        refused = await self._search(key, account=None, kind=RecordKind.REFUSAL)
        if refused is not None and refused.refusal is not None:
            raise Refused(refused.refusal)
        raise OutcomeUnknown(f"the key {key} was used before, but not for a hold")

    async def _search(self, key: str, *, account: str | None, kind: RecordKind) -> Record | None:
        cursor: str | None = None
        for _ in range(MAX_SEARCH_PAGES):
            page = await self.ledger.records(
                account=account, kind=kind, cursor=cursor, limit=SEARCH_PAGE_SIZE
            )
            for record in page.items:
                if record.idempotency_key == key:
                    return record
            cursor = page.next_cursor
            if cursor is None:
                return None
        raise OutcomeUnknown(f"the key {key} was not found in {MAX_SEARCH_PAGES} pages")


def _facts(quote: Quote) -> Mapping[str, str]:
    """Write a quote down as metadata, so that its hold tells the whole of it."""
    return {
        "distance_m": str(quote.distance_m),
        "ascent_m": str(quote.ascent_m),
        "provider": quote.provider,
        "freshness": quote.freshness,
        "degraded": "yes" if quote.degraded else "no",
    }


def _quote_of(record: Record) -> Quote:
    """Read the quote back from the hold that bound it."""
    credits_minor = {
        entry.account: entry.amount_minor
        for entry in record.entries
        if entry.direction is Direction.CREDIT
    }
    platform_minor = credits_minor.pop(REVENUE)
    facts = record.metadata
    return Quote(
        distance_m=int(facts["distance_m"]),
        ascent_m=int(facts["ascent_m"]),
        provider=facts["provider"],
        freshness=facts["freshness"],
        degraded=facts["degraded"] == "yes",
        split=Split(sum(credits_minor.values()), platform_minor),
    )
