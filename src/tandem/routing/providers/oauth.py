"""Bearer tokens by OAuth 2 client credentials (RFC 6749, 4.4), kept until they expire."""

import asyncio
import base64
from typing import Annotated, Final
from urllib.parse import quote_plus

from pydantic import Field, ValidationError

from tandem.resilience.deadline import Clock, Deadline
from tandem.routing.domain.errors import AuthFailed, RoutingError
from tandem.routing.exchange import Answer, Exchange
from tandem.routing.limits import (
    TOKEN_CHARS_MAX,
    TOKEN_EXCHANGE_TIMEOUT_MS,
    TOKEN_EXPIRY_MARGIN_S,
    TOKEN_LIFETIME_S_MAX,
)
from tandem.routing.providers.credentials import Credentials
from tandem.routing.providers.guard import Foreign, parse
from tandem.routing.providers.status import error_of_status

_REFUSED: Final = frozenset(
    {"invalid_client", "unauthorized_client", "invalid_grant", "invalid_scope"}
)


class _Token(Foreign):
    access_token: Annotated[
        str, Field(min_length=1, max_length=TOKEN_CHARS_MAX, pattern=r"^[!-~]+$")
    ]
    token_type: Annotated[str, Field(pattern=r"^(?i:bearer)$")]
    expires_in: Annotated[float, Field(gt=0)]


class _TokenError(Foreign):
    error: str


class TokenSource:
    """Gives a token that is accepted as far as we know; one caller at a time fetches a new one."""

    def __init__(
        self, exchange: Exchange, path: str, client_id: str, credentials: Credentials, clock: Clock
    ) -> None:
        self._exchange = exchange
        self._path = path
        self._client_id = client_id
        self._credentials = credentials
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token: str | None = None
        self._expires_s = 0.0

    async def token(self, deadline: Deadline, *, refused: str | None = None) -> str:
        """Return a token; `refused` is one that was not accepted, and is not returned again.

        Raises:
            AuthFailed: The credentials are not accepted.
            RoutingError: The token could not be had for another reason.
        """
        async with self._lock:
            kept = self._token
            if kept is None or kept == refused or self._clock() >= self._expires_s:
                kept = await self._fetch(deadline)
            return kept

    async def _fetch(self, deadline: Deadline) -> str:
        """Fetch a token with the newest secret that is accepted."""
        self._token = None
        refused: AuthFailed | None = None
        for secret in self._credentials.ordered():
            try:
                said = await self._exchanged(secret, deadline)
            except AuthFailed as error:
                self._credentials.refused(secret)
                refused = error
                continue
            self._credentials.accepted(secret)
            return self._kept(said)
        raise refused or AuthFailed("there is no client secret")

    async def _exchanged(self, secret: str, deadline: Deadline) -> _Token:
        # The standard wants both form-encoded before they are joined.
        pair = f"{quote_plus(self._client_id)}:{quote_plus(secret)}"
        answer = await self._exchange.post(
            self._path,
            b"grant_type=client_credentials",
            media_type="application/x-www-form-urlencoded",
            headers={"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()},
            deadline=deadline.sooner_ms(TOKEN_EXCHANGE_TIMEOUT_MS),
        )
        if answer.status != 200:  # noqa: PLR2004 - the HTTP status OK
            raise _error(answer)
        return parse(answer, _Token)

    def _kept(self, said: _Token) -> str:
        lifetime_s = min(said.expires_in, TOKEN_LIFETIME_S_MAX)
        # A token of a very short life must not be fetched anew for each call.
        margin_s = min(TOKEN_EXPIRY_MARGIN_S, lifetime_s / 2)
        self._expires_s = self._clock() + lifetime_s - margin_s
        self._token = said.access_token
        return said.access_token


def _error(answer: Answer) -> RoutingError:
    try:
        said = _TokenError.model_validate_json(answer.body if answer.is_json else b"")
    except ValidationError:
        return error_of_status(answer)
    if said.error in _REFUSED:
        return AuthFailed("the client credentials are not accepted")
    return error_of_status(answer)
