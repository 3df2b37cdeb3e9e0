"""What operators ask: who can do what, and to forget what is out of date."""

from typing import Any, Final

from fastapi import APIRouter, Depends

from tandem.platform.auth import Require
from tandem.platform.errors import DatabaseUnavailable
from tandem.platform.http.problems import HttpProblem
from tandem.routing.gateway import RoutingGateway
from tandem.routing.http.problems import RESPONSES
from tandem.routing.limits import UNAVAILABLE_RETRY_AFTER_S
from tandem.routing.wire.operating import (
    CapabilitiesAnswer,
    PurgeAnswer,
    PurgeQuestion,
    ToldCapabilities,
)

_READ: Final = "route"
_OPERATE: Final = "admin"
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {code: RESPONSES[code] for code in (401, 403)}


def create_operating_router(gateway: RoutingGateway, require: Require) -> APIRouter:
    """Build the routes; `require` makes the guard that wants a key with a permission."""
    router = APIRouter(tags=["routing"])

    @router.get(
        "/v1/routing/capabilities",
        summary="Tell what each provider can do",
        operation_id="routing_capabilities",
        responses=_RESPONSES,
        dependencies=[Depends(require(_READ))],
    )
    async def capabilities() -> CapabilitiesAnswer:
        """List the providers in the order in which they are asked."""
        told = [
            ToldCapabilities.of(
                one.provider.name, is_primary=one.is_primary, can=one.provider.capabilities
            )
            for one in gateway.upstreams
        ]
        return CapabilitiesAnswer(providers=told)

    @router.post(
        "/v1/routing/cache:purge",
        summary="Forget what was answered about an area",
        operation_id="purge_routing_cache",
        responses={**_RESPONSES, 400: RESPONSES[400], 503: RESPONSES[503]},
        dependencies=[Depends(require(_OPERATE))],
    )
    async def purge(question: PurgeQuestion) -> PurgeAnswer:
        """Forget it here at once, and in other processes within seconds."""
        try:
            return PurgeAnswer(purged=await gateway.purge(question.to_domain()))
        except ValueError as error:
            raise HttpProblem(400, "invalid_request", "The area is none", str(error)) from error
        except DatabaseUnavailable as error:
            headers = {"Retry-After": str(UNAVAILABLE_RETRY_AFTER_S)}
            raise HttpProblem(
                503, "unavailable", "The shared cache is not to be had", headers=headers
            ) from error

    return router
