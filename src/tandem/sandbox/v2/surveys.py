"""What version 2 accepts and answers beside routes: matrices, isochrones, points and heights."""

import math
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tandem.sandbox import limits
from tandem.sandbox.v2.answers import Answer, LonLat
from tandem.sandbox.v2.requests import Profile, Strict


class Point(Strict):
    """A place (degrees, WGS 84)."""

    lon: Annotated[float, Field(strict=True, ge=-180, le=180)]
    lat: Annotated[float, Field(strict=True, ge=-90, le=90)]


class MatrixRequest(Strict):
    """Distances and times from every source to every target."""

    sources: Annotated[list[Point], Field(min_length=1, max_length=limits.MATRIX_SIDE_MAX)]
    targets: Annotated[list[Point], Field(min_length=1, max_length=limits.MATRIX_SIDE_MAX)]
    profile: Profile

    def credits(self) -> int:
        """Return what an answer costs: half a credit a cell, of big ones ten a longer side."""
        sides = len(self.sources), len(self.targets)
        if min(sides) < limits.MATRIX_SIDE_BIG:
            return math.ceil(sides[0] * sides[1] / 2)
        return 10 * max(sides)


class Measure(StrEnum):
    """What contours are: seconds or metres."""

    TIME_S = "time_s"
    DISTANCE_M = "distance_m"


class IsochroneRequest(Strict):
    """How far one gets from a place, or to it."""

    center: Point
    contours: Annotated[
        list[Annotated[float, Field(strict=True, gt=0)]],
        Field(min_length=1, max_length=limits.CONTOURS_MAX),
    ]
    measure: Measure = Measure.TIME_S
    profile: Profile
    reverse: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _contours_are_in_reach(self) -> Self:
        is_time = self.measure is Measure.TIME_S
        most = limits.CONTOUR_S_MAX if is_time else limits.CONTOUR_M_MAX
        if max(self.contours) > most:
            raise ValueError(f"a contour may be {most}")
        return self

    def credits(self) -> int:
        """Return what an answer costs: five a minute, ten at least."""
        minutes = max(self.contours) / 60 if self.measure is Measure.TIME_S else 0.0
        return max(10, math.ceil(5 * minutes))


class SnapRequest(Strict):
    """The nearest points of the network."""

    points: Annotated[list[Point], Field(min_length=1, max_length=limits.SNAP_POINTS_MAX)]
    profile: Profile
    radius_m: Annotated[float, Field(strict=True, gt=0, le=limits.SNAP_RADIUS_M_MAX)] = (
        limits.SNAP_RADIUS_M_DEFAULT
    )

    def credits(self) -> int:
        """Return what an answer costs: one for ten points."""
        return math.ceil(len(self.points) / 10)


class ElevationRequest(Strict):
    """The heights of points."""

    points: Annotated[list[Point], Field(min_length=1, max_length=limits.ELEVATION_POINTS_MAX)]

    def credits(self) -> int:
        """Return what an answer costs: one for a hundred points."""
        return math.ceil(len(self.points) / 100)


class _Sourced(Answer):
    attribution: list[str]
    data_version: str


class Cell(Answer):
    """From one source to one target; never null, zero or minus one for what is not there."""

    status: Literal["ok", "unreachable", "not_snapped"]
    distance_m: float | None = None
    duration_s: float | None = None


class MatrixAnswer(_Sourced):
    """A row for each source, a cell in it for each target."""

    cells: list[list[Cell]]


class MultiPolygon(Answer):
    """GeoJSON: polygons, each an outer ring and perhaps holes."""

    type: Literal["MultiPolygon"] = "MultiPolygon"
    coordinates: list[list[list[list[float]]]]


class Contour(Answer):
    """What lies within a limit."""

    limit: float
    geojson: MultiPolygon


class IsochroneAnswer(_Sourced):
    """A contour for each that was asked for, in that order."""

    contours: list[Contour]


class SnappedPoint(Answer):
    """The nearest point of the network, if there is one within the radius."""

    status: Literal["ok", "not_snapped"]
    snapped: LonLat | None = None
    snap_distance_m: float | None = None


class SnapAnswer(_Sourced):
    """An entry for each point."""

    points: list[SnappedPoint]


class ElevationAnswer(_Sourced):
    """A height for each point, null where the terrain has none."""

    heights_m: list[float | None]
