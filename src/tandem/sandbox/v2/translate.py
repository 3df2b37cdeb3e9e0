"""Between the contract and the engine: wishes there, trips back. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal

from tandem.platform.engine.geography import Place
from tandem.sandbox import geometry, limits
from tandem.sandbox.v2 import answers
from tandem.sandbox.v2.maneuvers import maneuver
from tandem.sandbox.v2.requests import (
    Avoidance,
    ComputeRequest,
    GeometryFormat,
    GeometryRequest,
    Include,
    Profile,
    SurfacePreference,
    Waypoint,
    WaypointKind,
)
from tandem.sandbox.v2.ways import surface, way_type

BICYCLE_TYPES: Final[Mapping[Profile, str]] = {
    Profile.TOURING: "Hybrid",
    Profile.ROAD: "Road",
    Profile.MTB: "Mountain",
}
_AVOID_BAD_SURFACES: Final[Mapping[SurfacePreference, float]] = {
    SurfacePreference.ANY: 0.25,
    SurfacePreference.PAVED: 0.6,
    SurfacePreference.SMOOTH: 0.9,
}
_E_BIKE_SPEED_KMH: Final = 23.0
_METRES_PER_KM: Final = 1_000


def costing_options(request: ComputeRequest) -> dict[str, Any]:
    """Say the profile and the wishes in the engine's words."""
    options = request.options
    chosen: dict[str, Any] = {
        "bicycle_type": BICYCLE_TYPES[request.profile],
        "avoid_bad_surfaces": _AVOID_BAD_SURFACES[options.surface_preference],
    }
    if options.e_bike:
        # A motor makes hills matter less; a road bicycle is as fast without one.
        chosen["use_hills"] = 0.9
        if request.profile is not Profile.ROAD:
            chosen["cycling_speed"] = _E_BIKE_SPEED_KMH
    if Avoidance.FERRIES in options.avoid:
        chosen["use_ferry"] = 0.0
    if Avoidance.HILLS in options.avoid:
        chosen["use_hills"] = 0.0
    if Avoidance.BUSY_ROADS in options.avoid:
        chosen["use_roads"] = 0.0
    if Avoidance.UNPAVED in options.avoid:
        chosen["avoid_bad_surfaces"] = _AVOID_BAD_SURFACES[SurfacePreference.SMOOTH]
    return chosen


def location(waypoint: Waypoint) -> dict[str, Any]:
    """Say a waypoint in the engine's words."""
    said: dict[str, Any] = {
        "lon": waypoint.lon,
        "lat": waypoint.lat,
        "type": "break" if waypoint.kind is WaypointKind.STOP else "via",
        "search_cutoff": waypoint.radius_m,
    }
    return said if waypoint.heading is None else said | {"heading": waypoint.heading}


@dataclass(frozen=True, slots=True)
class Line:
    """A trip's whole line; each leg covers the vertices from one boundary to the next."""

    places: tuple[Place, ...]
    boundaries: tuple[int, ...]


def line_of(trip: Mapping[str, Any]) -> Line:
    """Join the lines of a trip's legs; the place where two legs meet is in it once."""
    places: list[Place] = []
    boundaries = [0]
    for leg in trip["legs"]:
        leg_places = geometry.decode_polyline6(leg["shape"])
        places += leg_places[1:] if places else leg_places
        boundaries.append(len(places) - 1)
    return Line(tuple(places), tuple(boundaries))


def route(
    trip: Mapping[str, Any],
    line: Line,
    heights_m: Sequence[float],
    segments: list[answers.Segment],
    request: ComputeRequest,
) -> answers.Route:
    """Say a trip in the contract's words."""
    ascent_m, descent_m = geometry.climb_m(heights_m, limits.CLIMB_NOISE_M)
    written = _geometry(request.geometry, line.places, heights_m)
    with_steps = Include.STEPS in request.include
    return answers.Route(
        id=_route_id(request.profile, trip, written),
        distance_m=_metres(trip["summary"]["length"]),
        duration_s=round(trip["summary"]["time"], 1),
        ascent_m=round(ascent_m, 1),
        descent_m=round(descent_m, 1),
        geometry=written,
        bbox=geometry.bounding_box(line.places),
        legs=[
            _leg(leg, begin, end, with_steps=with_steps)
            for leg, (begin, end) in zip(trip["legs"], pairwise(line.boundaries), strict=True)
        ],
        segments=segments,
    )


