"""The Bikemap sandbox on a real engine and a real socket, with its administrator's door."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from tandem.platform.http.serving import HttpServer
from tandem.sandbox.app import SandboxConfig, open_sandbox
from tandem.sandbox.keys import Client
from tandem.sandbox.metering import Plan

CLIENT_ID, CLIENT_SECRET = "tests", "canary-secret-of-the-tests"
_ADMIN_TOKEN = "admin-token-of-the-tests"  # noqa: S105 - of a sandbox that lives for one test
_ROOMY = Plan("roomy", burst=10_000, burst_window_s=1, credits=1_000_000)
_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer of the sandbox, as far as tests look at it."""

    status: int
    media_type: str
    headers: httpx2.Headers
    json: Any


class Sandbox:
    """A running sandbox."""

    def __init__(self, url: str, client: httpx2.AsyncClient) -> None:
        self.url = url
        self._client = client

    async def ask_token(
        self, client_id: str, secret: str, grant_type: str = "client_credentials"
    ) -> Answered:
        """Ask for a token."""
        form = {"grant_type": grant_type}
        return _answered(
            await self._client.post("/v2/oauth2/token", data=form, auth=(client_id, secret))
        )

    async def ask_routes(self, body: bytes, version: str, token: str | None = None) -> Answered:
        """Ask for routes, with a good token if none is given."""
        if token is None:
            token = (await self.ask_token(CLIENT_ID, CLIENT_SECRET)).json["access_token"]
        headers = {
            "Authorization": f"Bearer {token}",
            "Bikemap-Version": version,
            "Content-Type": "application/json",
        }
        return _answered(
            await self._client.post("/v2/routes:compute", content=body, headers=headers)
        )

    async def fail(self, kind: str, *, share: float = 1.0, **how: Any) -> None:
        """Make requests go wrong from now on."""
        rule = {"endpoint": "*", "kind": kind, "share": share, **how}
        await self._admin("PUT", "/admin/faults", {"rules": [rule], "seed": 1})

    async def recover(self) -> None:
        """Make requests go right again."""
        await self._admin("DELETE", "/admin/faults")

    async def jobs(self) -> Any:
        """Return what was submitted."""
        return (await self._admin("GET", "/admin/jobs")).json()["jobs"]

    async def stats(self) -> Any:
        """Return what the sandbox has counted."""
        return (await self._admin("GET", "/admin/stats")).json()["endpoints"]

    async def _admin(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {_ADMIN_TOKEN}"}
        response = await self._client.request(method, path, json=body, headers=headers)
        return response.raise_for_status()


@asynccontextmanager
async def served_sandbox(
    valhalla_url: str,
    plan: Plan = _ROOMY,
    webhook_secrets: tuple[str, ...] = (),
    utc_s: Callable[[], float] = time.time,
) -> AsyncIterator[Sandbox]:
    """Serve a sandbox with one client."""
    clients = (Client(CLIENT_ID, (CLIENT_SECRET,), plan, webhook_secrets),)
    async with (
        open_sandbox(SandboxConfig(valhalla_url, clients, _ADMIN_TOKEN), utc_s=utc_s) as app,
        HttpServer(app, host="127.0.0.1", port=0) as server,
        httpx2.AsyncClient(base_url=server.url, timeout=_TIMEOUT_S) as client,
    ):
        yield Sandbox(server.url, client)


def _answered(response: httpx2.Response) -> Answered:
    media_type = response.headers.get("content-type", "").partition(";")[0]
    return Answered(response.status_code, media_type, response.headers, response.json())
