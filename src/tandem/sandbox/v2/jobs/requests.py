"""`POST /v2/jobs`: what a job is made of."""

from typing import Annotated, Literal

from pydantic import AnyHttpUrl, Field, RootModel

from tandem.sandbox import limits
from tandem.sandbox.v2.compute import cost_credits
from tandem.sandbox.v2.requests import ComputeRequest, Strict
from tandem.sandbox.v2.surveys import MatrixRequest

type CallbackUrl = Annotated[AnyHttpUrl, Field(max_length=limits.CALLBACK_URL_CHARS_MAX)]


class BatchRouteRequest(Strict):
    """Many routes, each asked for as in `routes:compute`."""

    kind: Literal["batch-route"]
    items: Annotated[list[ComputeRequest], Field(min_length=1, max_length=limits.JOB_ITEMS_MAX)]
    callback_url: CallbackUrl | None = None

    def credits_of(self) -> list[int]:
        """Return what each item costs."""
        return [cost_credits(item) for item in self.items]


class MatrixJobRequest(Strict):
    """Many matrices, each asked for as in `matrix:compute`."""

    kind: Literal["matrix"]
    items: Annotated[list[MatrixRequest], Field(min_length=1, max_length=limits.JOB_ITEMS_MAX)]
    callback_url: CallbackUrl | None = None

    def credits_of(self) -> list[int]:
        """Return what each item costs."""
        return [item.credits() for item in self.items]


type Submitted = BatchRouteRequest | MatrixJobRequest


class JobRequest(RootModel[Annotated[Submitted, Field(discriminator="kind")]]):
    """A job of either kind."""
