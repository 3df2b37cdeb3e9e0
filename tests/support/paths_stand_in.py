"""A provider of the API of paths on a real socket: GraphHopper's shapes over our own engine.

It is written from the API's description alone: milliseconds, five decimals, signs, maps of details,
nulls, `[lon, lat]` in a POST and `lat,lon` in a GET.
"""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.fault_server import FaultServer, Reply, Seen, json_reply

from tandem.resilience.deadline import Deadline
from tandem.routing.domain import polyline
from tandem.routing.domain.answers import (
    CellStatus,
    DomainAnswer,
    Isochrone,
    Matrix,
    Routes,
    Snapped,
)
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.errors import NoRoute, NotSnapped, OutOfCoverage, Refusal, TooLong
from tandem.routing.domain.maneuver import Maneuver
from tandem.routing.domain.preference import BicycleProfile
from tandem.routing.domain.request import (
    Include,
    IsochroneRequest,
    MatrixRequest,
    Measure,
    Request,
    RouteRequest,
    SnapRequest,
)
from tandem.routing.domain.route import Route
from tandem.routing.domain.segment import SegmentKind
from tandem.routing.providers.valhalla import Valhalla

KEY = "canary-key-of-the-tests"
_CREDITS = {"X-RateLimit-Credits": "1.5", "X-RateLimit-Remaining": "-3.25"}
_PROFILES = {
    "bike": BicycleProfile.TOURING,
    "racingbike": BicycleProfile.ROAD,
    "mtb": BicycleProfile.MTB,
}
_SIGNS = {
    Maneuver.U_TURN_LEFT: -8,
    Maneuver.KEEP_LEFT: -7,
    Maneuver.ROUNDABOUT_EXIT: -6,
    Maneuver.TURN_SHARP_LEFT: -3,
    Maneuver.TURN_LEFT: -2,
    Maneuver.TURN_SLIGHT_LEFT: -1,
    Maneuver.TURN_SLIGHT_RIGHT: 1,
    Maneuver.TURN_RIGHT: 2,
    Maneuver.TURN_SHARP_RIGHT: 3,
    Maneuver.ROUNDABOUT_ENTER: 6,
    Maneuver.KEEP_RIGHT: 7,
    Maneuver.U_TURN_RIGHT: 8,
}
_CLASSES = {
    NotSnapped: "com.graphhopper.util.exceptions.PointNotFoundException",
    NoRoute: "com.graphhopper.util.exceptions.ConnectionNotFoundException",
    OutOfCoverage: "com.graphhopper.util.exceptions.PointOutOfBoundsException",
    TooLong: "com.graphhopper.util.exceptions.PointDistanceExceededException",
}


def paths_server(valhalla_url: str, prefix: str, details: tuple[str, str]) -> FaultServer:
    """Make a server; `details` are its words for surfaces and kinds of ways."""

    def script(seen: Seen) -> Reply:
        url = urlsplit(seen.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if KEY not in {seen.headers.get("x-api-key"), query.get("key")}:
            return json_reply(401, {"message": "Wrong credentials."}, **_headers())
        path = url.path.removeprefix(prefix)
        try:
            return json_reply(200, _answer(path, query, seen.body), **_headers())
        except Refusal as refusal:
            details_of = _CLASSES.get(type(refusal), "java.lang.IllegalArgumentException")
            hints = [{"message": "no", "details": details_of}]
            return json_reply(400, {"message": "no", "hints": hints}, **_headers())

    def _answer(path: str, query: dict[str, str], content: bytes) -> Any:
        body = json.loads(content or b"{}")
        match path:
            case "/route":
                return _paths(body, _ask(valhalla_url, _route_request(body)), details)
            case "/matrix":
                sources, targets = map(_places, (body["from_points"], body["to_points"]))
                profile = _PROFILES[body["profile"]]
                return _matrix(_ask(valhalla_url, MatrixRequest(sources, targets, profile)))
            case "/isochrone":
                return _isochrone(_ask(valhalla_url, _isochrone_request(query)))
            case _:
                assert path == "/nearest"
                snapped = _ask(valhalla_url, SnapRequest((_lat_lon(query["point"]),)))
                assert isinstance(snapped, Snapped)
                (point,) = snapped.points
                if point is None:
                    raise NotSnapped("no")
                at = [point.place.lon, point.place.lat]
                return {"coordinates": at, "distance": point.snap_distance_m}

    return FaultServer(script)


def _headers() -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in _CREDITS.items()} | {
        "X_RateLimit_Reset": "7200"
    }


