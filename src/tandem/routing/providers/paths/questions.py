"""The domain's questions in the words of the API of paths. Pure.

A POST takes `[lon, lat]`, a GET takes `lat,lon`: in one and the same API.
"""

from typing import Any
from urllib.parse import urlencode

from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.preference import BicycleProfile
from tandem.routing.domain.request import (
    Include,
    IsochroneRequest,
    MatrixRequest,
    Measure,
    RouteRequest,
)
from tandem.routing.providers.paths.words import PROFILES, Dialect

_DECIMALS = 7


def route(request: RouteRequest, dialect: Dialect) -> dict[str, Any]:
    """Ask `POST /route`.

    Instructions are always asked for, because they alone say where legs end; so are heights,
    because climb comes with them.
    """
    body: dict[str, Any] = {
        "points": [_lon_lat(place) for place in request.places],
        "profile": PROFILES[request.profile],
        "locale": "en",
        "elevation": True,
        "instructions": True,
        "points_encoded": True,
        "calc_points": True,
    }
    if Include.SEGMENTS in request.include:
        body["details"] = [dialect.surface_detail, dialect.way_type_detail]
    if request.alternatives:
        body["algorithm"] = "alternative_route"
        body["alternative_route.max_paths"] = request.alternatives + 1
    return body


def matrix(request: MatrixRequest) -> dict[str, Any]:
    """Ask `POST /matrix`; what cannot be reached shall not fail the rest."""
    return {
        "from_points": [_lon_lat(place) for place in request.sources],
        "to_points": [_lon_lat(place) for place in request.targets],
        "profile": PROFILES[request.profile],
        "out_arrays": ["times", "distances"],
        "fail_fast": False,
    }


def isochrone(request: IsochroneRequest, limit: float) -> str:
    """Ask `GET /isochrone` for one contour: buckets would be equal parts, which ours need not."""
    unit = "time_limit" if request.measure is Measure.TIME_S else "distance_limit"
    return urlencode(
        {
            "point": _lat_lon(request.center),
            "profile": PROFILES[request.profile],
            unit: round(limit),
            "buckets": 1,
            "reverse_flow": str(request.reverse).lower(),
        }
    )


def nearest(place: Coordinate, profile: BicycleProfile) -> str:
    """Ask `GET /nearest`."""
    return urlencode({"point": _lat_lon(place), "profile": PROFILES[profile]})


def _lon_lat(place: Coordinate) -> list[float]:
    return [place.lon, place.lat]


def _lat_lon(place: Coordinate) -> str:
    # Never in powers of ten, which not every server reads.
    return f"{place.lat:.{_DECIMALS}f},{place.lon:.{_DECIMALS}f}"
