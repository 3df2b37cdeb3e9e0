"""What version 2 accepts: the request of `POST /v2/routes:compute`, strictly."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from tandem.sandbox import limits


class Profile(StrEnum):
    """The bicycle to route for."""

    TOURING = "touring"
    ROAD = "road"
    MTB = "mtb"


class WaypointKind(StrEnum):
    """Whether a leg ends at the waypoint, or the route only passes it."""

    STOP = "stop"
    VIA = "via"


class Avoidance(StrEnum):
    """What to keep away from where there is another way."""

    FERRIES = "ferries"
    HILLS = "hills"
    BUSY_ROADS = "busy_roads"
    UNPAVED = "unpaved"


class SurfacePreference(StrEnum):
    """How much a smooth surface is worth a longer way."""

    ANY = "any"
    PAVED = "paved"
    SMOOTH = "smooth"


class GeometryFormat(StrEnum):
    """How a line is written: encoded with six digits, or as GeoJSON."""

    POLYLINE6 = "polyline6"
    GEOJSON = "geojson"


class Include(StrEnum):
    """The costlier parts of an answer, left out unless asked for."""

    STEPS = "steps"
    SURFACE = "surface"
    WAY_TYPE = "way_type"


class Strict(BaseModel):
    """A piece of a request: nothing unknown, nothing infinite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Waypoint(Strict):
    """A place to go to or through (degrees, WGS 84)."""

    lon: Annotated[float, Field(strict=True, ge=-180, le=180)]
    lat: Annotated[float, Field(strict=True, ge=-90, le=90)]
    heading: Annotated[int, Field(strict=True, ge=0, lt=360)] | None = None
    radius_m: Annotated[float, Field(strict=True, gt=0, le=limits.SNAP_RADIUS_M_MAX)] = (
        limits.SNAP_RADIUS_M_DEFAULT
    )
    kind: WaypointKind = WaypointKind.STOP


class Options(Strict):
    """Wishes for the way."""

    avoid: Annotated[list[Avoidance], Field(max_length=len(Avoidance))] = []
    surface_preference: SurfacePreference = SurfacePreference.ANY
    e_bike: Annotated[bool, Field(strict=True)] = False


class GeometryRequest(Strict):
    """The form of the line; with three dimensions each vertex has its height."""

    format: GeometryFormat = GeometryFormat.POLYLINE6
    dims: Literal[2, 3] = 2


class ComputeRequest(Strict):
    """A request for routes through waypoints in the given order."""

    waypoints: Annotated[
        list[Waypoint], Field(min_length=limits.WAYPOINTS_MIN, max_length=limits.WAYPOINTS_MAX)
    ]
    profile: Profile
    options: Options = Options()
    alternatives: Annotated[int, Field(strict=True, ge=0, le=limits.ALTERNATIVES_MAX)] = 0
    geometry: GeometryRequest = GeometryRequest()
    include: Annotated[list[Include], Field(max_length=len(Include))] = []
    departure_time: AwareDatetime | None = None

    @field_validator("departure_time", mode="before")
    @classmethod
    def _only_text(cls, value: object) -> object:
        # Numbers would pass as Unix times, which the contract does not know.
        if value is not None and not isinstance(value, str | datetime):
            raise ValueError("must be an RFC 3339 time with an offset")
        return value

    @model_validator(mode="after")
    def _ends_are_stops(self) -> Self:
        ends = (self.waypoints[0], self.waypoints[-1])
        if any(end.kind is not WaypointKind.STOP for end in ends):
            raise ValueError("the first and the last waypoint must be stops")
        return self
