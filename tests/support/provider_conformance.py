"""What every provider's adapter must do, over real HTTP; a provider's test class derives from it.

    class TestMine(ProviderConformance):
        @pytest.fixture
        async def provider(self) -> AsyncIterator[Provider]: ...

What a provider cannot do is skipped by its own capabilities, so a claim is always tested.
"""

from dataclasses import replace

import pytest
from tests.support.routing import MARKET, STATION, soon

from tandem.resilience.deadline import Deadline
from tandem.routing.domain.answers import (
    CellStatus,
    Elevations,
    Isochrone,
    Matrix,
    Routes,
    Snapped,
)
from tandem.routing.domain.area import Area
from tandem.routing.domain.coordinate import Coordinate, great_circle_m, line_length_m
from tandem.routing.domain.errors import (
    FallOver,
    Refusal,
    RoutingError,
    Unsupported,
)
from tandem.routing.domain.operation import Operation
from tandem.routing.domain.preference import BicycleProfile, Preferences, SurfacePreference
from tandem.routing.domain.request import (
    ElevationRequest,
    Include,
    IsochroneRequest,
    MatrixRequest,
    Measure,
    Request,
    RouteRequest,
    SnapRequest,
)
from tandem.routing.domain.segment import SegmentKind
from tandem.routing.domain.waypoint import Waypoint, WaypointKind
from tandem.routing.providers.port import Answered, Provider

PARK = Coordinate(lon=24.9465, lat=60.1745)
SEA = Coordinate(lon=24.99, lat=60.17)
ISLAND = Coordinate(24.952037, 60.169384)
SWAPPED = Coordinate(lon=MARKET.lat, lat=MARKET.lon)
FAR = Coordinate(lon=11.5, lat=48.1)


