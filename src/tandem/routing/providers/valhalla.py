"""Our own Valhalla: the same network, computed by ourselves, without climb where it has none."""

import json
from types import TracebackType
from typing import Final, Self

from tandem.resilience.deadline import Deadline
from tandem.routing.domain.answers import Routes
from tandem.routing.domain.caching import KEEP_NOTHING, CachePolicy
from tandem.routing.domain.capabilities import Capabilities
from tandem.routing.domain.errors import RoutingError, Unsupported
from tandem.routing.domain.operation import Operation
from tandem.routing.domain.preference import BicycleProfile
from tandem.routing.domain.request import Request, RouteRequest
from tandem.routing.domain.route import Route
from tandem.routing.domain.usage import UNKNOWN_USAGE
from tandem.routing.exchange import Answer, Exchange
from tandem.routing.limits import CACHE_FRESH_S, CACHE_STALE_S
from tandem.routing.providers import valhalla_mapping as mapping
from tandem.routing.providers.guard import believed
from tandem.routing.providers.port import Answered

_BICYCLE_TYPES: Final = {
    BicycleProfile.TOURING: "Hybrid",
    BicycleProfile.ROAD: "Road",
    BicycleProfile.MTB: "Mountain",
}


_CACHING: Final = {Operation.ROUTE: CachePolicy(CACHE_FRESH_S, 0.0, CACHE_STALE_S)}


class Valhalla:
    """The adapter; an asynchronous context manager."""

    name = "valhalla"
    capabilities = Capabilities(frozenset({Operation.ROUTE}))
    attribution = ("© OpenStreetMap contributors, Open Database License (ODbL) 1.0",)

    def __init__(self, base_url: str) -> None:
        self._exchange = Exchange(base_url)

    async def __aenter__(self) -> Self:
        await self._exchange.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._exchange.__aexit__(exc_type, exc_value, traceback)

    def cache_policy(self, operation: Operation) -> CachePolicy:
        """Return what its terms allow to be kept."""
        return _CACHING.get(operation, KEEP_NOTHING)

    def credits(self, request: Request) -> float:  # noqa: ARG002 - the port's
        """Nothing: it is ours."""
        return 0.0

    async def call(self, request: Request, deadline: Deadline) -> Answered:
        """Ask once."""
        lacking = self.capabilities.lacking(request)
        if lacking is not None or not isinstance(request, RouteRequest):
            raise Unsupported(lacking or "the provider cannot do this")
        route = await self._route(request, deadline)
        return Answered(Routes((route,)), UNKNOWN_USAGE)

    async def _route(self, request: RouteRequest, deadline: Deadline) -> Route:
        """Ask for one route, and then for the heights along it."""
        trip = mapping.read_trip(await self._post("/route", _question(request), deadline))
        heights_m = await self._heights_m(trip, deadline)
        return believed(mapping.route(trip, heights_m), request)

    async def _heights_m(self, trip: mapping.Trip, deadline: Deadline) -> mapping.Heights | None:
        """Return the heights of the line; None where they cannot be had, which is no failure."""
        question = {"encoded_polyline": trip.polyline6, "height_precision": 1}
        try:
            return mapping.read_heights(await self._post("/height", question, deadline))
        except RoutingError:
            # A route without its climb is worth more than none; the mapping adds a warning.
            return None

    async def _post(self, path: str, question: object, deadline: Deadline) -> Answer:
        return await self._exchange.post(
            path,
            json.dumps(question).encode(),
            media_type="application/json",
            headers={},
            deadline=deadline,
        )


def _question(request: RouteRequest) -> object:
    return {
        "locations": [
            {
                "lon": waypoint.place.lon,
                "lat": waypoint.place.lat,
                "type": "break",
                "search_cutoff": waypoint.snap_radius_m,
            }
            for waypoint in request.waypoints
        ],
        "costing": "bicycle",
        "costing_options": {"bicycle": {"bicycle_type": _BICYCLE_TYPES[request.profile]}},
        "units": "kilometers",
        "directions_type": "none",
    }
