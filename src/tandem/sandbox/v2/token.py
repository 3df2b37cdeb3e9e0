"""`POST /v2/oauth2/token`: client credentials for a bearer token, errors as in RFC 6749 5.2."""

import base64
import binascii
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from starlette.requests import Request
from starlette.responses import JSONResponse

from tandem.sandbox import limits
from tandem.sandbox.keys import SCOPES, Keyring
from tandem.sandbox.requests import read_body

_NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="bikemap", charset="UTF-8"'}
_FIELDS_MAX: Final = 20


class TokenEndpoint:
    """Issues tokens."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def answer(self, request: Request) -> JSONResponse:
        """Answer a token request."""
        fields = _form(request, await read_body(request))
        if fields is None or "grant_type" not in fields:
            return _error("invalid_request", "a form with grant_type is needed, each field once")
        if fields["grant_type"] != "client_credentials":
            return _error("unsupported_grant_type", "only client_credentials is supported")
        header = request.headers.get("authorization")
        if header is not None and "client_secret" in fields:
            return _error("invalid_request", "credentials belong in one place")
        client_id, secret = (
            (fields.get("client_id", ""), fields.get("client_secret", ""))
            if header is None
            else basic_credentials(header)
        )
        scopes = frozenset(fields.get("scope", " ".join(SCOPES)).split())
        if not scopes <= SCOPES:
            return _error("invalid_scope", f"the scopes are {' '.join(sorted(SCOPES))}")
        account = self._keyring.log_in(client_id, secret)
        if account is None:
            return _error("invalid_client", "unknown client or wrong secret", 401, _CHALLENGE)
        token = {
            "access_token": self._keyring.issue_token(account, secret, scopes),
            "token_type": "Bearer",
            "expires_in": limits.TOKEN_LIFETIME_S,
            "scope": " ".join(sorted(scopes)),
        }
        return JSONResponse(token, headers=_NO_STORE)


def _form(request: Request, body: bytes) -> dict[str, str] | None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        return None
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_FIELDS_MAX)
    except ValueError:
        return None
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else None


def basic_credentials(header: str) -> tuple[str, str]:
    """Read a header `Authorization: Basic …`; what is none gives empty texts."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    client_id, _, secret = decoded.partition(":")
    return unquote_plus(client_id), unquote_plus(secret)


def _error(
    code: str, description: str, status: int = 400, headers: dict[str, str] | None = None
) -> JSONResponse:
    body = {"error": code, "error_description": description}
    return JSONResponse(body, status, _NO_STORE | (headers or {}))