@pytest.mark.anyio
class ProviderConformance:
    """Derive, and give a `provider` fixture."""

    async def ask(self, provider: Provider, request: Request) -> Answered:
        """Ask with patience; skip what the provider says that it cannot do."""
        lacking = provider.capabilities.lacking(request)
        if lacking is not None:
            with pytest.raises(Unsupported):
                await provider.call(request, soon())
            pytest.skip(lacking)
        return await provider.call(request, soon())

    async def routes(self, provider: Provider, request: RouteRequest) -> Routes:
        """Ask for routes."""
        answer = (await self.ask(provider, request)).answer
        assert isinstance(answer, Routes)
        return answer

    @pytest.mark.parametrize("profile", BicycleProfile)
    async def test_a_route(self, provider: Provider, profile: BicycleProfile) -> None:
        """Metres, seconds and a line with a leg between each two stops, for every bicycle."""
        request = RouteRequest.through(MARKET, PARK, STATION, profile=profile)
        route = (await self.routes(provider, request)).best
        assert route.distance_m == pytest.approx(line_length_m(route.geometry), rel=0.03)
        assert 5 <= route.distance_m / route.duration_s * 3.6 <= 40
        assert len(route.legs) == 2
        assert sum(leg.distance_m for leg in route.legs) == pytest.approx(
            route.distance_m, rel=0.01
        )
        assert great_circle_m(route.geometry[0], MARKET) < 100

    async def test_maneuvers_segments_and_heights(self, provider: Provider) -> None:
        """What is asked for comes along, in our words, and covers the line."""
        request = replace(RouteRequest.through(MARKET, STATION), include=frozenset(Include))
        route = (await self.routes(provider, request)).best
        steps = route.legs[0].steps
        assert steps[0].maneuver.value == "depart"
        assert steps[-1].maneuver.value == "arrive"
        assert sum(step.distance_m for step in steps) == pytest.approx(route.distance_m, rel=0.05)
        for kind in SegmentKind:
            pieces = [one for one in route.segments if one.kind is kind]
            assert (pieces[0].begin_index, pieces[-1].end_index) == (0, len(route.geometry) - 1)
        assert route.heights_m is not None
        assert len(route.heights_m) == len(route.geometry)

    async def test_nothing_comes_along_unasked(self, provider: Provider) -> None:
        """Without `include` there are neither steps nor segments nor heights."""
        route = (await self.routes(provider, RouteRequest.through(MARKET, STATION))).best
        assert (route.segments, route.heights_m) == ((), None)
        assert all(leg.steps == () for leg in route.legs)

    async def test_a_via_begins_no_leg(self, provider: Provider) -> None:
        """A waypoint that is only passed is on the line, and the leg goes on."""
        via = Waypoint(PARK, WaypointKind.VIA)
        request = RouteRequest((Waypoint(MARKET), via, Waypoint(STATION)))
        route = (await self.routes(provider, request)).best
        assert len(route.legs) == 1
        assert min(great_circle_m(PARK, at) for at in route.geometry) < 200

    async def test_wishes_are_heeded_or_named(self, provider: Provider) -> None:
        """A wish beyond the capabilities is a warning, and never an error."""
        request = replace(
            RouteRequest.through(MARKET, STATION),
            preferences=Preferences(SurfacePreference.PAVED, e_bike=True),
        )
        route = (await self.routes(provider, request)).best
        codes = {warning.code for warning in route.warnings}
        assert {one.code for one in provider.capabilities.unheeded(request)} <= codes

    async def test_to_where_one_is(self, provider: Provider) -> None:
        """A route from a place to itself is a route of nothing."""
        route = (await self.routes(provider, RouteRequest.through(MARKET, MARKET))).best
        assert route.distance_m < 5

    @pytest.mark.parametrize(
        "ends",
        [
            (MARKET, SEA),
            (MARKET, FAR),
            (ISLAND, MARKET),
            (Coordinate(MARKET.lat, MARKET.lon), STATION),
        ],
        ids=["sea", "far", "island", "swapped"],
    )
    async def test_refusals(self, provider: Provider, ends: tuple[Coordinate, Coordinate]) -> None:
        """No way, no network, another country and mixed-up axes are refusals, not failures."""
        with pytest.raises(Refusal) as raised:
            await self.ask(provider, RouteRequest.through(*ends))
        assert not raised.value.traits.trips_breaker

    async def test_a_matrix(self, provider: Provider) -> None:
        """A row for each source; where there is no way the cell says so, and the others stand."""
        request = MatrixRequest((MARKET, PARK), (STATION, SEA, MARKET))
        answer = (await self.ask(provider, request)).answer
        assert isinstance(answer, Matrix)
        statuses = [[cell.status for cell in row] for row in answer.cells]
        assert statuses == [[CellStatus.OK, CellStatus.NOT_SNAPPED, CellStatus.OK]] * 2
        route = (await self.routes(provider, RouteRequest.through(MARKET, STATION))).best
        assert answer.cells[0][0].distance_m == pytest.approx(route.distance_m, rel=0.15)
        assert answer.cells[0][2].distance_m == 0

    @pytest.mark.parametrize(
        ("measure", "contours"), [(Measure.TIME_S, (120.0, 300.0)), (Measure.DISTANCE_M, (400.0,))]
    )
    async def test_isochrones(
        self, provider: Provider, measure: Measure, contours: tuple[float, ...]
    ) -> None:
        """A contour for each limit, in order, each around the one before."""
        answer = (await self.ask(provider, IsochroneRequest(MARKET, contours, measure))).answer
        assert isinstance(answer, Isochrone)
        assert tuple(contour.limit for contour in answer.contours) == contours
        areas = [
            Area.around(at for polygon in contour.polygons for ring in polygon for at in ring)
            for contour in answer.contours
        ]
        assert all(area.west < MARKET.lon < area.east for area in areas)
        widths = [area.east - area.west for area in areas]
        assert widths == sorted(widths)

    async def test_snapping(self, provider: Provider) -> None:
        """The nearest point of the network with its distance, or none in reach."""
        answer = (await self.ask(provider, SnapRequest((MARKET, SEA)))).answer
        assert isinstance(answer, Snapped)
        near, none = answer.points
        assert none is None
        assert near is not None
        assert near.snap_distance_m == pytest.approx(great_circle_m(MARKET, near.place), abs=5)

    async def test_heights(self, provider: Provider) -> None:
        """A height for each place, none outside the terrain."""
        answer = (await self.ask(provider, ElevationRequest((MARKET, STATION)))).answer
        assert isinstance(answer, Elevations)
        assert all(height is not None for height in answer.heights_m)

    async def test_the_deadline_holds(self, provider: Provider) -> None:
        """Without time there is an error of the taxonomy at once, and nothing is left behind."""
        with pytest.raises(RoutingError) as raised:
            await provider.call(RouteRequest.through(MARKET, STATION), Deadline.after_ms(0))
        assert raised.value.traits.fall_over is not FallOver.NEVER

    async def test_terms_are_stated(self, provider: Provider) -> None:
        """Attribution, what may be kept and what a call costs are known for every operation."""
        assert provider.attribution
        assert provider.capabilities.operations >= {Operation.ROUTE}
        for operation in provider.capabilities.operations:
            assert provider.cache_policy(operation).fresh_s >= 0
        assert provider.credits(RouteRequest.through(MARKET, STATION)) >= 0
