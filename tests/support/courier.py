"""A whole Tandem server for the courier's tests: real database, real engine, real HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from tandem.courier.day import Fate, Phase, PlannedDelivery
from tandem.courier.delivery import Order
from tandem.courier.dispatch import Dispatcher
from tandem.courier.pricing import Tariff
from tandem.courier.service import CourierService
from tandem.ledger.client import LedgerClient
from tandem.platform.auth import Permission
from tandem.platform.config import Settings
from tandem.platform.engine.points import sample_points
from tandem.platform.http.serving import HttpServer
from tandem.routing.client import Coordinate, RoutingClient
from tandem.server import open_application

CHEAP = Tariff()
DEAR = Tariff(base_minor=10_000)


@dataclass(frozen=True, slots=True)
class Town:
    """A server with a client of each of its two halves, and two places that a route connects."""

    ledger: LedgerClient
    routes: RoutingClient
    pickup: Coordinate
    dropoff: Coordinate

    def service(self, tariff: Tariff = CHEAP) -> CourierService:
        """Make a courier that remembers nothing, as after a restart."""
        return CourierService(self.ledger, self.routes, tariff)

    def dispatcher(self, tariff: Tariff = CHEAP) -> Dispatcher:
        """Make a dispatcher that remembers nothing, as after a restart."""
        return Dispatcher(self.service(tariff))

    def planned(self, number: int, fate: Fate) -> PlannedDelivery:
        """Plan a delivery for a customer and a courier of its own, all of the same number."""
        order = Order(
            delivery_id=f"test-{number}",
            customer=number,
            courier=number,
            pickup=self.pickup,
            dropoff=self.dropoff,
            requested_at=datetime.now(UTC),
        )
        return PlannedDelivery(number, Phase.CALM, fate, order)

    async def balance_minor(self, account: str) -> int:
        """Read an account's balance."""
        return (await self.ledger.balance(account)).balance_minor


@asynccontextmanager
async def open_town(database_uri: str, valhalla_url: str) -> AsyncIterator[Town]:
    """Serve Tandem without a Bikemap: its own engine answers, so every quote is a degraded one."""
    pickup, dropoff = (
        Coordinate(lon=place.lon, lat=place.lat)
        for place in await asyncio.to_thread(sample_points, valhalla_url, 1, 2)
    )
    settings = Settings.model_validate({"database_url": database_uri, "valhalla_url": valhalla_url})
    async with open_application(settings) as application:
        token = await application.keys.create_key(
            "courier tests", [Permission.READ, Permission.WRITE, Permission.ROUTE]
        )
        async with (
            HttpServer(application.api, host="127.0.0.1", port=0) as server,
            LedgerClient(server.url, token) as ledger,
            RoutingClient(server.url, token) as routes,
        ):
            yield Town(ledger, routes, pickup, dropoff)
