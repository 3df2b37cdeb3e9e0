"""What version 1 accepts. A GET has `point=lat,lon`; a POST has `points: [[lon, lat]]`."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import QueryParams
from starlette.requests import Request

from tandem.sandbox import limits
from tandem.sandbox.problems import ApiProblem, Code
from tandem.sandbox.requests import parse_json, read_body
from tandem.sandbox.v1.errors import UnknownProfile
from tandem.sandbox.v1.words import DETAILS, PROFILES
from tandem.sandbox.v2.requests import (
    ComputeRequest,
    GeometryFormat,
    GeometryRequest,
    Include,
    Profile,
    Waypoint,
)
from tandem.sandbox.v2.surveys import IsochroneRequest, MatrixRequest, Measure, Point

type _LonLat = Annotated[list[float], Field(min_length=2, max_length=2)]

_ALTERNATIVES: Final = "alternative_route"


class _Old(BaseModel):
    # The old service ignored what it did not know.
    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class RouteQuestion(_Old):
    """A question for a route, however it came."""

    points: Annotated[list[_LonLat], Field(min_length=2, max_length=limits.WAYPOINTS_MAX)]
    profile: str = "bike"
    elevation: bool = False
    instructions: bool = True
    points_encoded: bool = True
    calc_points: bool = True
    details: list[str] = []
    algorithm: str = ""
    alternatives: Annotated[int, Field(ge=0, le=limits.ALTERNATIVES_MAX)] = 0
    headings: list[int] = []

    def compute_request(self) -> ComputeRequest:
        """Say it in version 2's words; raises UnknownProfile."""
        includes = [DETAILS[name] for name in dict.fromkeys(self.details) if name in DETAILS]
        steps = [Include.STEPS] if self.instructions else []
        headings = [*self.headings, *([None] * len(self.points))]
        return ComputeRequest(
            waypoints=[
                Waypoint(lon=point[0], lat=point[1], heading=heading)
                for point, heading in zip(self.points, headings, strict=False)
            ],
            profile=_profile(self.profile),
            alternatives=self.alternatives if self.algorithm == _ALTERNATIVES else 0,
            geometry=GeometryRequest(format=GeometryFormat.GEOJSON, dims=3),
            include=[*includes, *steps],
        )


class MatrixQuestion(_Old):
    """A question for a matrix, however it came."""

    from_points: Annotated[list[_LonLat], Field(min_length=1)]
    to_points: Annotated[list[_LonLat], Field(min_length=1)]
    profile: str = "bike"
    out_arrays: list[str] = ["weights"]
    fail_fast: bool = True

    def matrix_request(self) -> MatrixRequest:
        """Say it in version 2's words; raises UnknownProfile."""
        return MatrixRequest(
            sources=[Point(lon=point[0], lat=point[1]) for point in self.from_points],
            targets=[Point(lon=point[0], lat=point[1]) for point in self.to_points],
            profile=_profile(self.profile),
        )


class IsochroneQuestion(_Old):
    """A question for an isochrone: seconds, unless a distance is given."""

    point: _LonLat
    profile: str = "bike"
    time_limit: Annotated[float, Field(gt=0)] = 600.0
    distance_limit: float = -1.0
    buckets: Annotated[int, Field(ge=1, le=limits.CONTOURS_MAX)] = 1
    reverse_flow: bool = False

    def isochrone_request(self) -> IsochroneRequest:
        """Say it in version 2's words; raises UnknownProfile."""
        by_distance = self.distance_limit > 0
        most = self.distance_limit if by_distance else self.time_limit
        return IsochroneRequest(
            center=Point(lon=self.point[0], lat=self.point[1]),
            contours=[most * part / self.buckets for part in range(1, self.buckets + 1)],
            measure=Measure.DISTANCE_M if by_distance else Measure.TIME_S,
            profile=_profile(self.profile),
            reverse=self.reverse_flow,
        )


async def read_route(request: Request) -> RouteQuestion:
    """Read either form. Raises ApiProblem."""
    if request.method == "POST":
        body = _members(parse_json(await read_body(request)))
        return _checked(RouteQuestion, {**body, "alternatives": _alternatives(body)})
    query = request.query_params
    fields: dict[str, Any] = {**query, "points": _points(query.getlist("point"))}
    fields["details"] = query.getlist("details")
    fields["headings"] = query.getlist("heading")
    fields["alternatives"] = _alternatives(query)
    return _checked(RouteQuestion, fields)


async def read_matrix(request: Request) -> MatrixQuestion:
    """Read either form; in a GET `point` means both ends. Raises ApiProblem."""
    if request.method == "POST":
        return _checked(MatrixQuestion, _members(parse_json(await read_body(request))))
    query = request.query_params
    both = query.getlist("point")
    fields: dict[str, Any] = {
        **query,
        "from_points": _points(query.getlist("from_point") or both),
        "to_points": _points(query.getlist("to_point") or both),
    }
    if "out_array" in query:
        fields["out_arrays"] = query.getlist("out_array")
    return _checked(MatrixQuestion, fields)


def read_isochrone(query: QueryParams) -> IsochroneQuestion:
    """Read a query. Raises ApiProblem."""
    points = _points(query.getlist("point"))
    fields: dict[str, Any] = {**query, "point": points[0] if points else None}
    return _checked(IsochroneQuestion, fields)


def read_point(query: QueryParams) -> Point:
    """Read the one point of a query. Raises ApiProblem."""
    points = _points(query.getlist("point"))
    if len(points) != 1:
        raise ApiProblem(Code.REQUEST_MALFORMED, "one point is needed")
    return _checked(Point, {"lon": points[0][0], "lat": points[0][1]})


def _points(texts: Sequence[str]) -> list[list[float]]:
    """Read `lat,lon` texts as lon, lat."""
    points = []
    for text in texts[: limits.WAYPOINTS_MAX + 1]:
        lat, comma, lon = text.partition(",")
        try:
            points.append([float(lon), float(lat)])
        except ValueError as error:
            raise ApiProblem(Code.REQUEST_MALFORMED, "a point is lat,lon") from error
        if not comma:
            raise ApiProblem(Code.REQUEST_MALFORMED, "a point is lat,lon")
    return points


def _alternatives(fields: Mapping[str, Any]) -> Any:
    """Return how many paths beside the best one are wanted; a path of one is none."""
    paths = fields.get(f"{_ALTERNATIVES}.max_paths", 2)
    return int(paths) - 1 if str(paths).isdecimal() and int(paths) else 0


def _profile(name: str) -> Profile:
    if name not in PROFILES:
        raise UnknownProfile(name)
    return PROFILES[name]


def _members(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise ApiProblem(Code.REQUEST_MALFORMED, "the body must be an object")
    return body


def _checked[M: BaseModel](model: type[M], fields: Mapping[str, Any]) -> M:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        kinds = {item["type"] for item in error.errors(include_url=False, include_input=False)}
        code = Code.REQUEST_TOO_LARGE if "too_long" in kinds else Code.REQUEST_MALFORMED
        raise ApiProblem(code) from error
