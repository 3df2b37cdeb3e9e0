"""`POST /v2/routes:compute`: checks, engine calls, and the answer."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tandem.platform.engine.geography import HELSINKI, Area, Place, distance_m
from tandem.sandbox import engine, geometry, limits
from tandem.sandbox.problems import ApiProblem, Code, Fault
from tandem.sandbox.v2 import answers, translate
from tandem.sandbox.v2.requests import ComputeRequest, Include
from tandem.sandbox.v2.room import Room

ATTRIBUTION: Final = (
    "© OpenStreetMap contributors, Open Database License (ODbL) 1.0",
    "Elevation: synthetic terrain, invented by a seeded formula; not measured heights",
)


def coverage() -> Area:
    """Return the area that is served: the map's, and a little more for what lies at its border."""
    margin = limits.COVERAGE_MARGIN_DEGREES
    return Area(
        HELSINKI.lon_min - margin,
        HELSINKI.lat_min - margin,
        HELSINKI.lon_max + margin,
        HELSINKI.lat_max + margin,
    )


def cost_credits(request: ComputeRequest) -> int:
    """Return what an answer to the request costs."""
    vias = len(request.waypoints) - limits.WAYPOINTS_MIN
    extra = limits.CREDITS_FOR_ALTERNATIVES if request.alternatives else 0
    return limits.CREDITS_PER_ROUTE + vias // limits.VIAS_PER_CREDIT + extra


class RouteComputer:
    """Computes routes on an engine, where there is room."""

    def __init__(self, engine_client: engine.Engine, room: Room) -> None:
        self._engine = engine_client
        self._room = room
        self._data_version: str | None = None

    async def compute(self, request: ComputeRequest) -> answers.ComputeAnswer:
        """Answer a request.

        Raises:
            ApiProblem: No route, or none now, in the contract's words.
        """
        _check_reach(request)
        async with self._room.place():
            return await self._answer(request)

    async def match(self, track: Sequence[Place], request: ComputeRequest) -> answers.ComputeAnswer:
        """Answer the route that a track shows, in the form of a request. Raises ApiProblem."""
        _check_reach(request)
        options = translate.costing_options(request)
        async with self._room.place():
            try:
                trip = await self._engine.match(track, options)
            except (engine.NoMatch, engine.NoPath, engine.NotSnapped) as error:
                raise ApiProblem(Code.ROUTE_NO_PATH) from error
            except engine.TooLong as error:
                raise ApiProblem(Code.ROUTE_TOO_LONG) from error
            line = translate.line_of(trip)
            places = translate.places_on_line(request.waypoints, line)
            return answers.ComputeAnswer(
                routes=[await self._route(trip, line, options, request, [])],
                waypoints=translate.snapped(places, [0.0] * len(places)),
                warnings=[],
                attribution=list(ATTRIBUTION),
                data_version=await self.version(),
            )

    async def _answer(self, request: ComputeRequest) -> answers.ComputeAnswer:
        options = translate.costing_options(request)
        trips = await self._trips(request, options)
        lines = [translate.line_of(trip) for trip in trips]
        places = translate.places_on_line(request.waypoints, lines[0])
        distances_m = [
            distance_m(Place(waypoint.lon, waypoint.lat), place)
            for waypoint, place in zip(request.waypoints, places, strict=True)
        ]
        notices = _notices(request, len(trips), distances_m)
        routes = [
            await self._route(trip, line, options, request, notices)
            for trip, line in zip(trips, lines, strict=True)
        ]
        return answers.ComputeAnswer(
            routes=routes,
            waypoints=translate.snapped(places, distances_m),
            warnings=notices,
            attribution=list(ATTRIBUTION),
            data_version=await self.version(),
        )

    async def _trips(
        self, request: ComputeRequest, options: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        only_ends = len(request.waypoints) == limits.WAYPOINTS_MIN
        query = engine.RouteQuery(
            locations=[translate.location(waypoint) for waypoint in request.waypoints],
            costing_options=options,
            alternates=request.alternatives if only_ends else 0,
            with_steps=Include.STEPS in request.include,
        )
        try:
            return await self._engine.route(query)
        except engine.NoPath as error:
            raise ApiProblem(Code.ROUTE_NO_PATH) from error
        except engine.TooLong as error:
            raise ApiProblem(Code.ROUTE_TOO_LONG) from error
        except engine.NotSnapped as error:
            raise await self._not_snapped(query.locations) from error

    async def _not_snapped(self, locations: Sequence[Mapping[str, Any]]) -> ApiProblem:
        """Find out which waypoints it was; the engine does not say."""
        near = [await self._engine.has_network(location) for location in locations]
        far = [index for index, has_network in enumerate(near) if not has_network]
        return ApiProblem(
            Code.ROUTE_POINT_NOT_SNAPPED,
            faults=[_point_fault(Code.ROUTE_POINT_NOT_SNAPPED, index) for index in far],
        )

    async def _route(
        self,
        trip: Mapping[str, Any],
        line: translate.Line,
        options: Mapping[str, Any],
        request: ComputeRequest,
        notices: list[answers.Notice],
    ) -> answers.Route:
        heights_m = await self._engine.heights_m(geometry.encode_polyline6(line.places))
        segments: list[answers.Segment] = []
        if {Include.SURFACE, Include.WAY_TYPE} & set(request.include):
            try:
                edges = [await self._engine.edges(leg["shape"], options) for leg in trip["legs"]]
                segments = translate.segments(edges, line, request.include)
            except engine.NoMatch:
                detail = "what the ways of a route are like is not known"
                notices.append(answers.Notice(code="segments.unavailable", detail=detail))
        return translate.route(trip, line, heights_m, segments, request)

    async def version(self) -> str:
        """Name the data that answers rest on."""
        # The tiles of an engine do not change under it, so once is enough.
        if self._data_version is None:
            self._data_version = await self._engine.data_version()
        return self._data_version


def _check_reach(request: ComputeRequest) -> None:
    places = [Place(waypoint.lon, waypoint.lat) for waypoint in request.waypoints]
    area = coverage()
    outside = [index for index, place in enumerate(places) if not area.contains(place)]
    if outside:
        raise ApiProblem(
            Code.ROUTE_OUT_OF_COVERAGE,
            faults=[_point_fault(Code.ROUTE_OUT_OF_COVERAGE, index) for index in outside],
        )
    if geometry.length_m(places) > limits.ROUTE_GREAT_CIRCLE_M_MAX:
        limit_km = limits.ROUTE_GREAT_CIRCLE_M_MAX / 1_000
        raise ApiProblem(
            Code.ROUTE_TOO_LONG, f"a route may have {limit_km:.0f} km as the crow flies"
        )


def _point_fault(code: Code, index: int) -> Fault:
    return Fault(pointer=f"/waypoints/{index}", code=code, point_index=index)


def _notices(
    request: ComputeRequest, route_count: int, distances_m: Sequence[float]
) -> list[answers.Notice]:
    """Tell what was asked for and not quite given."""
    notices = [
        answers.Notice(
            code="waypoint.snapped_far",
            detail=f"waypoint {index} was moved by {distance:.0f} m to the network",
        )
        for index, distance in enumerate(distances_m)
        if distance > limits.SNAP_DISTANCE_M_WARN
    ]
    if route_count <= request.alternatives:
        detail = f"{route_count - 1} of {request.alternatives} alternatives were found"
        notices.append(answers.Notice(code="alternatives.fewer", detail=detail))
    if request.departure_time is not None:
        detail = "times of day do not change bicycle routes yet"
        notices.append(answers.Notice(code="departure_time.ignored", detail=detail))
    return notices
