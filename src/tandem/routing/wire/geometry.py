"""Lines, in the forms that callers like."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from tandem.routing.domain import polyline
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.formats.geojson import positions
from tandem.routing.wire.common import Told

type Dimensions = Literal[2, 3]
type Line = tuple[tuple[Coordinate, ...], tuple[float, ...] | None]
"""The vertices of a line, and their heights if it has three dimensions."""

_FLAT = 2

type _Position = Annotated[tuple[float, ...], Field(min_length=2, max_length=3)]


class GeometryFormat(StrEnum):
    """How a line is written."""

    POLYLINE5 = "polyline5"
    POLYLINE6 = "polyline6"
    GEOJSON = "geojson"


class PolylineGeometry(Told):
    """A line encoded with five or six decimals, latitude first; heights in centimetres third."""

    format: Literal["polyline5", "polyline6"] = "polyline6"
    dims: Dimensions = 2
    polyline: str

    def line(self) -> Line:
        """Decode; raises ValueError where it is broken."""
        precision: polyline.Precision = 5 if self.format == "polyline5" else 6
        if self.dims == _FLAT:
            return polyline.decode(self.polyline, precision), None
        return polyline.decode_3d(self.polyline, precision)


class LineString(Told):
    """A GeoJSON line: [lon, lat] for each vertex, or [lon, lat, height]."""

    type: Literal["LineString"] = "LineString"
    coordinates: list[_Position]


class GeoJsonGeometry(Told):
    """A line as GeoJSON."""

    format: Literal["geojson"] = "geojson"
    dims: Dimensions = 2
    geojson: LineString

    def line(self) -> Line:
        """Read it; raises ValueError where a height is missing."""
        rows = self.geojson.coordinates
        line = tuple(Coordinate(row[0], row[1]) for row in rows)
        if self.dims == _FLAT:
            return line, None
        heights_m = tuple(row[2] for row in rows if len(row) > _FLAT)
        if len(heights_m) != len(line):
            raise ValueError("a vertex has no height")
        return line, heights_m


type Geometry = Annotated[PolylineGeometry | GeoJsonGeometry, Field(discriminator="format")]


def geometry(
    line: tuple[Coordinate, ...],
    heights_m: tuple[float, ...] | None,
    wanted: GeometryFormat,
    dims: Dimensions,
) -> Geometry:
    """Write a line; with two dimensions where its heights are not known."""
    heights_m = None if dims == _FLAT else heights_m
    told: Dimensions = 2 if heights_m is None else 3
    match wanted:
        case GeometryFormat.GEOJSON:
            rows = [tuple(position) for position in positions(line, heights_m)]
            drawn = LineString.model_construct(type="LineString", coordinates=rows)
            return GeoJsonGeometry.model_construct(format="geojson", dims=told, geojson=drawn)
        case GeometryFormat.POLYLINE5:
            text = _text(line, heights_m, 5)
            return PolylineGeometry(format="polyline5", dims=told, polyline=text)
        case GeometryFormat.POLYLINE6:
            text = _text(line, heights_m, 6)
            return PolylineGeometry(format="polyline6", dims=told, polyline=text)


def _text(
    line: tuple[Coordinate, ...],
    heights_m: tuple[float, ...] | None,
    precision: polyline.Precision,
) -> str:
    if heights_m is None:
        return polyline.encode(line, precision)
    return polyline.encode_3d(line, heights_m, precision)
