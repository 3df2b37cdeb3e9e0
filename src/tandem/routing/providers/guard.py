"""The guard at a provider's door: what comes in is JSON of a known shape that can be true."""

from pydantic import BaseModel, ConfigDict, ValidationError

from tandem.routing.domain.errors import BadPayload, GatewayHtml
from tandem.routing.domain.plausibility import find_fault
from tandem.routing.domain.request import RouteRequest
from tandem.routing.domain.route import Route
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


def believed(route: Route, request: RouteRequest) -> Route:
    """Return the route, or raise BadPayload where it cannot be true."""
    fault = find_fault(route, request)
    if fault is not None:
        raise BadPayload(f"the route cannot be true: {fault}")
    return route
