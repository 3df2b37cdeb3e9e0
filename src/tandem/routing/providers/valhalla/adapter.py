"""The adapter: which of Valhalla's actions answer which question."""

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import batched
from types import TracebackType
from typing import Any, Final, Self

from tandem.resilience.deadline import Deadline
from tandem.routing.domain.answers import CellStatus, DomainAnswer, Matrix, Routes, Snapped
from tandem.routing.domain.caching import KEEP_NOTHING, CachePolicy
from tandem.routing.domain.capabilities import Capabilities
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.errors import RoutingError, Unsupported
from tandem.routing.domain.operation import Operation
from tandem.routing.domain.preference import Avoid
from tandem.routing.domain.request import (
    ElevationRequest,
    Include,
    IsochroneRequest,
    MatrixRequest,
    Request,
    RouteRequest,
    SnapRequest,
)
from tandem.routing.domain.route import Route, RouteWarning
from tandem.routing.domain.segment import Segment
from tandem.routing.exchange import Answer, Exchange
from tandem.routing.limits import ALTERNATIVES_MAX, CACHE_FRESH_S, CACHE_STALE_S, SNAP_PLACES_MAX
from tandem.routing.providers.guard import believed
from tandem.routing.providers.port import Answered
from tandem.routing.providers.valhalla import questions, replies
from tandem.routing.providers.valhalla.matrices import marked, whole_matrix

# It is ours, so all of it may be kept.
_CACHING: Final[Mapping[Operation, CachePolicy]] = {
    operation: CachePolicy(CACHE_FRESH_S, 0.0, CACHE_STALE_S) for operation in Operation
}
_NO_WAYS: Final = RouteWarning("segments.unavailable", "what the route runs on is not known")


class Valhalla:
    """The adapter; an asynchronous context manager."""

    name = "valhalla"
    attribution = ("© OpenStreetMap contributors, Open Database License (ODbL) 1.0",)
    capabilities = Capabilities(
        frozenset(Operation),
        avoid=frozenset({Avoid.BUSY_ROADS, Avoid.FERRIES, Avoid.UNPAVED}),
        surface_preference=True,
        headings=True,
        alternatives_max=ALTERNATIVES_MAX,
        contours_max=4,
        reverse_isochrones=True,
    )

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
        """Return what may be kept."""
        return _CACHING.get(operation, KEEP_NOTHING)

    def credits(self, request: Request) -> float:  # noqa: ARG002 - the port's
        """Nothing: it is ours."""
        return 0.0

    async def call(self, request: Request, deadline: Deadline) -> Answered:
        """Ask once, in as many actions as it takes."""
        lacking = self.capabilities.lacking(request)
        if lacking is not None:
            raise Unsupported(lacking)
        return Answered(believed(await self._answer(request, deadline), request))

    async def _answer(self, request: Request, deadline: Deadline) -> DomainAnswer:
        match request:
            case RouteRequest():
                return await self._routes(request, deadline)
            case MatrixRequest():
                return await self._matrix(request, deadline)
            case IsochroneRequest():
                answer = await self._post("/isochrone", questions.isochrone(request), deadline)
                return replies.read_isochrone(answer, request)
            case SnapRequest():
                answer = await self._post("/locate", questions.snap(request), deadline)
                return replies.read_snapped(answer, request)
            case ElevationRequest():
                question = questions.elevation(request.places)
                return replies.read_elevations(await self._post("/height", question, deadline))

    async def _routes(self, request: RouteRequest, deadline: Deadline) -> Routes:
        trips = replies.read_trips(await self._post("/route", questions.route(request), deadline))
        unheeded = self.capabilities.unheeded(request)
        routes = [await self._route(trip, request, deadline) for trip in trips]
        return Routes(tuple(replace(route, warnings=route.warnings + unheeded) for route in routes))

    async def _route(self, trip: replies.Trip, request: RouteRequest, deadline: Deadline) -> Route:
        heights_m = await self._heights_m(trip, deadline)
        with_heights = Include.HEIGHTS in request.include
        if Include.SEGMENTS not in request.include:
            return replies.route(trip, heights_m, with_heights=with_heights)
        segments = await self._segments(trip, request, deadline)
        route = replies.route(trip, heights_m, segments, with_heights=with_heights)
        return route if segments else replace(route, warnings=(*route.warnings, _NO_WAYS))

    async def _heights_m(self, trip: replies.Trip, deadline: Deadline) -> replies.Heights | None:
        """Return the heights of the line; None where they cannot be had, which is no failure."""
        try:
            question = questions.heights(trip.polyline6)
            return replies.read_heights(await self._post("/height", question, deadline))
        except RoutingError:
            # A route without its climb is worth more than none; the reply adds a warning.
            return None

    async def _segments(
        self, trip: replies.Trip, request: RouteRequest, deadline: Deadline
    ) -> tuple[Segment, ...]:
        """Return what the line runs on; nothing where that cannot be had, which is no failure."""
        try:
            question = questions.ways(trip.polyline6, request)
            answer = await self._post("/trace_attributes", question, deadline)
            return replies.read_segments(answer, trip)
        except RoutingError:
            return ()

    async def _matrix(self, request: MatrixRequest, deadline: Deadline) -> Matrix:
        async def ask(part: MatrixRequest) -> Matrix:
            question = questions.matrix(part)
            return replies.read_matrix(await self._post("/sources_to_targets", question, deadline))

        matrix = await whole_matrix(request, ask)
        if all(cell.status is CellStatus.OK for row in matrix.cells for cell in row):
            return matrix
        # The engine calls a place far from the network unreachable.
        off_network = await self._off_network(request, deadline)
        return marked(matrix, request, off_network)

    async def _off_network(
        self, request: MatrixRequest, deadline: Deadline
    ) -> frozenset[Coordinate]:
        """Return those places of a matrix that are too far from the network."""
        places, off = tuple(dict.fromkeys(request.places)), set[Coordinate]()
        for some in batched(places, SNAP_PLACES_MAX):
            answer = await self._answer(SnapRequest(some, request.profile), deadline)
            assert isinstance(answer, Snapped)  # noqa: S101 - what was asked for
            points = zip(some, answer.points, strict=True)
            off |= {place for place, point in points if point is None}
        return frozenset(off)

    async def _post(self, path: str, question: Mapping[str, Any], deadline: Deadline) -> Answer:
        return await self._exchange.post(
            path,
            json.dumps(question).encode(),
            media_type="application/json",
            headers={},
            deadline=deadline,
            is_repeatable=True,
        )