def segments(
    edges_of_legs: Sequence[Sequence[Mapping[str, Any]]], line: Line, include: Sequence[Include]
) -> list[answers.Segment]:
    """Say what the ways under a line are like, one segment for each stretch of one value."""
    found: list[answers.Segment] = []
    for kind in ("surface", "way_type"):
        if Include(kind) in include:
            found += _merged(_runs(kind, edges_of_legs, line))
    return found


def _runs(
    kind: Literal["surface", "way_type"],
    edges_of_legs: Sequence[Sequence[Mapping[str, Any]]],
    line: Line,
) -> list[answers.Segment]:
    runs = []
    for offset, edges in zip(line.boundaries[:-1], edges_of_legs, strict=True):
        for edge in edges:
            value = (
                surface(edge.get("surface"))
                if kind == "surface"
                else way_type(edge.get("use"), edge.get("road_class"))
            )
            begin, end = offset + edge["begin_shape_index"], offset + edge["end_shape_index"]
            runs.append(answers.Segment(kind=kind, begin=begin, end=end, value=value))
    return runs


def _merged(runs: Sequence[answers.Segment]) -> list[answers.Segment]:
    merged: list[answers.Segment] = []
    for run in runs:
        before = merged[-1] if merged else None
        if before and before.value == run.value and before.end == run.begin:
            merged[-1] = before.model_copy(update={"end": run.end})
        else:
            merged.append(run)
    return merged


def snapped(places: Sequence[Place], distances_m: Sequence[float]) -> list[answers.SnappedWaypoint]:
    """Say where waypoints lie on the network, and how far that is from where they were."""
    return [
        answers.SnappedWaypoint(
            snapped=answers.LonLat(lon=round(place.lon, 6), lat=round(place.lat, 6)),
            snap_distance_m=round(distance, 1),
        )
        for place, distance in zip(places, distances_m, strict=True)
    ]


def places_on_line(waypoints: Sequence[Waypoint], line: Line) -> list[Place]:
    """Find where a route meets its waypoints: legs end at stops, the line passes the others."""
    boundaries = iter(line.boundaries)
    return [
        line.places[next(boundaries)]
        if waypoint.kind is WaypointKind.STOP
        else geometry.nearest_on_line(line.places, Place(waypoint.lon, waypoint.lat))
        for waypoint in waypoints
    ]


def _leg(leg: Mapping[str, Any], begin: int, end: int, *, with_steps: bool) -> answers.Leg:
    return answers.Leg(
        distance_m=_metres(leg["summary"]["length"]),
        duration_s=round(leg["summary"]["time"], 1),
        begin=begin,
        end=end,
        steps=[_step(said, begin) for said in leg["maneuvers"]] if with_steps else [],
    )


def _step(said: Mapping[str, Any], offset: int) -> answers.Step:
    kind, modifier = maneuver(said["type"])
    return answers.Step(
        maneuver=kind,
        modifier=modifier,
        instruction=said["instruction"],
        begin=offset + said["begin_shape_index"],
        end=offset + said["end_shape_index"],
        distance_m=_metres(said["length"]),
        duration_s=round(said["time"], 1),
    )


def _metres(length_km: float) -> float:
    return round(length_km * _METRES_PER_KM, 1)


def _geometry(
    wanted: GeometryRequest, places: Sequence[Place], heights_m: Sequence[float]
) -> answers.PolylineGeometry | answers.GeoJsonGeometry:
    heights = heights_m if wanted.dims == 3 else None  # noqa: PLR2004 - dimensions
    if wanted.format is GeometryFormat.POLYLINE6:
        text = geometry.encode_polyline6(places, heights)
        return answers.PolylineGeometry(dims=wanted.dims, polyline=text)
    coordinates = [[place.lon, place.lat] for place in places]
    if heights is not None:
        coordinates = [
            [*lon_lat, height] for lon_lat, height in zip(coordinates, heights, strict=True)
        ]
    return answers.GeoJsonGeometry(
        dims=wanted.dims, geojson=answers.LineString(coordinates=coordinates)
    )


def _route_id(
    profile: Profile,
    trip: Mapping[str, Any],
    written: answers.PolylineGeometry | answers.GeoJsonGeometry,
) -> str:
    """Name a route by what it is, so that the same request gets the same id."""
    text = f"{profile}/{trip['summary']['time']}/{written.model_dump_json()}"
    return "rt_" + hashlib.sha256(text.encode()).hexdigest()[:24]
