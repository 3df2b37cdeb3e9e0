"""GraphHopper's public API. Its key stands in the query, so its URLs are told to nobody."""

from tandem.routing.domain.capabilities import Capabilities
from tandem.routing.domain.operation import Operation
from tandem.routing.limits import ALTERNATIVES_MAX
from tandem.routing.providers.paths.adapter import PathsProvider
from tandem.routing.providers.paths.words import Dialect


class GraphHopper(PathsProvider):
    """The adapter; `base_url` is `https://graphhopper.com/api/1`. Its terms let us keep nothing."""

    dialect = Dialect(
        name="graphhopper",
        attribution=("© GraphHopper", "© OpenStreetMap contributors"),
        prefix="",
        key_header=None,
        surface_detail="surface",
        way_type_detail="road_class",
        capabilities=Capabilities(
            frozenset({Operation.ROUTE, Operation.MATRIX, Operation.ISOCHRONE}),
            alternatives_max=ALTERNATIVES_MAX,
            waypoints_max=30,
            contours_max=4,
            reverse_isochrones=True,
        ),
        caching={},
    )
