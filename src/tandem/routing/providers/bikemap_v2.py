"""Bikemap, version 2 of its contract (contracts/bikemap-v2.json)."""

import json
from types import TracebackType
from typing import Any, Final, Self

from tandem.resilience.deadline import Clock, Deadline
from tandem.routing.domain.answers import Routes
from tandem.routing.domain.caching import KEEP_NOTHING, CachePolicy
from tandem.routing.domain.capabilities import Capabilities
from tandem.routing.domain.errors import Unsupported
from tandem.routing.domain.operation import Operation
from tandem.routing.domain.request import Request, RouteRequest
from tandem.routing.domain.route import Route
from tandem.routing.domain.usage import UNKNOWN_USAGE
from tandem.routing.exchange import Answer, Exchange
from tandem.routing.limits import CACHE_FRESH_S, CACHE_STALE_S
from tandem.routing.providers import bikemap_v2_mapping as mapping
from tandem.routing.providers.guard import believed
from tandem.routing.providers.oauth import TokenSource
from tandem.routing.providers.port import Answered

API_VERSION: Final = "2026-09-01"
TOKEN_PATH: Final = "/v2/oauth2/token"  # noqa: S105 - a path, no secret
COMPUTE_PATH: Final = "/v2/routes:compute"
_UNAUTHORIZED: Final = 401


_CACHING: Final = {Operation.ROUTE: CachePolicy(CACHE_FRESH_S, 0.0, CACHE_STALE_S)}


class BikemapV2:
    """The adapter; an asynchronous context manager. `base_url` is without the `/v2`."""

    name = "bikemap"
    capabilities = Capabilities(frozenset({Operation.ROUTE}))
    attribution = ("© Bikemap", "© OpenStreetMap contributors")

    def __init__(self, base_url: str, client_id: str, client_secret: str, clock: Clock) -> None:
        self._exchange = Exchange(base_url)
        self._tokens = TokenSource(self._exchange, TOKEN_PATH, client_id, client_secret, clock)

    async def __aenter__(self) -> Self:
        await self._exchange.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._exchange.__aexit__(exc_type, exc_value, traceback)

    def cache_policy(self, operation: Operation) -> CachePolicy:
        """Return what its terms allow to be kept."""
        return _CACHING.get(operation, KEEP_NOTHING)

    def credits(self, request: Request) -> float:
        """Estimate what a request costs."""
        return 1.0 if isinstance(request, RouteRequest) else 0.0

    async def call(self, request: Request, deadline: Deadline) -> Answered:
        """Ask once."""
        lacking = self.capabilities.lacking(request)
        if lacking is not None or not isinstance(request, RouteRequest):
            raise Unsupported(lacking or "the provider cannot do this")
        route = await self._route(request, deadline)
        return Answered(believed(Routes((route,)), request), UNKNOWN_USAGE)

    async def _route(self, request: RouteRequest, deadline: Deadline) -> Route:
        """Ask for one route; a token that is refused is renewed once."""
        content = json.dumps(compute_body(request)).encode()
        token = await self._tokens.token(deadline)
        answer = await self._compute(content, token, deadline)
        if answer.status == _UNAUTHORIZED:
            token = await self._tokens.token(deadline, refused=token)
            answer = await self._compute(content, token, deadline)
        return mapping.read(answer)

    async def _compute(self, content: bytes, token: str, deadline: Deadline) -> Answer:
        return await self._exchange.post(
            COMPUTE_PATH,
            content,
            media_type="application/json",
            headers={"Authorization": f"Bearer {token}", "Bikemap-Version": API_VERSION},
            deadline=deadline,
        )


def compute_body(request: RouteRequest) -> dict[str, Any]:
    """Say a request in the contract's words: the body of `routes:compute`, and of a job's item."""
    return {
        "waypoints": [
            {
                "lon": waypoint.place.lon,
                "lat": waypoint.place.lat,
                "radius_m": waypoint.snap_radius_m,
                "kind": "stop",
            }
            for waypoint in request.waypoints
        ],
        "profile": request.profile.value,
        "geometry": {"format": "polyline6", "dims": 2},
    }
