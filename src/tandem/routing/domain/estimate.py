"""Answers from nothing but geometry, for when nobody answers: better than none, and labelled."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from tandem.routing.domain.answers import CellStatus, Matrix, MatrixCell, Routes
from tandem.routing.domain.coordinate import Coordinate, great_circle_m
from tandem.routing.domain.preference import BicycleProfile
from tandem.routing.domain.request import MatrixRequest, Request, RouteRequest
from tandem.routing.domain.route import Leg, Route, RouteWarning
from tandem.routing.domain.waypoint import WaypointKind
from tandem.routing.limits import (
    ESTIMATE_DETOUR_FACTOR,
    ESTIMATE_SPEED_KMH_MTB,
    ESTIMATE_SPEED_KMH_ROAD,
    ESTIMATE_SPEED_KMH_TOURING,
)

_SPEED_KMH: Final[Mapping[BicycleProfile, float]] = {
    BicycleProfile.TOURING: ESTIMATE_SPEED_KMH_TOURING,
    BicycleProfile.ROAD: ESTIMATE_SPEED_KMH_ROAD,
    BicycleProfile.MTB: ESTIMATE_SPEED_KMH_MTB,
}
_KMH_PER_MS: Final = 3.6


def estimated(request: Request) -> Routes | Matrix | None:
    """Estimate an answer; None where geometry alone says nothing."""
    if isinstance(request, RouteRequest):
        return Routes((estimate(request),))
    if isinstance(request, MatrixRequest):
        return _matrix(request)
    return None


def estimate(request: RouteRequest) -> Route:
    """Estimate a route: straight lines, longer by what bicycle routes usually are; no climb."""
    speed_ms = _speed_ms(request.profile)
    legs, begin = [], 0
    for at, waypoint in enumerate(request.waypoints):
        if at > begin and waypoint.kind is WaypointKind.STOP:
            pieces = pairwise(request.places[begin : at + 1])
            distance_m = sum(_distance_m(one, other) for one, other in pieces)
            legs.append(Leg(distance_m, distance_m / speed_ms, begin, at))
            begin = at
    return Route(
        distance_m=sum(leg.distance_m for leg in legs),
        duration_s=sum(leg.duration_s for leg in legs),
        ascent_m=0.0,
        descent_m=0.0,
        geometry=request.places,
        legs=tuple(legs),
        warnings=(RouteWarning("estimate", "no provider could be asked; no streets, no climb"),),
    )


def _matrix(request: MatrixRequest) -> Matrix:
    speed_ms = _speed_ms(request.profile)

    def cell(source: Coordinate, target: Coordinate) -> MatrixCell:
        distance_m = _distance_m(source, target)
        return MatrixCell(CellStatus.OK, distance_m, distance_m / speed_ms)

    return Matrix(
        tuple(
            tuple(cell(source, target) for target in request.targets) for source in request.sources
        )
    )


def _distance_m(one: Coordinate, other: Coordinate) -> float:
    return great_circle_m(one, other) * ESTIMATE_DETOUR_FACTOR


def _speed_ms(profile: BicycleProfile) -> float:
    return _SPEED_KMH[profile] / _KMH_PER_MS
