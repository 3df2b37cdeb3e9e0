"""`POST /v1/places:snap` and `POST /v1/places:elevate`."""

from typing import Annotated

from pydantic import Field

from tandem.routing import limits
from tandem.routing.domain.answers import Elevations, Snapped
from tandem.routing.domain.preference import BicycleProfile
from tandem.routing.domain.request import ElevationRequest, SnapRequest
from tandem.routing.domain.result import Result
from tandem.routing.domain.waypoint import SnappedWaypoint
from tandem.routing.wire.common import Asked, DeadlineMs, Height, Labelled, Place, ToldPlace, label
from tandem.routing.wire.routes import SnappedTo


class SnapQuestion(Asked):
    """The nearest points of the network to places."""

    places: Annotated[list[Place], Field(min_length=1, max_length=limits.SNAP_PLACES_MAX)]
    profile: BicycleProfile = BicycleProfile.TOURING
    radius_m: Annotated[float, Field(gt=0, le=limits.SNAP_RADIUS_M)] = limits.SNAP_RADIUS_M
    deadline_ms: DeadlineMs = limits.DEADLINE_MS_DEFAULT

    @classmethod
    def of(cls, request: SnapRequest, deadline_ms: int) -> "SnapQuestion":
        """Write a request down."""
        return cls(
            places=[Place.of(place) for place in request.places],
            profile=request.profile,
            radius_m=request.radius_m,
            deadline_ms=deadline_ms,
        )

    def to_domain(self) -> SnapRequest:
        """Say it in the domain's words."""
        places = tuple(place.to_domain() for place in self.places)
        return SnapRequest(places, self.profile, self.radius_m)


class SnapAnswer(Labelled):
    """For each place the nearest point, null where there is none in reach."""

    points: list[SnappedTo | None]

    def to_domain(self) -> Result[Snapped]:
        """Say it in the domain's words."""
        points = tuple(
            None if one is None else SnappedWaypoint(one.place.to_domain(), one.snap_distance_m)
            for one in self.points
        )
        return self.result_of(Snapped(points))


class ElevationQuestion(Asked):
    """The heights of places."""

    places: Annotated[list[Place], Field(min_length=1, max_length=limits.ELEVATION_PLACES_MAX)]
    deadline_ms: DeadlineMs = limits.DEADLINE_MS_DEFAULT

    @classmethod
    def of(cls, request: ElevationRequest, deadline_ms: int) -> "ElevationQuestion":
        """Write a request down."""
        return cls(places=[Place.of(place) for place in request.places], deadline_ms=deadline_ms)

    def to_domain(self) -> ElevationRequest:
        """Say it in the domain's words."""
        return ElevationRequest(tuple(place.to_domain() for place in self.places))


class ElevationAnswer(Labelled):
    """For each place its height in metres, null where it is not known."""

    heights_m: list[Height | None]

    def to_domain(self) -> Result[Elevations]:
        """Say it in the domain's words."""
        return self.result_of(Elevations(tuple(self.heights_m)))


def snap_answer(result: Result[Snapped]) -> SnapAnswer:
    """Write a result down."""
    points = [
        None
        if one is None
        else SnappedTo(place=ToldPlace.of(one.place), snap_distance_m=one.snap_distance_m)
        for one in result.answer.points
    ]
    return SnapAnswer.model_validate({**label(result), "points": points})


def elevation_answer(result: Result[Elevations]) -> ElevationAnswer:
    """Write a result down."""
    heights_m = list(result.answer.heights_m)
    return ElevationAnswer.model_validate({**label(result), "heights_m": heights_m})
