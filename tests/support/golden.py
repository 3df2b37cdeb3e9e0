"""Recorded replies of the providers, and who reads them; `python tests/support/golden.py` records.

Only bodies are kept: headers may hold secrets.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support.paths_stand_in import KEY, paths_server
from tests.support.routing import CLIENT_ID, CLIENT_SECRET, MARKET, STATION, VirtualClock, soon
from tests.support.sandbox import served_sandbox

from tandem.platform.secrets import live
from tandem.routing.domain.answers import DomainAnswer, Isochrone, Routes, Snapped
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.errors import RoutingError
from tandem.routing.domain.request import (
    ElevationRequest,
    Include,
    IsochroneRequest,
    MatrixRequest,
    Request,
    RouteRequest,
    SnapRequest,
)
from tandem.routing.exchange import Answer, Exchange
from tandem.routing.providers import bikemap_v2_mapping, bikemap_v2_surveys
from tandem.routing.providers.asked import compared
from tandem.routing.providers.bikemap_v1 import BikemapV1
from tandem.routing.providers.bikemap_v2 import BikemapV2
from tandem.routing.providers.guard import believed
from tandem.routing.providers.paths import replies as paths
from tandem.routing.providers.valhalla import Valhalla
from tandem.routing.providers.valhalla import replies as valhalla

DIRECTORY = Path(__file__).parents[1] / "contract" / "routing" / "golden"
_SEA = Coordinate(lon=24.99, lat=60.17)
_ROUTE = replace(RouteRequest.through(MARKET, STATION), include=frozenset(Include))
_NO_WAY = RouteRequest.through(MARKET, _SEA)
_MATRIX = MatrixRequest((MARKET, STATION), (STATION, _SEA))
_WHOLE_MATRIX = MatrixRequest((MARKET,), (STATION,))
_ISOCHRONE = IsochroneRequest(MARKET, (60.0,))
_SNAP = SnapRequest((MARKET, _SEA))
_SNAP_ONE = SnapRequest((MARKET,))
_ELEVATION = ElevationRequest((MARKET, STATION))

type Reader = Callable[[Answer], DomainAnswer]


def _v2_routes(answer: Answer) -> DomainAnswer:
    return compared(bikemap_v2_mapping.read_routes(answer), _ROUTE, BikemapV2.capabilities)


def _v2_survey(
    request: MatrixRequest | IsochroneRequest | SnapRequest | ElevationRequest,
) -> Reader:
    return lambda answer: bikemap_v2_surveys.read(answer, request)


def _v1_routes(answer: Answer) -> DomainAnswer:
    dialect = BikemapV1.dialect
    return compared(paths.read_routes(answer, _ROUTE, dialect), _ROUTE, dialect.capabilities)


def _v1_isochrone(answer: Answer) -> DomainAnswer:
    contour = paths.read_contour(answer, _ISOCHRONE.center, _ISOCHRONE.contours[0])
    return Isochrone((contour,))


def _v1_snap(answer: Answer) -> DomainAnswer:
    return Snapped((paths.read_nearest(answer, MARKET, _SNAP_ONE.radius_m),))


def _valhalla_routes(answer: Answer) -> DomainAnswer:
    return Routes(tuple(valhalla.route(trip, None) for trip in valhalla.read_trips(answer)))


CASES: Mapping[str, tuple[Request, Reader]] = {
    "bikemap_v2-route": (_ROUTE, _v2_routes),
    "bikemap_v2-refused": (_NO_WAY, _v2_routes),
    "bikemap_v2-matrix": (_MATRIX, _v2_survey(_MATRIX)),
    "bikemap_v2-isochrone": (_ISOCHRONE, _v2_survey(_ISOCHRONE)),
    "bikemap_v2-snap": (_SNAP, _v2_survey(_SNAP)),
    "bikemap_v2-elevation": (_ELEVATION, _v2_survey(_ELEVATION)),
    "bikemap_v1-route": (_ROUTE, _v1_routes),
    "bikemap_v1-refused": (_NO_WAY, _v1_routes),
    "bikemap_v1-matrix": (_MATRIX, lambda answer: paths.read_matrix(answer, _MATRIX)),
    "bikemap_v1-isochrone": (_ISOCHRONE, _v1_isochrone),
    "bikemap_v1-snap": (_SNAP_ONE, _v1_snap),
    "valhalla-route": (_ROUTE, _valhalla_routes),
    "valhalla-refused": (_NO_WAY, _valhalla_routes),
    "valhalla-matrix": (_WHOLE_MATRIX, valhalla.read_matrix),
    "valhalla-isochrone": (
        _ISOCHRONE,
        lambda answer: valhalla.read_isochrone(answer, _ISOCHRONE),
    ),
    "valhalla-snap": (_SNAP, lambda answer: valhalla.read_snapped(answer, _SNAP)),
    "valhalla-elevation": (_ELEVATION, valhalla.read_elevations),
}


def stored(name: str) -> Any:
    """Return a recorded reply: its status, media type, body, and what was read in it."""
    return json.loads((DIRECTORY / f"{name}.json").read_text(encoding="utf-8"))


def answer_of(status: int, media_type: str, body: Any) -> Answer:
    """Make an answer as the exchange gives it."""
    at = datetime(2026, 11, 23, tzinfo=UTC)
    return Answer(status, media_type, {}, at, json.dumps(body).encode())


def reading(name: str, answer: Answer) -> str:
    """Read an answer whole, and say what is in it; an error says its code."""
    request, read = CASES[name]
    try:
        return repr(believed(read(answer), request))
    except RoutingError as error:
        return error.code


class _Recorder(Exchange):
    """Keeps the last answer of the path that is not a token's."""

    said: list[Answer]

    async def send(self, *args: Any, **kwargs: Any) -> Answer:
        """Send, and keep what comes."""
        answer = await super().send(*args, **kwargs)
        self.said.append(answer)
        return answer


async def _record(valhalla_url: str) -> None:
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(served_sandbox(valhalla_url))
        details = ("bm_surface", "bm_way_type")
        server = await stack.enter_async_context(paths_server(valhalla_url, "/v1", details))
        providers: dict[str, BikemapV2 | BikemapV1 | Valhalla] = {
            "bikemap_v2": BikemapV2(sandbox.url, CLIENT_ID, live(CLIENT_SECRET), VirtualClock()),
            "bikemap_v1": BikemapV1(server.url, live(KEY)),
            "valhalla": Valhalla(valhalla_url),
        }
        for name, (request, _read) in CASES.items():
            provider = providers[name.partition("-")[0]]
            recorder = _Recorder(provider._exchange._base_url)
            recorder.said = []
            provider._exchange = await stack.enter_async_context(recorder)
            try:
                await provider.call(request, soon())
            except RoutingError as error:
                print(name, error.code, file=sys.stderr)  # noqa: T201 - a tool for people
            # The first answer is the question's; the engine is asked for more about a line.
            _save(name, recorder.said[0])


def _save(name: str, answer: Answer) -> None:
    body = json.loads(answer.body)
    kept = {"status": answer.status, "media_type": answer.media_type, "body": body}
    kept["reading"] = reading(name, answer_of(**kept))
    text = json.dumps(kept, ensure_ascii=False, indent=1, sort_keys=True)
    (DIRECTORY / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    DIRECTORY.mkdir(exist_ok=True)
    asyncio.run(_record(sys.argv[1]))
