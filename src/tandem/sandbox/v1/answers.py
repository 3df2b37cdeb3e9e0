"""Version 2's answers in version 1's words: milliseconds, five digits, maps and nulls. Pure."""

from collections.abc import Sequence
from typing import Any

from tandem.platform.engine.geography import Place, distance_m
from tandem.sandbox import geometry
from tandem.sandbox.v1.requests import MatrixQuestion, RouteQuestion
from tandem.sandbox.v1.words import DETAILS, FINISH, REACHED_VIA, sign
from tandem.sandbox.v2 import answers, surveys
from tandem.sandbox.v2.jobs.book import OPEN, Job, JobStatus
from tandem.sandbox.v2.maneuvers import ManeuverKind

_MS_PER_S = 1_000
_NO_WAY = "com.graphhopper.util.exceptions.ConnectionNotFoundException"
_NO_POINT = "com.graphhopper.util.exceptions.PointNotFoundException"


def paths(answer: answers.ComputeAnswer, question: RouteQuestion, took_ms: int) -> dict[str, Any]:
    """Say routes."""
    return {
        "paths": [_path(route, answer, question) for route in answer.routes],
        "info": {
            "copyrights": answer.attribution,
            "took": took_ms,
            "road_data_timestamp": answer.data_version,
        },
    }


def saved(route: answers.Route) -> dict[str, Any]:
    """Say a route that was computed before, as the service for people has it."""
    return {
        "id": route.id,
        "distance": route.distance_m,
        "duration": route.duration_s,
        "ascent": route.ascent_m,
        "descent": route.descent_m,
        "bounds": list(route.bbox),
    }


def solution(job: Job, question: MatrixQuestion) -> dict[str, Any]:
    """Say how far a matrix is that is computed apart, and what came of it."""
    if job.status in OPEN:
        return {"status": "waiting" if job.status is JobStatus.QUEUED else "processing"}
    if job.failures or not job.results:
        return {"status": "failed"}
    computed = surveys.MatrixAnswer.model_validate(job.results[0]["matrix"])
    return {"status": "finished", "solution": matrix(computed, question)}


def matrix(answer: surveys.MatrixAnswer, question: MatrixQuestion) -> dict[str, Any]:
    """Say a matrix: null where there is no way, with a hint of why."""
    arrays: dict[str, Any] = {}
    if "distances" in question.out_arrays:
        arrays["distances"] = [[_whole(one.distance_m) for one in row] for row in answer.cells]
    if "times" in question.out_arrays:
        arrays["times"] = [[_whole(one.duration_s) for one in row] for row in answer.cells]
    if "weights" in question.out_arrays:
        arrays["weights"] = [[one.duration_s for one in row] for row in answer.cells]
    hints = matrix_hints(answer)
    return {**arrays, **({"hints": hints} if hints else {}), "info": {"took": 1}}


def matrix_hints(answer: surveys.MatrixAnswer) -> list[dict[str, Any]]:
    """Say which points and which pairs have no way."""
    cells = answer.cells
    lost_rows = [
        row for row, some in enumerate(cells) if all(cell.status == "not_snapped" for cell in some)
    ]
    lost_columns = [
        column
        for column in range(len(cells[0]))
        if all(row[column].status == "not_snapped" for row in cells)
    ]
    pairs = [
        [row, column]
        for row, some in enumerate(cells)
        for column, cell in enumerate(some)
        if cell.status == "unreachable"
    ]
    hints: list[dict[str, Any]] = []
    if lost_rows or lost_columns:
        hints.append(
            {
                "message": "Cannot find points",
                "details": _NO_POINT,
                "invalid_from_points": lost_rows,
                "invalid_to_points": lost_columns,
            }
        )
    if pairs:
        hints.append({"message": "Connection not found", "details": _NO_WAY, "point_pairs": pairs})
    return hints


