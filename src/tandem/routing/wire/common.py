"""What all requests and all answers have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from tandem.routing import limits
from tandem.routing.domain.answers import DomainAnswer
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.result import Freshness, Result

type Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
type Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
type Measured = Annotated[float, Field(ge=0, allow_inf_nan=False)]
type Height = Annotated[float, Field(allow_inf_nan=False)]
type DeadlineMs = Annotated[
    int, Field(strict=True, ge=limits.DEADLINE_MS_MIN, le=limits.DEADLINE_MS_MAX)
]


class Asked(BaseModel):
    """A piece of a request: whatever is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Told(BaseModel):
    """A piece of an answer: a newer server may tell more than an older client knows."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Place(Asked):
    """A place in degrees."""

    lon: Annotated[Longitude, Field(strict=True)]
    lat: Annotated[Latitude, Field(strict=True)]

    @classmethod
    def of(cls, place: Coordinate) -> "Place":
        """Write a place down."""
        return cls(lon=place.lon, lat=place.lat)

    def to_domain(self) -> Coordinate:
        """Say it in the domain's words."""
        return Coordinate(self.lon, self.lat)


class ToldPlace(Told):
    """A place in degrees."""

    lon: Longitude
    lat: Latitude

    @classmethod
    def of(cls, place: Coordinate) -> "ToldPlace":
        """Write a place down."""
        return cls(lon=place.lon, lat=place.lat)

    def to_domain(self) -> Coordinate:
        """Say it in the domain's words."""
        return Coordinate(self.lon, self.lat)


class Labelled(Told):
    """An answer with its label. `attribution` must be shown wherever the answer is.

    `degraded` is false only for what the primary provider said, live or a short while ago.
    """

    provider: str
    freshness: Freshness
    degraded: bool
    attribution: list[str]
    age_s: Measured

    def result_of[A: DomainAnswer](self, answer: A) -> Result[A]:
        """Put an answer under this label."""
        return Result(
            answer,
            self.provider,
            self.freshness,
            self.degraded,
            tuple(self.attribution),
            self.age_s,
        )


def label[A: DomainAnswer](result: Result[A]) -> dict[str, object]:
    """Return the members of a result's label."""
    return {
        "provider": result.provider,
        "freshness": result.freshness,
        "degraded": result.degraded,
        "attribution": list(result.attribution),
        "age_s": result.age_s,
    }
