"""`POST /v1/isochrones:compute`."""

from typing import Annotated, Literal

from pydantic import Field

from tandem.routing import limits
from tandem.routing.domain.answers import Contour, Isochrone
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.formats.geojson import multi_polygon
from tandem.routing.domain.preference import BicycleProfile
from tandem.routing.domain.request import IsochroneRequest, Measure
from tandem.routing.domain.result import Result
from tandem.routing.wire.common import (
    Asked,
    DeadlineMs,
    Labelled,
    Latitude,
    Longitude,
    Measured,
    Place,
    Told,
    label,
)

type _Ring = list[tuple[Longitude, Latitude]]


class IsochroneQuestion(Asked):
    """How far one gets from a place; contours are seconds or metres, after `measure`."""

    center: Place
    contours: Annotated[
        list[Annotated[float, Field(gt=0, le=limits.CONTOUR_DISTANCE_M_MAX)]],
        Field(min_length=1, max_length=limits.CONTOURS_MAX),
    ]
    measure: Measure = Measure.TIME_S
    profile: BicycleProfile = BicycleProfile.TOURING
    reverse: bool = False
    deadline_ms: DeadlineMs = limits.DEADLINE_MS_DEFAULT

    @classmethod
    def of(cls, request: IsochroneRequest, deadline_ms: int) -> "IsochroneQuestion":
        """Write a request down."""
        return cls(
            center=Place.of(request.center),
            contours=list(request.contours),
            measure=request.measure,
            profile=request.profile,
            reverse=request.reverse,
            deadline_ms=deadline_ms,
        )

    def to_domain(self) -> IsochroneRequest:
        """Say it in the domain's words. Raises InvalidRequest."""
        return IsochroneRequest(
            self.center.to_domain(),
            tuple(self.contours),
            self.measure,
            self.profile,
            self.reverse,
        )


class MultiPolygon(Told):
    """GeoJSON: polygons, each an outer ring and perhaps holes."""

    type: Literal["MultiPolygon"] = "MultiPolygon"
    coordinates: list[list[_Ring]]


class ToldContour(Told):
    """What lies within a limit."""

    limit: Measured
    geojson: MultiPolygon


class IsochroneAnswer(Labelled):
    """A contour for each that was asked for, in that order."""

    contours: list[ToldContour]

    def to_domain(self) -> Result[Isochrone]:
        """Say it in the domain's words."""
        contours = tuple(
            Contour(
                contour.limit,
                tuple(
                    tuple(tuple(Coordinate(*at) for at in ring) for ring in polygon)
                    for polygon in contour.geojson.coordinates
                ),
            )
            for contour in self.contours
        )
        return self.result_of(Isochrone(contours))


def isochrone_answer(result: Result[Isochrone]) -> IsochroneAnswer:
    """Write a result down."""
    contours = [
        {"limit": contour.limit, "geojson": {"coordinates": multi_polygon(contour)}}
        for contour in result.answer.contours
    ]
    return IsochroneAnswer.model_validate({**label(result), "contours": contours})
