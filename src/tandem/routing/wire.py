"""The JSON of our own API, for both ends: requests strictly, answers as documented.

Places are degrees (WGS 84), distances and heights metres, durations seconds.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tandem.routing import limits
from tandem.routing.domain import polyline
from tandem.routing.domain.answers import Routes
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.preference import BicycleProfile
from tandem.routing.domain.request import RouteRequest
from tandem.routing.domain.result import Freshness, Result, RouteResult
from tandem.routing.domain.route import Leg, Route, RouteWarning

type Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
type Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
type Measure = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Lenient(BaseModel):
    # A newer server may answer more than an older client knows.
    model_config = ConfigDict(extra="ignore", frozen=True)


class Waypoint(_Model):
    """A place to go through."""

    lon: Annotated[Longitude, Field(strict=True)]
    lat: Annotated[Latitude, Field(strict=True)]


class GeometryFormat(StrEnum):
    """How a line is written."""

    POLYLINE6 = "polyline6"
    GEOJSON = "geojson"


class PlanRequest(_Model):
    """A request for a route through the waypoints, in their order."""

    waypoints: Annotated[
        list[Waypoint], Field(min_length=limits.WAYPOINTS_MIN, max_length=limits.WAYPOINTS_MAX)
    ]
    profile: BicycleProfile = BicycleProfile.TOURING
    deadline_ms: Annotated[
        int, Field(strict=True, ge=limits.DEADLINE_MS_MIN, le=limits.DEADLINE_MS_MAX)
    ] = limits.DEADLINE_MS_DEFAULT
    geometry: GeometryFormat = GeometryFormat.POLYLINE6

    def to_domain(self) -> RouteRequest:
        """Say it in the domain's words."""
        places = (Coordinate(place.lon, place.lat) for place in self.waypoints)
        return RouteRequest.through(*places, profile=self.profile)


class PolylineGeometry(_Lenient):
    """A line encoded with six decimals, latitude first."""

    format: Literal["polyline6"] = "polyline6"
    polyline: str


class LineString(_Lenient):
    """A GeoJSON line: [lon, lat] for each vertex."""

    type: Literal["LineString"] = "LineString"
    coordinates: list[tuple[Longitude, Latitude]]


class GeoJsonGeometry(_Lenient):
    """A line as GeoJSON."""

    format: Literal["geojson"] = "geojson"
    geojson: LineString


type Geometry = Annotated[PolylineGeometry | GeoJsonGeometry, Field(discriminator="format")]


class PlannedLeg(_Lenient):
    """The way from one waypoint to the next; indexes count vertices, `end_index` included."""

    distance_m: Measure
    duration_s: Measure
    begin_index: Annotated[int, Field(ge=0)]
    end_index: Annotated[int, Field(ge=0)]


class PlannedWarning(_Lenient):
    """Something that was asked for and not quite given."""

    code: str
    detail: str


class PlannedRoute(_Lenient):
    """A bicycle route."""

    distance_m: Measure
    duration_s: Measure
    ascent_m: Measure
    descent_m: Measure
    geometry: Geometry
    legs: list[PlannedLeg]
    warnings: list[PlannedWarning]


class PlanAnswer(_Lenient):
    """A route with its label. `attribution` must be shown wherever the route is.

    `degraded` is false only for what the primary provider said, live or a short while ago.
    """

    route: PlannedRoute
    provider: str
    freshness: Freshness
    degraded: bool
    attribution: list[str]
    age_s: Measure

    def to_domain(self) -> RouteResult:
        """Say it in the domain's words.

        Raises:
            ValueError: The line is broken.
        """
        said = self.route
        route = Route(
            distance_m=said.distance_m,
            duration_s=said.duration_s,
            ascent_m=said.ascent_m,
            descent_m=said.descent_m,
            geometry=_line(said.geometry),
            legs=tuple(
                Leg(leg.distance_m, leg.duration_s, leg.begin_index, leg.end_index)
                for leg in said.legs
            ),
            warnings=tuple(RouteWarning(item.code, item.detail) for item in said.warnings),
            attribution=tuple(self.attribution),
        )
        return Result(
            Routes((route,)),
            self.provider,
            self.freshness,
            self.degraded,
            route.attribution,
            self.age_s,
        )


def plan_answer(result: RouteResult, geometry: GeometryFormat) -> PlanAnswer:
    """Write a result down."""
    route = result.route
    return PlanAnswer(
        route=PlannedRoute(
            distance_m=route.distance_m,
            duration_s=route.duration_s,
            ascent_m=route.ascent_m,
            descent_m=route.descent_m,
            geometry=_geometry(route.geometry, geometry),
            legs=[
                PlannedLeg(
                    distance_m=leg.distance_m,
                    duration_s=leg.duration_s,
                    begin_index=leg.begin_index,
                    end_index=leg.end_index,
                )
                for leg in route.legs
            ],
            warnings=[
                PlannedWarning(code=item.code, detail=item.detail) for item in route.warnings
            ],
        ),
        provider=result.provider,
        freshness=result.freshness,
        degraded=result.degraded,
        attribution=list(result.attribution),
        age_s=result.age_s,
    )


def _geometry(line: tuple[Coordinate, ...], wanted: GeometryFormat) -> Geometry:
    if wanted is GeometryFormat.POLYLINE6:
        return PolylineGeometry(polyline=polyline.encode(line, 6))
    coordinates = [(place.lon, place.lat) for place in line]
    return GeoJsonGeometry(geojson=LineString(coordinates=coordinates))


def _line(geometry: Geometry) -> tuple[Coordinate, ...]:
    if isinstance(geometry, PolylineGeometry):
        return polyline.decode(geometry.polyline, 6)
    return tuple(Coordinate(lon, lat) for lon, lat in geometry.geojson.coordinates)
