"""Bikemap, version 1 of its contract: the API of paths with details of its own.

What breaks between it and version 2 ends in `paths`: the axes of a GET and of a POST, milliseconds
and seconds, five decimals, signs, maps of details, nulls, and refusals without a code.
"""

from typing import Final

from tandem.routing.domain.caching import CachePolicy
from tandem.routing.domain.capabilities import Capabilities
from tandem.routing.domain.operation import Operation
from tandem.routing.limits import ALTERNATIVES_MAX, CACHE_FRESH_S, CACHE_STALE_S
from tandem.routing.providers.paths.adapter import PathsProvider
from tandem.routing.providers.paths.words import Dialect

_KEPT: Final = CachePolicy(CACHE_FRESH_S, 0.0, CACHE_STALE_S)


class BikemapV1(PathsProvider):
    """The adapter; `base_url` is without the `/v1`. The key goes into a header, never a URL."""

    dialect = Dialect(
        name="bikemap_v1",
        attribution=("© Bikemap", "© OpenStreetMap contributors"),
        prefix="/v1",
        key_header="X-Api-Key",
        surface_detail="bm_surface",
        way_type_detail="bm_way_type",
        capabilities=Capabilities(
            frozenset({Operation.ROUTE, Operation.MATRIX, Operation.ISOCHRONE, Operation.SNAP}),
            alternatives_max=ALTERNATIVES_MAX,
            contours_max=4,
            reverse_isochrones=True,
        ),
        caching={Operation.ROUTE: _KEPT, Operation.MATRIX: _KEPT},
    )
