"""The sandbox's own switches, which the real provider does not have over HTTP.

Faults, counters, and the clients' secrets.
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable

from pydantic import BaseModel, ConfigDict, SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tandem.sandbox.faults import FaultPlan, Faults
from tandem.sandbox.keys import ConfigurationError, Keyring
from tandem.sandbox.problems import ApiProblem, Code
from tandem.sandbox.requests import read_model
from tandem.sandbox.traffic import Traffic


class _Secrets(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    secrets: tuple[SecretStr, ...]


type Endpoint = Callable[[Request], Awaitable[Response]]


class Admin:
    """`/admin/…`, for the bearer of the admin token only."""

    def __init__(self, token: str, faults: Faults, traffic: Traffic, keyring: Keyring) -> None:
        self._keyring = keyring
        self._token_digest = _digest(token)
        self._faults = faults
        self._traffic = traffic

    def routes(self) -> list[Route]:
        """Return the HTTP routes."""
        return [
            Route("/admin/faults", self.only_admin(self._put_faults), methods=["PUT"]),
            Route("/admin/faults", self.only_admin(self._get_faults), methods=["GET"]),
            Route("/admin/faults", self.only_admin(self._delete_faults), methods=["DELETE"]),
            Route("/admin/stats", self.only_admin(self._get_stats), methods=["GET"]),
            Route("/admin/stats", self.only_admin(self._delete_stats), methods=["DELETE"]),
            Route(
                "/admin/clients/{id}/secrets",
                self.only_admin(self._put_secrets),
                methods=["PUT"],
            ),
        ]

    def only_admin(self, endpoint: Endpoint) -> Endpoint:
        """Let nobody else pass."""

        async def guarded(request: Request) -> Response:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            is_admin = hmac.compare_digest(_digest(token), self._token_digest)
            if scheme.lower() != "bearer" or not is_admin:
                challenge = {"WWW-Authenticate": 'Bearer realm="sandbox"'}
                raise ApiProblem(Code.AUTH_INVALID, "the admin token is needed", headers=challenge)
            return await endpoint(request)

        return guarded

    async def _put_faults(self, request: Request) -> Response:
        self._faults.replace(await read_model(request, FaultPlan))
        return await self._get_faults(request)

    async def _get_faults(self, _request: Request) -> Response:
        return JSONResponse(self._faults.plan.model_dump(mode="json"))

    async def _delete_faults(self, _request: Request) -> Response:
        self._faults.replace(FaultPlan())
        return Response(status_code=204)

    async def _get_stats(self, _request: Request) -> Response:
        return JSONResponse({"endpoints": self._traffic.members()})

    async def _delete_stats(self, _request: Request) -> Response:
        self._traffic.forget()
        return Response(status_code=204)

    async def _put_secrets(self, request: Request) -> Response:
        given = await read_model(request, _Secrets)
        secrets = tuple(secret.get_secret_value() for secret in given.secrets)
        try:
            is_known = self._keyring.replace_secrets(request.path_params["id"], secrets)
        except ConfigurationError as error:
            raise ApiProblem(Code.REQUEST_MALFORMED, str(error)) from error
        if not is_known:
            raise ApiProblem(Code.REQUEST_NOT_FOUND, "there is no such client")
        return Response(status_code=204)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
