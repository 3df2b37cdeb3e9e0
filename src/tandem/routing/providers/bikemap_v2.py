"""Bikemap, version 2 of its contract (contracts/bikemap-v2.json)."""

import json
from types import TracebackType
from typing import Final, Self

from tandem.resilience.deadline import Clock, Deadline
from tandem.routing.domain.request import RouteRequest
from tandem.routing.domain.route import Route
from tandem.routing.exchange import Answer, Exchange
from tandem.routing.limits import SNAP_RADIUS_M
from tandem.routing.providers import bikemap_v2_mapping as mapping
from tandem.routing.providers.guard import believed
from tandem.routing.providers.oauth import TokenSource

API_VERSION: Final = "2026-09-01"
TOKEN_PATH: Final = "/v2/oauth2/token"  # noqa: S105 - a path, no secret
COMPUTE_PATH: Final = "/v2/routes:compute"
_UNAUTHORIZED: Final = 401


class BikemapV2:
    """The adapter; an asynchronous context manager. `base_url` is without the `/v2`."""

    name = "bikemap"
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

    async def route(self, request: RouteRequest, deadline: Deadline) -> Route:
        """Ask for one route; a token that is refused is renewed once."""
        content = _content(request)
        token = await self._tokens.token(deadline)
        answer = await self._compute(content, token, deadline)
        if answer.status == _UNAUTHORIZED:
            token = await self._tokens.token(deadline, refused=token)
            answer = await self._compute(content, token, deadline)
        return believed(mapping.read(answer), request)

    async def _compute(self, content: bytes, token: str, deadline: Deadline) -> Answer:
        return await self._exchange.post(
            COMPUTE_PATH,
            content,
            media_type="application/json",
            headers={"Authorization": f"Bearer {token}", "Bikemap-Version": API_VERSION},
            deadline=deadline,
        )


def _content(request: RouteRequest) -> bytes:
    return json.dumps(
        {
            "waypoints": [
                {
                    "lon": place.lon,
                    "lat": place.lat,
                    "radius_m": SNAP_RADIUS_M,
                    "kind": "stop",
                }
                for place in request.waypoints
            ],
            "profile": request.profile.value,
            "geometry": {"format": "polyline6", "dims": 2},
        }
    ).encode()
