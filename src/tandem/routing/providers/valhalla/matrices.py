"""A whole matrix of an engine that refuses one as soon as one pair has no way.

It is halved until what is refused is one pair, which then is what the refusal says. Few matrices
have such a pair; the number of calls is bounded all the same.
"""

from collections.abc import Awaitable, Callable, Container
from dataclasses import replace
from itertools import count

from tandem.routing.domain.answers import CellStatus, Matrix, MatrixCell
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.errors import NoRoute, NotSnapped, Refusal, TooLong
from tandem.routing.domain.request import MatrixRequest
from tandem.routing.limits import MATRIX_CALLS_MAX

type Ask = Callable[[MatrixRequest], Awaitable[Matrix]]

_EMPTY = {
    NoRoute: MatrixCell(CellStatus.UNREACHABLE),
    TooLong: MatrixCell(CellStatus.UNREACHABLE),
    NotSnapped: MatrixCell(CellStatus.NOT_SNAPPED),
}


async def whole_matrix(request: MatrixRequest, ask: Ask) -> Matrix:
    """Ask for a matrix, in pieces where need be.

    Raises:
        Refusal: It would take too many pieces.
    """
    calls = count(1)

    async def piece(part: MatrixRequest) -> Matrix:
        try:
            return await ask(part)
        except Refusal as refusal:
            empty = _EMPTY.get(type(refusal))
            if empty is None or next(calls) > MATRIX_CALLS_MAX:
                raise
            if part.cells == 1:
                return Matrix(((empty,),))
        if len(part.sources) >= len(part.targets):
            middle = len(part.sources) // 2
            upper = await piece(replace(part, sources=part.sources[:middle]))
            lower = await piece(replace(part, sources=part.sources[middle:]))
            return Matrix(upper.cells + lower.cells)
        middle = len(part.targets) // 2
        left = await piece(replace(part, targets=part.targets[:middle]))
        right = await piece(replace(part, targets=part.targets[middle:]))
        return Matrix(
            tuple(one + other for one, other in zip(left.cells, right.cells, strict=True))
        )

    return await piece(request)


def marked(matrix: Matrix, request: MatrixRequest, off_network: Container[Coordinate]) -> Matrix:
    """Say of the cells from or to places off the network that these are not snapped."""
    not_snapped = MatrixCell(CellStatus.NOT_SNAPPED)
    rows = (
        tuple(
            not_snapped if source in off_network or target in off_network else cell
            for target, cell in zip(request.targets, row, strict=True)
        )
        for source, row in zip(request.sources, matrix.cells, strict=True)
    )
    return Matrix(tuple(rows))
