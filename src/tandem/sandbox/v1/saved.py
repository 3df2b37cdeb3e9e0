"""`GET /v1/routes/{id}/` and `/v1/search/`: routes that were computed, in numbered pages.

They come from an older service than the rest of version 1: errors are `{"detail": …}`.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tandem.sandbox import limits
from tandem.sandbox.keys import Keyring
from tandem.sandbox.problems import ApiProblem
from tandem.sandbox.v1.answers import saved
from tandem.sandbox.v1.gate import key_of, marked
from tandem.sandbox.v2.saved import RouteBook

ROUTE_PATH: Final = "/v1/routes/{id}/"
SEARCH_PATH: Final = "/v1/search/"
PATHS: Final = (ROUTE_PATH, SEARCH_PATH)
_PAGE_DEFAULT, _BOX = 10, 4

type Handle = Callable[[Request, str], Awaitable[Any]]


class _Refused(Exception):  # noqa: N818 - the old service's own kind of no
    def __init__(self, detail: str, status: int) -> None:
        super().__init__(detail)
        self.status = status


class SavedRoutes:
    """The endpoints."""

    def __init__(self, keyring: Keyring, book: RouteBook) -> None:
        self._keyring = keyring
        self._book = book

    def routes(self) -> list[Route]:
        """Return the HTTP routes."""
        return [
            Route(ROUTE_PATH, self._guard(self._one), methods=["GET"]),
            Route(SEARCH_PATH, self._guard(self._search), methods=["GET"]),
        ]

    def _guard(self, handle: Handle) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            account = self._keyring.check_key(key_of(request))
            if account is None:
                return marked(JSONResponse({"detail": "Invalid token."}, 401))
            try:
                told = await handle(request, account.client.id)
            except _Refused as refused:
                return marked(JSONResponse({"detail": str(refused)}, refused.status))
            return marked(JSONResponse(told))

        return guarded

    async def _one(self, request: Request, client_id: str) -> Any:
        try:
            return saved(self._book.find(client_id, request.path_params["id"]))
        except ApiProblem:
            raise _Refused("Not found.", 404) from None

    async def _search(self, request: Request, client_id: str) -> Any:
        query = request.query_params
        size = _number(query, "page_size", _PAGE_DEFAULT, limits.ROUTES_PAGE_MAX)
        page = _number(query, "page", 1, limits.ROUTES_KEPT_MAX)
        found = self._book.within(client_id, _bounds(query))
        first = (page - 1) * size
        if page > 1 and first >= len(found):
            raise _Refused("Invalid page.", 404)
        here, is_last = request.url.remove_query_params("key"), first + size >= len(found)
        return {
            "count": len(found),
            "next": None if is_last else str(here.include_query_params(page=page + 1)),
            "previous": None if page == 1 else str(here.include_query_params(page=page - 1)),
            "results": [saved(route) for route in found[first : first + size]],
        }


def _bounds(query: QueryParams) -> tuple[float, ...] | None:
    """Read `west,south,east,north`."""
    text = query.get("bounds")
    if text is None:
        return None
    try:
        bounds = tuple(float(part) for part in text.split(",", _BOX))
    except ValueError:
        bounds = ()
    if len(bounds) != _BOX:
        raise _Refused("bounds are west,south,east,north", 400)
    return bounds


def _number(query: QueryParams, name: str, default: int, most: int) -> int:
    text = query.get(name, str(default))
    is_number = text.isascii() and text.isdigit() and len(text) <= limits.CURSOR_CHARS_MAX
    if not is_number or not 1 <= int(text) <= most:
        raise _Refused(f"{name} is 1 to {most}", 400)
    return int(text)
