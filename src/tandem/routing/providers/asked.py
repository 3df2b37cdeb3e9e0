"""What was asked for, held against what came: some options are ignored without a word."""

from collections.abc import Iterator
from dataclasses import replace

from tandem.routing.domain.answers import Routes
from tandem.routing.domain.capabilities import Capabilities
from tandem.routing.domain.coordinate import Coordinate, great_circle_m
from tandem.routing.domain.errors import BadPayload, NotSnapped
from tandem.routing.domain.request import Include, RouteRequest
from tandem.routing.domain.route import Route, RouteWarning
from tandem.routing.limits import LENGTH_SLACK_M, WARNINGS_MAX


def compared(routes: Routes, request: RouteRequest, capabilities: Capabilities) -> Routes:
    """Return routes with what was asked for alone, and a warning for whatever of it is lacking.

    Raises:
        NotSnapped: A waypoint was moved farther than the request allows.
    """
    _check_snaps(routes, request)
    unheeded = capabilities.unheeded(request)
    compared = tuple(_compared(route, request, unheeded) for route in routes.routes)
    return replace(routes, routes=compared[: request.alternatives + 1])


def _compared(route: Route, request: RouteRequest, unheeded: tuple[RouteWarning, ...]) -> Route:
    said = {warning.code for warning in route.warnings}
    lacking = [one for one in (*unheeded, *_lacking(route, request)) if one.code not in said]
    wants_steps = Include.MANEUVERS in request.include
    wants_segments = Include.SEGMENTS in request.include
    return replace(
        route,
        # Ours first: the provider's may be many.
        warnings=(*lacking, *route.warnings)[:WARNINGS_MAX],
        legs=route.legs if wants_steps else tuple(replace(leg, steps=()) for leg in route.legs),
        segments=route.segments if wants_segments else (),
        heights_m=route.heights_m if Include.HEIGHTS in request.include else None,
    )


def _lacking(route: Route, request: RouteRequest) -> Iterator[RouteWarning]:
    came = {
        Include.MANEUVERS: any(leg.steps for leg in route.legs),
        Include.SEGMENTS: bool(route.segments),
        Include.HEIGHTS: route.heights_m is not None,
    }
    for part in sorted(request.include):
        if not came[part]:
            yield RouteWarning(f"{part.value}.unavailable", "the provider did not send them")


def _check_snaps(routes: Routes, request: RouteRequest) -> None:
    """Believe no snap distance: measure it."""
    for index, (waypoint, snapped) in enumerate(
        zip(request.waypoints, routes.waypoints, strict=False)
    ):
        most_m = waypoint.snap_radius_m + LENGTH_SLACK_M
        if great_circle_m(waypoint.place, snapped.place) <= most_m:
            continue
        exchanged = _exchanged(snapped.place)
        if exchanged is not None and great_circle_m(waypoint.place, exchanged) <= most_m:
            raise BadPayload("the answer has latitude and longitude exchanged")
        raise NotSnapped("a waypoint is too far from the network", point_index=index)


def _exchanged(place: Coordinate) -> Coordinate | None:
    try:
        return Coordinate(lon=place.lat, lat=place.lon)
    except ValueError:
        return None
