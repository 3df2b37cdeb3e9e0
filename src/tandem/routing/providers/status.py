"""What an answer means where its body says nothing: by status, the last resort."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from tandem.resilience.hints import retry_after_s
from tandem.routing.domain.errors import (
    AuthFailed,
    BadPayload,
    GatewayHtml,
    InvalidRequest,
    Overloaded,
    PlanForbidden,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    RoutingError,
    ServerError,
)
from tandem.routing.exchange import Answer
from tandem.routing.limits import RATE_LIMIT_WAIT_S_MAX

_JSON: Final[Mapping[int, type[ProviderError]]] = {
    HTTPStatus.UNAUTHORIZED: AuthFailed,
    HTTPStatus.FORBIDDEN: PlanForbidden,
    HTTPStatus.SERVICE_UNAVAILABLE: Overloaded,
}
_INVALID: Final = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)


def wait_s(answer: Answer) -> float | None:
    """Return for how long the answer asks us to stay away, if it does sanely."""
    headers = answer.headers
    return retry_after_s(headers.get("retry-after"), answer.received_at, headers.get("date"))


def error_of_status(answer: Answer) -> RoutingError:
    """Name the failure of an answer whose body is of no help."""
    status, message = answer.status, f"the provider answered {answer.status}"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return too_many(answer)
    if not answer.is_json and status >= HTTPStatus.BAD_REQUEST:
        return GatewayHtml(f"{message} without JSON", retry_after_s=wait_s(answer))
    if status in _JSON:
        return _JSON[HTTPStatus(status)](message, retry_after_s=wait_s(answer))
    if status in _INVALID:
        return InvalidRequest(message)
    if status < HTTPStatus.BAD_REQUEST:
        return BadPayload(message)
    return ServerError(message, retry_after_s=wait_s(answer))


def too_many(answer: Answer) -> RateLimited | QuotaExhausted:
    """Tell the two meanings of 429 apart by how long we are to stay away."""
    asked_s = wait_s(answer)
    if asked_s is not None and asked_s > RATE_LIMIT_WAIT_S_MAX:
        return QuotaExhausted("the plan is used up", retry_after_s=asked_s)
    return RateLimited("too many requests in a short time", retry_after_s=asked_s)
