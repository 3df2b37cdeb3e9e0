"""`GET /v1/routing/capabilities` and `POST /v1/routing/cache:purge`."""

from typing import Annotated

from pydantic import Field

from tandem.routing.domain.area import Area
from tandem.routing.domain.capabilities import Capabilities
from tandem.routing.wire.common import Asked, Latitude, Longitude, Told


class ToldCapabilities(Told):
    """What one provider can do; what it cannot is asked of the next, or named in warnings."""

    provider: str
    is_primary: bool
    operations: list[str]
    profiles: list[str]
    avoid: list[str]
    surface_preference: bool
    e_bike: bool
    departure: bool
    headings: bool
    alternatives_max: int
    waypoints_max: int
    matrix_cells_max: int
    contours_max: int

    @classmethod
    def of(cls, provider: str, *, is_primary: bool, can: Capabilities) -> "ToldCapabilities":
        """Write a provider's capabilities down."""
        return cls(
            provider=provider,
            is_primary=is_primary,
            operations=sorted(can.operations),
            profiles=sorted(can.profiles),
            avoid=sorted(can.avoid),
            surface_preference=can.surface_preference,
            e_bike=can.e_bike,
            departure=can.departure,
            headings=can.headings,
            alternatives_max=can.alternatives_max,
            waypoints_max=can.waypoints_max,
            matrix_cells_max=can.matrix_cells_max,
            contours_max=can.contours_max,
        )


class CapabilitiesAnswer(Told):
    """Every provider that is set up, in the order in which they are asked."""

    providers: list[ToldCapabilities]


class PurgeQuestion(Asked):
    """A box in degrees whose answers are to be forgotten."""

    west: Annotated[Longitude, Field(strict=True)]
    south: Annotated[Latitude, Field(strict=True)]
    east: Annotated[Longitude, Field(strict=True)]
    north: Annotated[Latitude, Field(strict=True)]

    def to_domain(self) -> Area:
        """Say it in the domain's words; raises ValueError where it is no box."""
        return Area(self.west, self.south, self.east, self.north)


class PurgeAnswer(Told):
    """How many entries of the shared cache were forgotten."""

    purged: int