def isochrone(answer: surveys.IsochroneAnswer) -> dict[str, Any]:
    """Say an isochrone: GeoJSON features, numbered from the nearest bucket."""
    features = []
    for bucket, contour in enumerate(answer.contours):
        polygons = contour.geojson.coordinates
        kind = "Polygon" if len(polygons) == 1 else "MultiPolygon"
        coordinates: Any = polygons[0] if len(polygons) == 1 else polygons
        features.append(
            {
                "type": "Feature",
                "properties": {"bucket": bucket},
                "geometry": {"type": kind, "coordinates": coordinates},
            }
        )
    return {"polygons": features, "info": {"copyrights": answer.attribution, "took": 1}}


def nearest(point: surveys.SnappedPoint) -> dict[str, Any]:
    """Say the nearest point."""
    assert point.snapped is not None  # noqa: S101 - the caller looked
    return {
        "type": "NEAREST",
        "coordinates": [point.snapped.lon, point.snapped.lat],
        "distance": point.snap_distance_m,
    }


def _path(
    route: answers.Route, answer: answers.ComputeAnswer, question: RouteQuestion
) -> dict[str, Any]:
    assert isinstance(route.geometry, answers.GeoJsonGeometry)  # noqa: S101 - as it was asked for
    line = route.geometry.geojson.coordinates
    snapped = [_with_height(one.snapped, line) for one in answer.waypoints]
    path: dict[str, Any] = {
        "distance": route.distance_m,
        "time": round(route.duration_s * _MS_PER_S),
        "weight": route.duration_s,
        "transfers": 0,
        "snapped_waypoints": _points(snapped, question, with_heights=question.elevation),
        "points_encoded": question.points_encoded,
    }
    if question.elevation:
        path |= {"ascend": route.ascent_m, "descend": route.descent_m}
    if question.calc_points:
        path["bbox"] = list(route.bbox)
        path["points"] = _points(line, question, with_heights=question.elevation)
    if question.instructions:
        path["instructions"] = _instructions(route)
    if question.details:
        path["details"] = _details(route, question.details)
    return path


def _with_height(place: answers.LonLat, line: Sequence[Sequence[float]]) -> list[float]:
    """Give a place on a line the height of the vertex that is nearest to it."""
    at = Place(place.lon, place.lat)
    nearest = min(line, key=lambda vertex: distance_m(at, Place(vertex[0], vertex[1])))
    return [place.lon, place.lat, nearest[2]]


def _points(line: Sequence[Sequence[float]], question: RouteQuestion, *, with_heights: bool) -> Any:
    if not question.points_encoded:
        rows = [list(at) if with_heights else list(at[:2]) for at in line]
        return {"type": "LineString", "coordinates": rows}
    places = [Place(at[0], at[1]) for at in line]
    heights_m = [at[2] for at in line] if with_heights else None
    return geometry.encode_polyline5(places, heights_m)


def _instructions(route: answers.Route) -> list[dict[str, Any]]:
    """Say the steps of all legs as one list; where a leg ends within the route a via is reached."""
    said: list[dict[str, Any]] = []
    for number, leg in enumerate(route.legs):
        for step in leg.steps:
            turn = sign(step.maneuver, step.modifier)
            is_last = number == len(route.legs) - 1
            if turn == FINISH and not is_last:
                turn = REACHED_VIA
            if step.maneuver is ManeuverKind.DEPART and number:
                turn = 0
            said.append(
                {
                    "text": step.instruction,
                    "street_name": "",
                    "distance": step.distance_m,
                    "time": round(step.duration_s * _MS_PER_S),
                    "interval": [step.begin, step.end],
                    "sign": turn,
                }
            )
    return said


def _details(route: answers.Route, wanted: Sequence[str]) -> dict[str, Any]:
    return {
        name: [
            [one.begin, one.end, one.value]
            for one in route.segments
            if one.kind == DETAILS[name].value
        ]
        for name in wanted
        if name in DETAILS
    }


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
