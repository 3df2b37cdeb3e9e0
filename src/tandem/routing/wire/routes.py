"""`POST /v1/routes:plan`."""

from typing import Annotated

from pydantic import AwareDatetime, Field

from tandem.routing import limits
from tandem.routing.domain.answers import Routes
from tandem.routing.domain.maneuver import Maneuver
from tandem.routing.domain.preference import Avoid, BicycleProfile, Preferences, SurfacePreference
from tandem.routing.domain.request import Include, RouteRequest
from tandem.routing.domain.result import Result
from tandem.routing.domain.route import Leg, Route, RouteWarning, Step
from tandem.routing.domain.segment import Segment, SegmentKind, Surface, WayType
from tandem.routing.domain.waypoint import SnappedWaypoint, Waypoint, WaypointKind
from tandem.routing.wire.common import (
    Asked,
    DeadlineMs,
    Labelled,
    Measured,
    Place,
    Told,
    ToldPlace,
    label,
)
from tandem.routing.wire.geometry import Dimensions, Geometry, GeometryFormat, geometry

type Index = Annotated[int, Field(ge=0)]


class AskedWaypoint(Place):
    """A place to go through; `heading_deg` clockwise from north is the way to leave it."""

    kind: WaypointKind = WaypointKind.STOP
    heading_deg: Annotated[float, Field(ge=0, lt=360)] | None = None
    snap_radius_m: Annotated[float, Field(gt=0, le=limits.SNAP_RADIUS_M)] = limits.SNAP_RADIUS_M

    @classmethod
    def at(cls, waypoint: Waypoint) -> "AskedWaypoint":
        """Write a waypoint down."""
        return cls(
            lon=waypoint.place.lon,
            lat=waypoint.place.lat,
            kind=waypoint.kind,
            heading_deg=waypoint.heading_deg,
            snap_radius_m=waypoint.snap_radius_m,
        )

    def waypoint(self) -> Waypoint:
        """Say it in the domain's words."""
        return Waypoint(self.to_domain(), self.kind, self.heading_deg, self.snap_radius_m)


class AskedPreferences(Asked):
    """Wishes. One that a provider cannot heed is named in the route's warnings."""

    surface: SurfacePreference = SurfacePreference.ANY
    e_bike: bool = False
    avoid: Annotated[tuple[Avoid, ...], Field(max_length=len(Avoid))] = ()


class PlanRequest(Asked):
    """A request for a route through the waypoints, in their order."""

    waypoints: Annotated[
        list[AskedWaypoint],
        Field(min_length=limits.WAYPOINTS_MIN, max_length=limits.WAYPOINTS_MAX),
    ]
    profile: BicycleProfile = BicycleProfile.TOURING
    preferences: AskedPreferences = AskedPreferences()
    alternatives: Annotated[int, Field(strict=True, ge=0, le=limits.ALTERNATIVES_MAX)] = 0
    departure_at: AwareDatetime | None = None
    include: Annotated[tuple[Include, ...], Field(max_length=len(Include))] = ()
    deadline_ms: DeadlineMs = limits.DEADLINE_MS_DEFAULT
    geometry: GeometryFormat = GeometryFormat.POLYLINE6
    dims: Dimensions = 2

    @classmethod
    def of(cls, request: RouteRequest, deadline_ms: int) -> "PlanRequest":
        """Write a request down."""
        wishes = request.preferences
        return cls(
            waypoints=[AskedWaypoint.at(waypoint) for waypoint in request.waypoints],
            profile=request.profile,
            preferences=AskedPreferences(
                surface=wishes.surface, e_bike=wishes.e_bike, avoid=tuple(sorted(wishes.avoid))
            ),
            alternatives=request.alternatives,
            departure_at=request.departure_at,
            include=tuple(sorted(request.include)),
            deadline_ms=deadline_ms,
            dims=3 if Include.HEIGHTS in request.include else 2,
        )

    def to_domain(self) -> RouteRequest:
        """Say it in the domain's words."""
        wishes = self.preferences
        include = frozenset(self.include)
        return RouteRequest(
            tuple(waypoint.waypoint() for waypoint in self.waypoints),
            self.profile,
            Preferences(wishes.surface, wishes.e_bike, frozenset(wishes.avoid)),
            self.alternatives,
            self.departure_at,
            include if self.dims == 2 else include | {Include.HEIGHTS},  # noqa: PLR2004 - flat
        )


class PlannedStep(Told):
    """A piece of a leg that begins with a maneuver; a newer server may know more of them."""

    maneuver: str
    instruction: str
    street_name: str = ""
    begin_index: Index
    end_index: Index
    distance_m: Measured
    duration_s: Measured


class PlannedLeg(Told):
    """The way from one stop to the next; indexes count vertices, `end_index` included."""

    distance_m: Measured
    duration_s: Measured
    begin_index: Index
    end_index: Index
    steps: tuple[PlannedStep, ...] = ()


