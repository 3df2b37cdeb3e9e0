"""Whether matrices, isochrones, snapped points and heights can be true."""

from tandem.routing.domain.answers import (
    CellStatus,
    Elevations,
    Isochrone,
    Matrix,
    MatrixCell,
    Snapped,
)
from tandem.routing.domain.area import Area
from tandem.routing.domain.coordinate import Coordinate, great_circle_m
from tandem.routing.domain.request import (
    ElevationRequest,
    IsochroneRequest,
    MatrixRequest,
    SnapRequest,
)
from tandem.routing.limits import (
    DETOUR_RATIO_MIN,
    DISTANCE_M_MAX,
    HEIGHT_M_MAX,
    HEIGHT_M_MIN,
    LENGTH_SLACK_M,
    SNAP_RADIUS_M,
    SPEED_CHECK_DISTANCE_M_MIN,
    SPEED_KMH_MAX,
    SPEED_KMH_MIN,
)

_KMH_PER_MS = 3.6
_RING_PLACES_MIN = 4


def find_matrix_fault(matrix: Matrix, request: MatrixRequest) -> str | None:
    """Say what about a matrix cannot be true, or None."""
    if len(matrix.cells) != len(request.sources):
        return "there is not one row for each source"
    for source, row in zip(request.sources, matrix.cells, strict=True):
        if len(row) != len(request.targets):
            return "there is not one cell for each target"
        for target, cell in zip(request.targets, row, strict=True):
            fault = _cell_fault(cell, great_circle_m(source, target))
            if fault is not None:
                return fault
    return None


def _cell_fault(cell: MatrixCell, straight_m: float) -> str | None:
    if cell.status is not CellStatus.OK:
        is_empty = cell.distance_m is None and cell.duration_s is None
        return None if is_empty else "a cell without a way has values"
    if cell.distance_m is None or cell.duration_s is None:
        return "a cell lacks a value"
    if not straight_m * DETOUR_RATIO_MIN - 2 * SNAP_RADIUS_M <= cell.distance_m <= DISTANCE_M_MAX:
        return "a distance is out of bounds"
    if cell.distance_m < SPEED_CHECK_DISTANCE_M_MIN:
        return None
    slowest_s = cell.distance_m * _KMH_PER_MS / SPEED_KMH_MIN
    fastest_s = cell.distance_m * _KMH_PER_MS / SPEED_KMH_MAX
    return None if fastest_s <= cell.duration_s <= slowest_s else "nobody rides at that speed"


def find_isochrone_fault(isochrone: Isochrone, request: IsochroneRequest) -> str | None:
    """Say what about an isochrone cannot be true, or None."""
    if tuple(contour.limit for contour in isochrone.contours) != request.contours:
        return "the contours are not those that were asked for"
    for contour in isochrone.contours:
        rings = [ring for polygon in contour.polygons for ring in polygon]
        if any(len(ring) < _RING_PLACES_MIN or ring[0] != ring[-1] for ring in rings):
            return "a ring is not closed"
        places = [place for ring in rings for place in ring]
        if places and not _is_near(request.center, Area.around(places)):
            return "an isochrone lies elsewhere than its center"
    return None


def _is_near(place: Coordinate, area: Area) -> bool:
    """Tell whether a place is in an area, or as far from it as snapping may move it."""
    nearest = Coordinate(
        min(max(place.lon, area.west), area.east), min(max(place.lat, area.south), area.north)
    )
    return great_circle_m(place, nearest) <= SNAP_RADIUS_M


def find_snap_fault(snapped: Snapped, request: SnapRequest) -> str | None:
    """Say what about snapped points cannot be true, or None."""
    if len(snapped.points) != len(request.places):
        return "there is not one point for each place"
    for place, point in zip(request.places, snapped.points, strict=True):
        if point is None:
            continue
        drawn_m = great_circle_m(place, point.place)
        if abs(drawn_m - point.snap_distance_m) > LENGTH_SLACK_M:
            return "a point is not as far from its place as it says"
        if drawn_m > request.radius_m + LENGTH_SLACK_M:
            return "a point is farther from its place than was asked for"
    return None


def find_elevation_fault(elevations: Elevations, request: ElevationRequest) -> str | None:
    """Say what about heights cannot be true, or None."""
    if len(elevations.heights_m) != len(request.places):
        return "there is not one height for each place"
    known = (height for height in elevations.heights_m if height is not None)
    if not all(HEIGHT_M_MIN <= height <= HEIGHT_M_MAX for height in known):
        return "a height is out of bounds"
    return None
