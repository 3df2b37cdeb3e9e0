"""The guard at a provider's door: what comes in is JSON of a known shape that can be true."""

from pydantic import BaseModel, ConfigDict, ValidationError

from tandem.routing.domain.answers import (
    DomainAnswer,
    Elevations,
    Isochrone,
    Matrix,
    Routes,
    Snapped,
)
from tandem.routing.domain.errors import BadPayload, GatewayHtml
from tandem.routing.domain.plausibility.others import (
    find_elevation_fault,
    find_isochrone_fault,
    find_matrix_fault,
    find_snap_fault,
)
from tandem.routing.domain.plausibility.routes import find_fault
from tandem.routing.domain.request import (
    ElevationRequest,
    IsochroneRequest,
    MatrixRequest,
    Request,
    RouteRequest,
    SnapRequest,
)
from tandem.routing.exchange import Answer


class Foreign(BaseModel):
    """A piece of a provider's JSON: what we do not read is ignored, numbers are finite."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


def parse[M: BaseModel](answer: Answer, model: type[M]) -> M:
    """Read a whole body as a model.

    Raises:
        GatewayHtml: It does not even say that it is JSON.
        BadPayload: It is no JSON, or of another shape.
    """
    if not answer.is_json:
        raise GatewayHtml(f"the answer is {answer.media_type or 'of no type'}, not JSON")
    try:
        return model.model_validate_json(answer.body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "body"
        raise BadPayload(f"the answer is not as agreed: {where}: {first['type']}") from error


def believed[A: DomainAnswer](answer: A, request: Request) -> A:
    """Return the answer, or raise BadPayload where it cannot be true."""
    fault = _fault(answer, request)
    if fault is not None:
        raise BadPayload(f"the answer cannot be true: {fault}")
    return answer


def _fault(answer: DomainAnswer, request: Request) -> str | None:
    match answer, request:
        case Routes(), RouteRequest():
            faults = (find_fault(route, request) for route in answer.routes)
            return next((fault for fault in faults if fault is not None), None)
        case Matrix(), MatrixRequest():
            return find_matrix_fault(answer, request)
        case Isochrone(), IsochroneRequest():
            return find_isochrone_fault(answer, request)
        case Snapped(), SnapRequest():
            return find_snap_fault(answer, request)
        case Elevations(), ElevationRequest():
            return find_elevation_fault(answer, request)
        case _:
            return "it answers another question"
