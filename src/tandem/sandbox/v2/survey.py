"""Matrices, isochrones, points and heights, computed on the engine."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tandem.platform.engine.geography import Place, distance_m
from tandem.sandbox import engine, limits
from tandem.sandbox.problems import ApiProblem, Code, Fault
from tandem.sandbox.v2 import surveys
from tandem.sandbox.v2.answers import LonLat
from tandem.sandbox.v2.compute import ATTRIBUTION, coverage
from tandem.sandbox.v2.requests import Profile
from tandem.sandbox.v2.room import Room
from tandem.sandbox.v2.translate import BICYCLE_TYPES

_METRES_PER_KM: Final = 1_000
_SECONDS_PER_MINUTE: Final = 60

type _Cells = list[list[surveys.Cell]]
_UNREACHABLE: Final = surveys.Cell(status="unreachable")
_NOT_SNAPPED: Final = surveys.Cell(status="not_snapped")


@dataclass(frozen=True, slots=True)
class Surveyor:
    """Computes on an engine, where there is room; `version` names the data."""

    engine: engine.Engine
    room: Room
    version: Callable[[], Awaitable[str]]

    async def matrix(self, request: surveys.MatrixRequest) -> surveys.MatrixAnswer:
        """Answer a request. Raises ApiProblem."""
        sources, targets = _places(request.sources), _places(request.targets)
        async with self.room.place():
            off = await self._off_network(sources + targets, request.profile)
            cells = [[_NOT_SNAPPED] * len(targets) for _ in sources]
            rows = [at for at, place in enumerate(sources) if place not in off]
            columns = [at for at, place in enumerate(targets) if place not in off]
            if rows and columns:
                known = await self._cells(
                    [sources[row] for row in rows],
                    [targets[column] for column in columns],
                    request.profile,
                )
                for row, found in zip(rows, known, strict=True):
                    for column, cell in zip(columns, found, strict=True):
                        cells[row][column] = cell
            return surveys.MatrixAnswer(cells=cells, **await self._sources())

    async def isochrones(self, request: surveys.IsochroneRequest) -> surveys.IsochroneAnswer:
        """Answer a request. Raises ApiProblem."""
        center = Place(request.center.lon, request.center.lat)
        if not coverage().contains(center):
            code = Code.ROUTE_OUT_OF_COVERAGE
            raise ApiProblem(code, faults=[Fault("/center", code, point_index=0)])
        is_time = request.measure is surveys.Measure.TIME_S
        name, unit = ("time", _SECONDS_PER_MINUTE) if is_time else ("distance", _METRES_PER_KM)
        body = {
            **_costing(request.profile),
            "locations": [_location(center, limits.SNAP_RADIUS_M_DEFAULT)],
            "contours": [{name: limit / unit} for limit in request.contours],
            "polygons": True,
            "reverse": request.reverse,
        }
        async with self.room.place():
            try:
                features = (await self.engine.ask("/isochrone", body))["features"]
            except (engine.NotSnapped, engine.NoPath) as error:
                code = Code.ROUTE_POINT_NOT_SNAPPED
                raise ApiProblem(code, faults=[Fault("/center", code, point_index=0)]) from error
            drawn = {
                round(feature["properties"]["contour"] * unit, 3): feature["geometry"]
                for feature in features
            }
            contours = [
                surveys.Contour(limit=limit, geojson=_polygons(drawn.get(round(limit, 3))))
                for limit in request.contours
            ]
            return surveys.IsochroneAnswer(contours=contours, **await self._sources())

    async def snap(self, request: surveys.SnapRequest) -> surveys.SnapAnswer:
        """Answer a request. Raises ApiProblem."""
        async with self.room.place():
            found = await self._nearest(_places(request.points), request.profile, request.radius_m)
            points = [
                surveys.SnappedPoint(status="not_snapped")
                if nearest is None
                else surveys.SnappedPoint(
                    status="ok",
                    snapped=LonLat(lon=round(nearest.lon, 6), lat=round(nearest.lat, 6)),
                    snap_distance_m=round(distance_m(place, nearest), 1),
                )
                for place, nearest in found
            ]
            return surveys.SnapAnswer(points=points, **await self._sources())

    async def elevation(self, request: surveys.ElevationRequest) -> surveys.ElevationAnswer:
        """Answer a request. Raises ApiProblem."""
        shape = [{"lon": point.lon, "lat": point.lat} for point in request.points]
        async with self.room.place():
            answer = await self.engine.ask("/height", {"shape": shape, "height_precision": 1})
            return surveys.ElevationAnswer(heights_m=answer["height"], **await self._sources())

    async def _cells(
        self, sources: Sequence[Place], targets: Sequence[Place], profile: Profile
    ) -> _Cells:
        """Ask for all; the engine refuses a whole matrix for one pair, so then pair by pair."""
        try:
            return await self._block(sources, targets, profile)
        except (engine.NoPath, engine.NotSnapped, engine.TooLong):
            return [
                [await self._cell(source, target, profile) for target in targets]
                for source in sources
            ]

    async def _cell(self, source: Place, target: Place, profile: Profile) -> surveys.Cell:
        try:
            return (await self._block([source], [target], profile))[0][0]
        except (engine.NoPath, engine.NotSnapped, engine.TooLong):
            return _UNREACHABLE

    async def _block(
        self, sources: Sequence[Place], targets: Sequence[Place], profile: Profile
    ) -> _Cells:
        radius_m = limits.SNAP_RADIUS_M_DEFAULT
        body = {
            **_costing(profile),
            "sources": [_location(place, radius_m) for place in sources],
            "targets": [_location(place, radius_m) for place in targets],
            "verbose": False,
        }
        said = (await self.engine.ask("/sources_to_targets", body))["sources_to_targets"]
        return [
            [_told(km, seconds) for km, seconds in zip(*row, strict=True)]
            for row in zip(said["distances"], said["durations"], strict=True)
        ]

    async def _off_network(self, places: Sequence[Place], profile: Profile) -> set[Place]:
        found = await self._nearest(places, profile, limits.SNAP_RADIUS_M_DEFAULT)
        return {place for place, nearest in found if nearest is None}

    async def _nearest(
        self, places: Sequence[Place], profile: Profile, radius_m: float
    ) -> list[tuple[Place, Place | None]]:
        """Return each place with the nearest point of the network within the radius.

        The engine fails where a place is far from its map, so such places are not asked about.
        """
        inside = [place for place in places if coverage().contains(place)]
        if not inside:
            return [(place, None) for place in places]
        body = {
            **_costing(profile),
            "locations": [_location(place, radius_m) for place in inside],
            "verbose": False,
        }
        answer: Any = await self.engine.ask("/locate", body)
        found = {
            place: _nearest_of(place, said["edges"] or [], radius_m)
            for place, said in zip(inside, answer, strict=True)
        }
        return [(place, found.get(place)) for place in places]

    async def _sources(self) -> dict[str, Any]:
        return {"attribution": list(ATTRIBUTION), "data_version": await self.version()}


def _nearest_of(place: Place, edges: Sequence[Mapping[str, Any]], radius_m: float) -> Place | None:
    points = [Place(edge["correlated_lon"], edge["correlated_lat"]) for edge in edges]
    near = [point for point in points if distance_m(place, point) <= radius_m]
    return min(near, key=lambda at: distance_m(place, at), default=None)


def _places(points: Sequence[surveys.Point]) -> list[Place]:
    return [Place(point.lon, point.lat) for point in points]


def _costing(profile: Profile) -> dict[str, Any]:
    options = {"bicycle": {"bicycle_type": BICYCLE_TYPES[profile]}}
    return {"costing": "bicycle", "costing_options": options}


def _location(place: Place, radius_m: float) -> dict[str, Any]:
    return {"lon": place.lon, "lat": place.lat, "search_cutoff": radius_m}


def _told(length_km: float | None, duration_s: float | None) -> surveys.Cell:
    if length_km is None or duration_s is None:
        return _UNREACHABLE
    distance = round(length_km * _METRES_PER_KM, 1)
    return surveys.Cell(status="ok", distance_m=distance, duration_s=duration_s)


def _polygons(geometry: Mapping[str, Any] | None) -> surveys.MultiPolygon:
    if geometry is None:
        return surveys.MultiPolygon(coordinates=[])
    is_single = geometry["type"] == "Polygon"
    coordinates = [geometry["coordinates"]] if is_single else geometry["coordinates"]
    return surveys.MultiPolygon(coordinates=coordinates)