class PlannedSegment(Told):
    """What a stretch of the line is like."""

    kind: SegmentKind
    begin_index: Index
    end_index: Index
    value: str


class PlannedWarning(Told):
    """Something that was asked for and not quite given."""

    code: str
    detail: str


class PlannedRoute(Told):
    """A bicycle route."""

    distance_m: Measured
    duration_s: Measured
    ascent_m: Measured
    descent_m: Measured
    geometry: Geometry
    legs: list[PlannedLeg]
    segments: tuple[PlannedSegment, ...] = ()
    warnings: list[PlannedWarning]
    data_version: str = ""

    def to_domain(self, attribution: tuple[str, ...]) -> Route:
        """Say it in the domain's words; raises ValueError where the line is broken."""
        line, heights_m = self.geometry.line()
        return Route(
            distance_m=self.distance_m,
            duration_s=self.duration_s,
            ascent_m=self.ascent_m,
            descent_m=self.descent_m,
            geometry=line,
            legs=tuple(_leg(leg) for leg in self.legs),
            warnings=tuple(RouteWarning(item.code, item.detail) for item in self.warnings),
            attribution=attribution,
            heights_m=heights_m,
            segments=tuple(_segment(segment) for segment in self.segments),
            data_version=self.data_version,
        )


class SnappedTo(Told):
    """Where a waypoint came to lie on the network."""

    place: ToldPlace
    snap_distance_m: Measured


class PlanAnswer(Labelled):
    """The best route, and others if they were asked for and there are any."""

    route: PlannedRoute
    alternatives: tuple[PlannedRoute, ...] = ()
    waypoints: tuple[SnappedTo, ...] = ()

    def to_domain(self) -> Result[Routes]:
        """Say it in the domain's words; raises ValueError where a line is broken."""
        attribution = tuple(self.attribution)
        told = (self.route, *self.alternatives)
        routes = tuple(route.to_domain(attribution) for route in told)
        waypoints = tuple(
            SnappedWaypoint(one.place.to_domain(), one.snap_distance_m) for one in self.waypoints
        )
        return self.result_of(Routes(routes, waypoints))


def plan_answer(result: Result[Routes], wanted: GeometryFormat, dims: Dimensions) -> PlanAnswer:
    """Write a result down."""
    told = [_planned(route, wanted, dims) for route in result.answer.routes]
    return PlanAnswer.model_validate(
        {
            **label(result),
            "route": told[0],
            "alternatives": told[1:],
            "waypoints": [
                SnappedTo(place=ToldPlace.of(one.place), snap_distance_m=one.snap_distance_m)
                for one in result.answer.waypoints
            ],
        }
    )


def _planned(route: Route, wanted: GeometryFormat, dims: Dimensions) -> PlannedRoute:
    return PlannedRoute(
        distance_m=route.distance_m,
        duration_s=route.duration_s,
        ascent_m=route.ascent_m,
        descent_m=route.descent_m,
        geometry=geometry(route.geometry, route.heights_m, wanted, dims),
        legs=[_planned_leg(leg) for leg in route.legs],
        segments=tuple(
            PlannedSegment(
                kind=one.kind,
                begin_index=one.begin_index,
                end_index=one.end_index,
                value=one.value.value,
            )
            for one in route.segments
        ),
        warnings=[PlannedWarning(code=item.code, detail=item.detail) for item in route.warnings],
        data_version=route.data_version,
    )


def _planned_leg(leg: Leg) -> PlannedLeg:
    return PlannedLeg(
        distance_m=leg.distance_m,
        duration_s=leg.duration_s,
        begin_index=leg.begin_index,
        end_index=leg.end_index,
        steps=tuple(
            PlannedStep(
                maneuver=step.maneuver.value,
                instruction=step.instruction,
                street_name=step.street_name,
                begin_index=step.begin_index,
                end_index=step.end_index,
                distance_m=step.distance_m,
                duration_s=step.duration_s,
            )
            for step in leg.steps
        ),
    )


def _leg(told: PlannedLeg) -> Leg:
    steps = tuple(
        Step(
            _known(Maneuver, step.maneuver, Maneuver.UNKNOWN),
            step.instruction,
            step.begin_index,
            step.end_index,
            step.distance_m,
            step.duration_s,
            step.street_name,
        )
        for step in told.steps
    )
    return Leg(told.distance_m, told.duration_s, told.begin_index, told.end_index, steps)


def _segment(told: PlannedSegment) -> Segment:
    value: Surface | WayType
    if told.kind is SegmentKind.SURFACE:
        value = _known(Surface, told.value, Surface.OTHER)
    else:
        value = _known(WayType, told.value, WayType.OTHER)
    return Segment(told.kind, told.begin_index, told.end_index, value)


def _known[E: (Maneuver, Surface, WayType)](words: type[E], word: str, otherwise: E) -> E:
    try:
        return words(word)
    except ValueError:
        return otherwise