def _ask(valhalla_url: str, request: Request) -> DomainAnswer:
    """Ask the engine, in a thread: the script of a server is no coroutine."""

    async def ask() -> DomainAnswer:
        async with Valhalla(valhalla_url) as engine:
            return (await engine.call(request, Deadline.after_ms(10_000))).answer

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, ask()).result()


def _places(rows: list[list[float]]) -> tuple[Coordinate, ...]:
    return tuple(Coordinate(lon=row[0], lat=row[1]) for row in rows)


def _lat_lon(text: str) -> Coordinate:
    lat, lon = map(float, text.split(","))
    return Coordinate(lon=lon, lat=lat)


def _route_request(body: dict[str, Any]) -> RouteRequest:
    request = RouteRequest.through(*_places(body["points"]), profile=_PROFILES[body["profile"]])
    others = body.get("alternative_route.max_paths", 1) - 1
    return replace(request, alternatives=others, include=frozenset(Include))


def _isochrone_request(query: dict[str, str]) -> IsochroneRequest:
    is_time = "time_limit" in query
    limit = float(query["time_limit" if is_time else "distance_limit"])
    measure = Measure.TIME_S if is_time else Measure.DISTANCE_M
    return IsochroneRequest(
        _lat_lon(query["point"]), (limit,), measure, _PROFILES[query["profile"]]
    )


def _paths(body: dict[str, Any], answer: DomainAnswer, details: tuple[str, str]) -> Any:
    assert isinstance(answer, Routes)
    paths = [_path(route, body, details) for route in answer.routes]
    return {"paths": paths, "info": {"copyrights": ["© Test"], "took": 3}}


def _path(route: Route, body: dict[str, Any], details: tuple[str, str]) -> Any:
    assert route.heights_m is not None
    ends = [0, *(leg.end_index for leg in route.legs)]
    instructions = [
        {
            "text": step.instruction,
            "street_name": step.street_name,
            "distance": step.distance_m,
            "time": round(step.duration_s * 1_000),
            "interval": [step.begin_index, step.end_index],
            "sign": (4 if leg is route.legs[-1] else 5)
            if step.maneuver is Maneuver.ARRIVE
            else _SIGNS.get(step.maneuver, 0),
        }
        for leg in route.legs
        for step in leg.steps
    ]
    kinds = dict(zip(details, (SegmentKind.SURFACE, SegmentKind.WAY_TYPE), strict=True))
    return {
        "distance": route.distance_m,
        "time": round(route.duration_s * 1_000),
        "ascend": route.ascent_m,
        "descend": route.descent_m,
        "points_encoded": True,
        "points": polyline.encode_3d(route.geometry, route.heights_m, 5),
        "snapped_waypoints": polyline.encode_3d(
            [route.geometry[end] for end in ends], [route.heights_m[end] for end in ends], 5
        ),
        "instructions": instructions,
        "details": {
            name: [
                [one.begin_index, one.end_index, one.value.value]
                for one in route.segments
                if one.kind is kinds[name]
            ]
            for name in body.get("details", [])
        },
    }


def _matrix(answer: DomainAnswer) -> Any:
    assert isinstance(answer, Matrix)
    off = [
        column
        for column in range(len(answer.cells[0]))
        if all(row[column].status is CellStatus.NOT_SNAPPED for row in answer.cells)
    ]
    return {
        "distances": [[cell.distance_m for cell in row] for row in answer.cells],
        "times": [[cell.duration_s for cell in row] for row in answer.cells],
        "hints": [{"message": "Cannot find to_points", "invalid_to_points": off}] if off else [],
    }


def _isochrone(answer: DomainAnswer) -> Any:
    assert isinstance(answer, Isochrone)
    shapes = [
        [[[at.lon, at.lat] for at in ring] for ring in polygon]
        for polygon in answer.contours[0].polygons
    ]
    shape = {"type": "MultiPolygon", "coordinates": shapes}
    feature = {"type": "Feature", "properties": {"bucket": 0}, "geometry": shape}
    return {"polygons": [feature], "info": {"took": 1}}
