"""The guard on a route: a FastAPI dependency that wants a key with a permission."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from tandem.platform.auth.permissions import Permission, Principal
from tandem.platform.errors import DatabaseUnavailable
from tandem.platform.http.problems import HttpProblem

type Guard = Callable[..., Awaitable[Principal]]
type Require = Callable[[str], Guard]

_BEARER: Final = HTTPBearer(
    auto_error=False, scheme_name="ApiKey", description="An API key: tandem_<id>_<secret>"
)


def create_require(verify: Callable[[str], Awaitable[Principal | None]]) -> Require:
    """Make `require(permission)`, whose result goes into `Depends` and gives the Principal."""

    def require(permission: str) -> Guard:
        needed = Permission(permission)

        async def guard(
            credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
        ) -> Principal:
            principal = await _authenticate(credentials, verify)
            if needed not in principal.permissions:
                raise HttpProblem(
                    403,
                    "forbidden",
                    "The key does not allow this",
                    f"It lacks the permission {needed}",
                    permission=needed.value,
                )
            return principal

        return guard

    return require


async def _authenticate(
    credentials: HTTPAuthorizationCredentials | None,
    verify: Callable[[str], Awaitable[Principal | None]],
) -> Principal:
    if credentials is None:
        raise _unauthenticated("Send an API key as a bearer token", "Bearer")
    try:
        principal = await verify(credentials.credentials)
    except DatabaseUnavailable as error:
        raise HttpProblem(
            503, "unavailable", "Keys cannot be checked now", headers={"Retry-After": "1"}
        ) from error
    if principal is None:
        raise _unauthenticated("The API key is unknown or revoked", 'Bearer error="invalid_token"')
    return principal


def _unauthenticated(detail: str, challenge: str) -> HttpProblem:
    return HttpProblem(
        401,
        "unauthenticated",
        "An API key is needed",
        detail,
        headers={"WWW-Authenticate": challenge},
    )
