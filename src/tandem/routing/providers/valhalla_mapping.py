"""What Valhalla says, in the domain's words. Pure: an answer in, a trip, heights or error out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from tandem.routing.domain import polyline
from tandem.routing.domain.climb import climb_m
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.errors import (
    BadPayload,
    InvalidRequest,
    NoRoute,
    NotSnapped,
    Refusal,
    RoutingError,
    ServerError,
    TooLong,
)
from tandem.routing.domain.route import Leg, Route, RouteWarning
from tandem.routing.exchange import Answer
from tandem.routing.limits import LEGS_MAX, VERTICES_MAX
from tandem.routing.providers.guard import Foreign, parse
from tandem.routing.providers.status import error_of_status

type Heights = Sequence[float | None]

# 170 says that the locations lie in parts of the network that are not connected.
_REFUSALS: Final[Mapping[int, tuple[type[Refusal], str]]] = {
    154: (TooLong, "the route would be too long"),
    170: (NoRoute, "no way connects the waypoints"),
    171: (NotSnapped, "a waypoint is too far from the network"),
    442: (NoRoute, "no way connects the waypoints"),
    443: (NoRoute, "no way connects the waypoints"),
}
# The other numbers from 100 are complaints about the request, from 200 faults of its own.
_COMPLAINTS: Final = range(100, 170)
_METRES_PER_KM: Final = 1_000.0
_POLYLINE_CHARS_MAX: Final = 16 * VERTICES_MAX
_OK: Final = 200

type _Measure = Annotated[float, Field(ge=0)]


class _Summary(Foreign):
    length: _Measure
    time: _Measure


class _Leg(Foreign):
    summary: _Summary
    shape: Annotated[str, Field(max_length=_POLYLINE_CHARS_MAX)]


class _Trip(Foreign):
    summary: _Summary
    legs: Annotated[list[_Leg], Field(min_length=1, max_length=LEGS_MAX)]
    units: Literal["kilometers"]
    # Anything but 0 is an error, under whatever status of HTTP.
    status: Literal[0]


class _Answer(Foreign):
    trip: _Trip


class _Height(Foreign):
    height: Annotated[list[float | None], Field(max_length=VERTICES_MAX)]


class _Error(Foreign):
    error_code: int


@dataclass(frozen=True, slots=True)
class Trip:
    """A trip whose legs have one line; `polyline6` is that line, as Valhalla takes it."""

    distance_m: float
    duration_s: float
    line: tuple[Coordinate, ...]
    legs: tuple[Leg, ...]

    @property
    def polyline6(self) -> str:
        """The line as text."""
        return polyline.encode(self.line, 6)


def read_trip(answer: Answer) -> Trip:
    """Read an answer to `/route`. Raises RoutingError."""
    return _trip(_read(answer, _Answer).trip)


def read_heights(answer: Answer) -> Heights:
    """Read an answer to `/height`: metres, or None where the terrain has no data."""
    return _read(answer, _Height).height


def route(trip: Trip, heights_m: Heights | None) -> Route:
    """Put a trip and the heights along its line together."""
    known = [height for height in heights_m or () if height is not None]
    ascent_m, descent_m = climb_m(known)
    is_whole = heights_m is not None and len(known) == len(trip.line)
    incomplete = RouteWarning("elevation.incomplete", "climb is not known for all of the route")
    return Route(
        distance_m=trip.distance_m,
        duration_s=trip.duration_s,
        ascent_m=round(ascent_m, 1),
        descent_m=round(descent_m, 1),
        geometry=trip.line,
        legs=trip.legs,
        warnings=() if is_whole else (incomplete,),
    )


def _read[M: Foreign](answer: Answer, model: type[M]) -> M:
    code = _error_code(answer)
    if code is not None:
        raise _error(code)
    if answer.status != _OK:
        raise error_of_status(answer)
    return parse(answer, model)


def _error_code(answer: Answer) -> int | None:
    if not answer.is_json:
        return None
    try:
        return _Error.model_validate_json(answer.body).error_code
    except ValidationError:
        return None


def _error(code: int) -> RoutingError:
    if code in _REFUSALS:
        refusal, text = _REFUSALS[code]
        return refusal(text)
    if code in _COMPLAINTS:
        return InvalidRequest(f"the engine does not accept the request ({code})")
    return ServerError(f"the engine failed ({code})")


def _trip(said: _Trip) -> Trip:
    line: list[Coordinate] = []
    legs = []
    for leg in said.legs:
        begin = max(0, len(line) - 1)
        places = _places(leg.shape)
        # The place where two legs meet is in both of their lines.
        line += places[1:] if line else places
        legs.append(Leg(_metres(leg.summary.length), leg.summary.time, begin, len(line) - 1))
    return Trip(_metres(said.summary.length), said.summary.time, tuple(line), tuple(legs))


def _places(shape: str) -> tuple[Coordinate, ...]:
    try:
        return polyline.decode(shape, 6)
    except polyline.PolylineError as error:
        raise BadPayload(f"the line is broken: {error}") from error


def _metres(length_km: float) -> float:
    return round(length_km * _METRES_PER_KM, 1)
