"""`GET /v2/routes`: what a client was answered lately, to be had again by its id.

A route is told as JSON, GPX or GeoJSON, by the end of its path or by `Accept`; `ETag` is of the
very bytes, so that who has them need not be sent them again.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, Final
from xml.etree import ElementTree as ET

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tandem.sandbox import geometry, limits
from tandem.sandbox.problems import ApiProblem, Code
from tandem.sandbox.v2 import answers
from tandem.sandbox.v2.gate import Gate, Pass

ROUTES_PATH: Final = "/v2/routes"
ROUTE_PATH: Final = "/v2/routes/{id}"
_CACHE: Final = "private, max-age=300, stale-while-revalidate=3600, stale-if-error=86400"
_GPX, _GEOJSON, _JSON = "application/gpx+xml", "application/geo+json", "application/json"
_ENDINGS: Final = {".gpx": _GPX, ".geojson": _GEOJSON}
_GPX_SPACE: Final = "http://www.topografix.com/GPX/1/1"

_NONE: Final[OrderedDict[str, tuple[int, answers.Route]]] = OrderedDict()


class RouteBook:
    """The last routes of each client, by their ids and by the numbers that they came with."""

    def __init__(self) -> None:
        self._kept: dict[str, OrderedDict[str, tuple[int, answers.Route]]] = {}
        self._number = 0

    def keep(self, client_id: str, routes: Iterable[answers.Route]) -> None:
        """Keep routes; beyond a bound the oldest are forgotten."""
        kept = self._kept.setdefault(client_id, OrderedDict())
        for route in routes:
            self._number += 1
            kept[route.id] = (self._number, route)
            kept.move_to_end(route.id)
            if len(kept) > limits.ROUTES_KEPT_MAX:
                kept.popitem(last=False)

    def find(self, client_id: str, route_id: str) -> answers.Route:
        """Return a client's route. Raises ApiProblem where there is none."""
        kept = self._kept.get(client_id)
        if kept is None or route_id not in kept:
            raise ApiProblem(Code.ROUTE_NOT_FOUND)
        return kept[route_id][1]

    def within(self, client_id: str, bounds: Sequence[float] | None) -> list[answers.Route]:
        """Return a client's routes that touch west, south, east and north; the newest first."""
        kept = [route for _, route in reversed(self._kept.get(client_id, _NONE).values())]
        if bounds is None:
            return kept
        west, south, east, north = bounds
        return [
            one
            for one in kept
            if one.bbox[0] <= east and one.bbox[2] >= west
            if one.bbox[1] <= north and one.bbox[3] >= south
        ]

    def page(
        self, client_id: str, before: int | None, limit: int
    ) -> tuple[list[answers.Route], str | None]:
        """Return routes, the newest first, that came before a number; and where to go on."""
        kept = reversed(self._kept.get(client_id, _NONE).values())
        older = [one for one in kept if before is None or one[0] < before]
        page = older[:limit]
        cursor = str(page[-1][0]) if len(older) > limit else None
        return [route for _, route in page], cursor


class SavedRoutes:
    """The endpoints."""

    def __init__(self, gate: Gate, book: RouteBook) -> None:
        self._gate = gate
        self._book = book

    def routes(self) -> list[Route]:
        """Return the HTTP routes."""
        return [
            Route(ROUTES_PATH, self._gate.guard(self._list), methods=["GET"]),
            Route(ROUTE_PATH, self._gate.guard(self._one), methods=["GET"]),
        ]

    async def _list(self, request: Request, admitted: Pass) -> Response:
        before = _number(request, "cursor", 2**53)
        limit = _number(request, "limit", limits.ROUTES_PAGE_MAX)
        items, cursor = self._book.page(
            admitted.account.client.id, before, limit or limits.ROUTES_PAGE_DEFAULT
        )
        told = [item.model_dump(mode="json") for item in items]
        return JSONResponse(
            {"items": told, "next_cursor": cursor}, headers={"Cache-Control": "no-store"}
        )

    async def _one(self, request: Request, admitted: Pass) -> Response:
        route_id, media_type = _wanted(request)
        route = self._book.find(admitted.account.client.id, route_id)
        body = _WRITERS[media_type](route)
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {"ETag": tag, "Cache-Control": _CACHE, "Vary": "Accept"}
        known = {one.strip() for one in request.headers.get("if-none-match", "").split(",")}
        if known & {tag, f"W/{tag}", "*"}:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=media_type, headers=headers)


def _wanted(request: Request) -> tuple[str, str]:
    """Return which route is wanted, in which form."""
    route_id: str = request.path_params["id"]
    for ending, media_type in _ENDINGS.items():
        if route_id.endswith(ending):
            return route_id.removesuffix(ending), media_type
    accepted = request.headers.get("accept", "")
    fitting = (one for one in (_GPX, _GEOJSON) if one in accepted)
    return route_id, next(fitting, _JSON)


def _number(request: Request, name: str, most: int) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    is_number = text.isascii() and text.isdigit() and len(text) <= limits.CURSOR_CHARS_MAX
    if not is_number or not 1 <= int(text) <= most:
        raise ApiProblem(Code.REQUEST_MALFORMED, f"{name} is 1 to {most}")
    return int(text)


def _as_json(route: answers.Route) -> bytes:
    return route.model_dump_json().encode()


def _as_geojson(route: answers.Route) -> bytes:
    told: dict[str, Any] = route.model_dump(mode="json", exclude={"geometry", "bbox", "id"})
    line = {"type": "LineString", "coordinates": _rows(route)}
    feature = {"type": "Feature", "id": route.id, "geometry": line, "properties": told}
    return json.dumps(feature).encode()


def _as_gpx(route: answers.Route) -> bytes:
    root = ET.Element("gpx", {"version": "1.1", "creator": "Bikemap sandbox", "xmlns": _GPX_SPACE})
    track = ET.SubElement(root, "trk")
    ET.SubElement(track, "name").text = route.id
    segment = ET.SubElement(track, "trkseg")
    for lon, lat, *height in _rows(route):
        point = ET.SubElement(segment, "trkpt", {"lat": f"{lat:.6f}", "lon": f"{lon:.6f}"})
        if height:
            ET.SubElement(point, "ele").text = f"{height[0]:.2f}"
    text: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return text


def _rows(route: answers.Route) -> list[list[float]]:
    """Return the vertices as GeoJSON has them."""
    line = route.geometry
    if isinstance(line, answers.GeoJsonGeometry):
        return line.geojson.coordinates
    return geometry.decode_rows(line.polyline, line.dims)


_WRITERS: Final = {_JSON: _as_json, _GEOJSON: _as_geojson, _GPX: _as_gpx}
