"""The domain's questions in Valhalla's words. Pure."""

from typing import Any

from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.preference import Avoid, BicycleProfile, Preferences, SurfacePreference
from tandem.routing.domain.request import (
    Include,
    IsochroneRequest,
    MatrixRequest,
    Measure,
    RouteRequest,
    SnapRequest,
)
from tandem.routing.domain.waypoint import Waypoint, WaypointKind
from tandem.routing.limits import SNAP_RADIUS_M
from tandem.routing.providers.valhalla.words import BICYCLE_TYPES

_SECONDS_PER_MINUTE = 60.0
_METRES_PER_KM = 1_000.0
# How far bad surfaces are kept away from, from 0 to 1; Valhalla's own default lies between.
_BAD_SURFACES_WELCOME, _BAD_SURFACES_SHUNNED, _BAD_SURFACES_FORBIDDEN = 0.0, 0.8, 1.0


def route(request: RouteRequest) -> dict[str, Any]:
    """Ask `/route`."""
    wants_steps = Include.MANEUVERS in request.include
    return {
        "locations": [_location(waypoint) for waypoint in request.waypoints],
        **_costing(request.profile, request.preferences),
        "units": "kilometers",
        "directions_type": "instructions" if wants_steps else "none",
        "alternates": request.alternatives,
    }


def heights(polyline6: str) -> dict[str, Any]:
    """Ask `/height` for the heights along a line."""
    return {"encoded_polyline": polyline6, "height_precision": 1}


def ways(polyline6: str, request: RouteRequest) -> dict[str, Any]:
    """Ask `/trace_attributes` what a line runs on, vertex by vertex as it was given."""
    attributes = ("surface", "use", "road_class", "begin_shape_index", "end_shape_index")
    return {
        "encoded_polyline": polyline6,
        **_costing(request.profile, request.preferences),
        "shape_match": "edge_walk",
        "filters": {"attributes": [f"edge.{one}" for one in attributes], "action": "include"},
    }


def matrix(request: MatrixRequest) -> dict[str, Any]:
    """Ask `/sources_to_targets`."""
    return {
        "sources": [_exactly(place) for place in request.sources],
        "targets": [_exactly(place) for place in request.targets],
        **_costing(request.profile, Preferences()),
        "units": "kilometers",
        "verbose": False,
    }


def isochrone(request: IsochroneRequest) -> dict[str, Any]:
    """Ask `/isochrone`, whose contours are minutes or kilometres."""
    if request.measure is Measure.TIME_S:
        contours = [{"time": limit / _SECONDS_PER_MINUTE} for limit in request.contours]
    else:
        contours = [{"distance": limit / _METRES_PER_KM} for limit in request.contours]
    return {
        "locations": [_exactly(request.center)],
        **_costing(request.profile, Preferences()),
        "contours": contours,
        "polygons": True,
        "reverse": request.reverse,
    }


def snap(request: SnapRequest) -> dict[str, Any]:
    """Ask `/locate`."""
    return {
        "locations": [
            {"lon": place.lon, "lat": place.lat, "search_cutoff": request.radius_m}
            for place in request.places
        ],
        **_costing(request.profile, Preferences()),
        "verbose": False,
    }


def elevation(places: tuple[Coordinate, ...]) -> dict[str, Any]:
    """Ask `/height` for the heights of places."""
    shape = [{"lon": place.lon, "lat": place.lat} for place in places]
    return {"shape": shape, "height_precision": 1}


def _location(waypoint: Waypoint) -> dict[str, Any]:
    heading = {} if waypoint.heading_deg is None else {"heading": round(waypoint.heading_deg)}
    return {
        "lon": waypoint.place.lon,
        "lat": waypoint.place.lat,
        "type": "break" if waypoint.kind is WaypointKind.STOP else "via",
        "search_cutoff": waypoint.snap_radius_m,
        **heading,
    }


def _exactly(place: Coordinate) -> dict[str, Any]:
    return {"lon": place.lon, "lat": place.lat, "search_cutoff": SNAP_RADIUS_M}


def _costing(profile: BicycleProfile, wishes: Preferences) -> dict[str, Any]:
    options: dict[str, Any] = {"bicycle_type": BICYCLE_TYPES[profile]}
    if wishes.surface is SurfacePreference.PAVED:
        options["avoid_bad_surfaces"] = _BAD_SURFACES_SHUNNED
    if wishes.surface is SurfacePreference.UNPAVED:
        options["avoid_bad_surfaces"] = _BAD_SURFACES_WELCOME
    if Avoid.UNPAVED in wishes.avoid:
        options["avoid_bad_surfaces"] = _BAD_SURFACES_FORBIDDEN
    if Avoid.BUSY_ROADS in wishes.avoid:
        options["use_roads"] = 0.0
    if Avoid.FERRIES in wishes.avoid:
        options["use_ferry"] = 0.0
    return {"costing": "bicycle", "costing_options": {"bicycle": options}}
