"""Makes the sandbox fail and recover, and waits until the gateway has noticed the recovery."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Any, Final, Self

import httpx2

from tandem.courier.errors import NotRecovered, SandboxUnreachable
from tandem.courier.limits import (
    ADMIN_TIMEOUT_S,
    LIVE_PROBES_WANTED,
    MAX_RECOVERY_PROBES,
    QUOTE_DEADLINE_MS,
    RECOVERY_PROBE_INTERVAL_MS,
)
from tandem.courier.service import RoutePlanner
from tandem.routing.client import Coordinate

type Trip = tuple[Coordinate, Coordinate]

# Nothing gets through: half of it as an honest 503, the rest as a proxy's HTML page.
_RULES: Final[list[dict[str, Any]]] = [
    {"endpoint": "/v2/routes:compute", "kind": "status", "status": 503, "share": 0.5},
    {"endpoint": "/v2/routes:compute", "kind": "html", "status": 502, "share": 1.0},
]


class SandboxAdmin:
    """The sandbox's fault switch. An asynchronous context manager."""

    def __init__(self, base_url: str, admin_token: str) -> None:
        self._http = httpx2.AsyncClient(
            base_url=base_url,
            headers={"Authorization": f"Bearer {admin_token}"},
            timeout=ADMIN_TIMEOUT_S,
            trust_env=False,  # the token goes to the sandbox and to no proxy
        )

    async def __aenter__(self) -> Self:
        """Open the connection."""
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        await self._http.__aexit__(kind, error, trace)

    async def fail(self) -> None:
        """Let every route request fail from now on. Raises SandboxUnreachable."""
        await self._send("PUT", {"rules": _RULES})

    async def heal(self) -> None:
        """Let requests through again. Raises SandboxUnreachable."""
        await self._send("DELETE", None)

    async def _send(self, method: str, body: dict[str, Any] | None) -> None:
        try:
            answer = await self._http.request(method, "/admin/faults", json=body)
            answer.raise_for_status()
        except httpx2.HTTPError as error:
            raise SandboxUnreachable(f"the sandbox's fault switch failed: {error}") from error


async def await_recovery(
    routes: RoutePlanner,
    trips: Sequence[Trip],
    *,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> int:
    """Ask for throw-away trips until several in a row come live; return how many were asked.

    Each probe is another trip, so that no cache answers it. `pause` waits the given seconds.

    Raises:
        NotRecovered: it did not happen within the bound.
    """
    live = 0
    for number, (start, end) in enumerate(trips[:MAX_RECOVERY_PROBES], start=1):
        result = await routes.plan([start, end], profile="touring", deadline_ms=QUOTE_DEADLINE_MS)
        live = 0 if result.degraded else live + 1
        if live == LIVE_PROBES_WANTED:
            return number
        if result.degraded:
            await pause(RECOVERY_PROBE_INTERVAL_MS / 1000)
    raise NotRecovered(f"the gateway still answers degraded after {len(trips)} probes")
