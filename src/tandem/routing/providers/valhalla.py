"""Our own Valhalla: the same network, computed by ourselves, without climb where it has none."""

import json
from types import TracebackType
from typing import Final, Self

from tandem.resilience.deadline import Deadline
from tandem.routing.domain.errors import RoutingError
from tandem.routing.domain.request import BicycleProfile, RouteRequest
from tandem.routing.domain.route import Route
from tandem.routing.exchange import Answer, Exchange
from tandem.routing.limits import SNAP_RADIUS_M
from tandem.routing.providers import valhalla_mapping as mapping
from tandem.routing.providers.guard import believed

_BICYCLE_TYPES: Final = {
    BicycleProfile.TOURING: "Hybrid",
    BicycleProfile.ROAD: "Road",
    BicycleProfile.MTB: "Mountain",
}


class Valhalla:
    """The adapter; an asynchronous context manager."""

    name = "valhalla"
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

    async def route(self, request: RouteRequest, deadline: Deadline) -> Route:
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
                "lon": place.lon,
                "lat": place.lat,
                "type": "break",
                "search_cutoff": SNAP_RADIUS_M,
            }
            for place in request.waypoints
        ],
        "costing": "bicycle",
        "costing_options": {"bicycle": {"bicycle_type": _BICYCLE_TYPES[request.profile]}},
        "units": "kilometers",
        "directions_type": "none",
    }
