"""Whose request it is, and what every answer of the deprecated version says."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

_KEY_HEADER: Final = "X-Api-Key"
# RFC 9745 and RFC 8594: since when it is deprecated, and when it ends.
_DEPRECATION: Final = "@1788220800"
_SUNSET: Final = "Wed, 01 Sep 2027 00:00:00 GMT"


def key_of(request: Request) -> str:
    """Return the key that a request has, in its query or its head."""
    return request.query_params.get("key") or request.headers.get(_KEY_HEADER, "")


def marked(response: Response) -> Response:
    """Say of an answer that its version is deprecated, and when it ends."""
    response.headers["Deprecation"] = _DEPRECATION
    response.headers["Sunset"] = _SUNSET
    return response
