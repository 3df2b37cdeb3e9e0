"""`POST /v1/matrices:compute`."""

from typing import Annotated

from pydantic import Field

from tandem.routing import limits
from tandem.routing.domain.answers import CellStatus, Matrix, MatrixCell
from tandem.routing.domain.preference import BicycleProfile
from tandem.routing.domain.request import MatrixRequest
from tandem.routing.domain.result import Result
from tandem.routing.wire.common import Asked, DeadlineMs, Labelled, Measured, Place, Told, label

type _Places = Annotated[list[Place], Field(min_length=1, max_length=limits.MATRIX_CELLS_MAX)]


class MatrixQuestion(Asked):
    """Distances and times from every source to every target; the cells are bounded."""

    sources: _Places
    targets: _Places
    profile: BicycleProfile = BicycleProfile.TOURING
    deadline_ms: DeadlineMs = limits.DEADLINE_MS_DEFAULT

    @classmethod
    def of(cls, request: MatrixRequest, deadline_ms: int) -> "MatrixQuestion":
        """Write a request down."""
        return cls(
            sources=[Place.of(place) for place in request.sources],
            targets=[Place.of(place) for place in request.targets],
            profile=request.profile,
            deadline_ms=deadline_ms,
        )

    def to_domain(self) -> MatrixRequest:
        """Say it in the domain's words. Raises InvalidRequest."""
        return MatrixRequest(
            tuple(place.to_domain() for place in self.sources),
            tuple(place.to_domain() for place in self.targets),
            self.profile,
        )


class Cell(Told):
    """From one source to one target; without values unless the status is `ok`."""

    status: CellStatus
    distance_m: Measured | None = None
    duration_s: Measured | None = None


class MatrixAnswer(Labelled):
    """A row for each source, a cell in it for each target."""

    cells: list[list[Cell]]

    def to_domain(self) -> Result[Matrix]:
        """Say it in the domain's words."""
        rows = (
            tuple(MatrixCell(cell.status, cell.distance_m, cell.duration_s) for cell in row)
            for row in self.cells
        )
        return self.result_of(Matrix(tuple(rows)))


def matrix_answer(result: Result[Matrix]) -> MatrixAnswer:
    """Write a result down."""
    rows = [
        [
            Cell(status=cell.status, distance_m=cell.distance_m, duration_s=cell.duration_s)
            for cell in row
        ]
        for row in result.answer.cells
    ]
    return MatrixAnswer.model_validate({**label(result), "cells": rows})
