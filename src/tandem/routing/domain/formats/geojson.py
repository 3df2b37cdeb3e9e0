"""Routes as GeoJSON (RFC 7946): longitude first, heights third where they are known."""

from collections.abc import Sequence
from typing import Any, Final

from tandem.routing.domain.answers import Contour, Isochrone, Ring, Routes
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.request import Measure
from tandem.routing.domain.route import Route

MEDIA_TYPE: Final = "application/geo+json"
_DECIMALS: Final = 7


def route_collection(routes: Routes, attribution: Sequence[str]) -> dict[str, Any]:
    """Return a FeatureCollection: a LineString for each route, the best first."""
    return {
        "type": "FeatureCollection",
        "features": [_route(route, number) for number, route in enumerate(routes.routes)],
        "attribution": list(attribution),
    }


def isochrone_collection(
    isochrone: Isochrone, measure: Measure, attribution: Sequence[str]
) -> dict[str, Any]:
    """Return a FeatureCollection: a MultiPolygon for each contour, with its limit."""
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {measure.value: contour.limit},
                "geometry": {"type": "MultiPolygon", "coordinates": multi_polygon(contour)},
            }
            for contour in isochrone.contours
        ],
        "attribution": list(attribution),
    }


def positions(line: Sequence[Coordinate], heights_m: Sequence[float] | None) -> list[list[float]]:
    """Return the positions of a line, with heights where they are given."""
    if heights_m is None:
        return [[place.lon, place.lat] for place in line]
    pairs = zip(line, heights_m, strict=True)
    return [[place.lon, place.lat, height_m] for place, height_m in pairs]


def multi_polygon(contour: Contour) -> list[list[list[list[float]]]]:
    """Return the coordinates of a contour's polygons."""
    return [[_ring(ring) for ring in polygon] for polygon in contour.polygons]


def _ring(ring: Ring) -> list[list[float]]:
    return [[round(place.lon, _DECIMALS), round(place.lat, _DECIMALS)] for place in ring]


def _route(route: Route, number: int) -> dict[str, Any]:
    area = route.area
    return {
        "type": "Feature",
        "bbox": [area.west, area.south, area.east, area.north],
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
