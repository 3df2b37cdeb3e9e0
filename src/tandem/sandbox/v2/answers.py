"""What version 2 answers: the body of `POST /v2/routes:compute`.

Indexes (`begin`, `end`) count vertices of the route's geometry; `end` is the last one, included.
Distances and heights are metres, durations seconds, places degrees (WGS 84).
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tandem.sandbox.v2.maneuvers import ManeuverKind, Modifier


class Answer(BaseModel):
    """A piece of an answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LonLat(Answer):
    """A place."""

    lon: float
    lat: float


class PolylineGeometry(Answer):
    """A line encoded with six digits, latitude first; a third dimension is the height in cm."""

    format: Literal["polyline6"] = "polyline6"
    dims: Literal[2, 3]
    polyline: str


class LineString(Answer):
    """A GeoJSON line: [lon, lat] or [lon, lat, height]."""

    type: Literal["LineString"] = "LineString"
    coordinates: list[list[float]]


class GeoJsonGeometry(Answer):
    """A line as GeoJSON."""

    format: Literal["geojson"] = "geojson"
    dims: Literal[2, 3]
    geojson: LineString


type Geometry = Annotated[PolylineGeometry | GeoJsonGeometry, Field(discriminator="format")]


class Step(Answer):
    """One instruction and the stretch that it covers."""

    maneuver: ManeuverKind
    modifier: Modifier | None
    instruction: str
    begin: int
    end: int
    distance_m: float
    duration_s: float


class Leg(Answer):
    """The way from one stop to the next; `steps` are there when asked for."""

    distance_m: float
    duration_s: float
    begin: int
    end: int
    steps: list[Step]


class Segment(Answer):
    """A stretch with one value of one kind."""

    kind: Literal["surface", "way_type"]
    begin: int
    end: int
    value: str


class Route(Answer):
    """One route; `bbox` is west, south, east, north."""

    id: str
    distance_m: float
    duration_s: float
    ascent_m: float
    descent_m: float
    geometry: Geometry
    bbox: tuple[float, float, float, float]
    legs: list[Leg]
    segments: list[Segment]


class SnappedWaypoint(Answer):
    """Where a requested waypoint lies on the network."""

    snapped: LonLat
    snap_distance_m: float


class Notice(Answer):
    """Something that was asked for and not quite given."""

    code: str
    detail: str


class ComputeAnswer(Answer):
    """Routes, best first, and what they rest on."""

    routes: list[Route]
    waypoints: list[SnappedWaypoint]
    warnings: list[Notice]
    attribution: list[str]
    data_version: str
