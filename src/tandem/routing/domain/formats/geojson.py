"""Routes as GeoJSON (RFC 7946): longitude first, heights third where they are known."""

from collections.abc import Sequence
from typing import Any, Final

from tandem.routing.domain.answers import Contour, DomainAnswer, Isochrone, Ring, Routes
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.request import Measure
from tandem.routing.domain.result import Result
from tandem.routing.domain.route import Route

MEDIA_TYPE: Final = "application/geo+json"
_DECIMALS: Final = 7


def route_collection(result: Result[Routes]) -> dict[str, Any]:
    """Return a FeatureCollection: a LineString for each route, the best first, and the label."""
    routes = result.answer.routes
    return _collection(result, [_route(route, number) for number, route in enumerate(routes)])


def isochrone_collection(result: Result[Isochrone], measure: Measure) -> dict[str, Any]:
    """Return a FeatureCollection: a MultiPolygon with its limit for each contour, and the label."""
    return _collection(
        result,
        [
            {
                "type": "Feature",
                "properties": {measure.value: contour.limit},
                "geometry": {"type": "MultiPolygon", "coordinates": multi_polygon(contour)},
            }
            for contour in result.answer.contours
        ],
    )


def positions(line: Sequence[Coordinate], heights_m: Sequence[float] | None) -> list[list[float]]:
    """Return the positions of a line, with heights where they are given."""
    if heights_m is None:
        return [[place.lon, place.lat] for place in line]
    pairs = zip(line, heights_m, strict=True)
    return [[place.lon, place.lat, height_m] for place, height_m in pairs]


def multi_polygon(contour: Contour) -> list[list[list[list[float]]]]:
    """Return the coordinates of a contour's polygons."""
    return [[_ring(ring) for ring in polygon] for polygon in contour.polygons]


def _collection[A: DomainAnswer](
    result: Result[A], features: list[dict[str, Any]]
) -> dict[str, Any]:
    """Put the label beside the features, as members that RFC 7946 leaves to us."""
    return {
        "type": "FeatureCollection",
        "features": features,
        "provider": result.provider,
        "freshness": result.freshness.value,
        "degraded": result.degraded,
        "attribution": list(result.attribution),
        "age_s": result.age_s,
    }


def _ring(ring: Ring) -> list[list[float]]:
    return [[round(place.lon, _DECIMALS), round(place.lat, _DECIMALS)] for place in ring]


def _box(route: Route) -> list[float]:
    """Return the corners: as many numbers each as a position of the line has."""
    area, heights_m = route.area, route.heights_m
    lowest, highest = ([], []) if heights_m is None else ([min(heights_m)], [max(heights_m)])
    return [area.west, area.south, *lowest, area.east, area.north, *highest]


def _route(route: Route, number: int) -> dict[str, Any]:
    return {
        "type": "Feature",
        "bbox": _box(route),
        "properties": {
            "alternative": number,
            "distance_m": route.distance_m,
            "duration_s": route.duration_s,
            "ascent_m": route.ascent_m,
            "descent_m": route.descent_m,
            "warnings": [warning.code for warning in route.warnings],
        },
        "geometry": {
            "type": "LineString",
            "coordinates": positions(route.geometry, route.heights_m),
        },
    }
