"""What a provider can do."""

from dataclasses import dataclass

from tandem.routing import limits
from tandem.routing.domain.operation import Operation
from tandem.routing.domain.preference import Avoid, BicycleProfile, SurfacePreference
from tandem.routing.domain.request import (
    IsochroneRequest,
    MatrixRequest,
    Measure,
    Request,
    RouteRequest,
)
from tandem.routing.domain.route import RouteWarning


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The flags of one provider: what it does not have is not asked of it.

    `measures` are those that its isochrones know.
    """

    operations: frozenset[Operation]
    profiles: frozenset[BicycleProfile] = frozenset(BicycleProfile)
    avoid: frozenset[Avoid] = frozenset()
    surface_preference: bool = False
    e_bike: bool = False
    departure: bool = False
    headings: bool = False
    alternatives_max: int = 0
    waypoints_max: int = limits.WAYPOINTS_MAX
    matrix_cells_max: int = limits.MATRIX_CELLS_MAX
    matrix_side_max: int = limits.MATRIX_CELLS_MAX
    contours_max: int = limits.CONTOURS_MAX
    measures: frozenset[Measure] = frozenset(Measure)
    reverse_isochrones: bool = False

    def lacking(self, request: Request) -> str | None:
        """Say what of a request the provider cannot do at all; None if it can."""
        profile = getattr(request, "profile", None)
        if request.operation not in self.operations:
            return f"the provider has no {request.operation.value}"
        if profile is not None and profile not in self.profiles:
            return f"the provider does not know the profile {profile.value}"
        if isinstance(request, RouteRequest) and len(request.waypoints) > self.waypoints_max:
            return f"the provider takes {self.waypoints_max} waypoints"
        if isinstance(request, MatrixRequest):
            return self._lacking_matrix(request)
        return self._lacking_isochrone(request) if isinstance(request, IsochroneRequest) else None

    def _lacking_matrix(self, request: MatrixRequest) -> str | None:
        if request.cells > self.matrix_cells_max:
            return f"the provider takes {self.matrix_cells_max} cells"
        if max(len(request.sources), len(request.targets)) > self.matrix_side_max:
            return f"the provider takes {self.matrix_side_max} sources and targets"
        return None

    def _lacking_isochrone(self, request: IsochroneRequest) -> str | None:
        if request.measure not in self.measures:
            return f"the provider has no isochrones by {request.measure.value}"
        if request.reverse and not self.reverse_isochrones:
            return "the provider has no isochrones towards a place"
        if len(request.contours) > self.contours_max:
            return f"the provider takes {self.contours_max} contours"
        return None

    def unheeded(self, request: RouteRequest) -> tuple[RouteWarning, ...]:
        """Return a warning for each wish that the provider cannot heed."""
        wishes = request.preferences
        unheeded = [f"avoid.{avoid.value}" for avoid in sorted(wishes.avoid - self.avoid)]
        if wishes.surface is not SurfacePreference.ANY and not self.surface_preference:
            unheeded.append("surface")
        if wishes.e_bike and not self.e_bike:
            unheeded.append("e_bike")
        if request.departure_at is not None and not self.departure:
            unheeded.append("departure_at")
        if any(one.heading_deg is not None for one in request.waypoints) and not self.headings:
            unheeded.append("heading_deg")
        if request.alternatives > self.alternatives_max:
            unheeded.append("alternatives")
        return tuple(
            RouteWarning(f"unheeded.{wish}", "the provider cannot heed this wish")
            for wish in unheeded
        )
