"""What operators do to change who answers: canaries, and how far providers are apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from fastapi import APIRouter, Depends

from tandem.platform.auth import Require
from tandem.platform.errors import DatabaseUnavailable
from tandem.platform.http.problems import HttpProblem, Problem
from tandem.routing.change.operator import CanaryConflict, Operator
from tandem.routing.change.report import Report
from tandem.routing.http.problems import RESPONSES
from tandem.routing.limits import UNAVAILABLE_RETRY_AFTER_S
from tandem.routing.wire.change import (
    CanaryAnswer,
    CanaryMoveQuestion,
    CanaryStartQuestion,
    DifferencesAnswer,
    ToldCanary,
    ToldDifference,
)

_OPERATE: Final = "admin"
_READ_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    401: RESPONSES[401],
    403: RESPONSES[403],
    503: {"model": Problem, "description": "`unavailable`"},
}
_MOVE_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    **_READ_RESPONSES,
    400: {"model": Problem, "description": "`malformed`"},
    409: {"model": Problem, "description": "`canary_conflict`"},
}


def create_change_router(operator: Operator, report: Report, require: Require) -> APIRouter:
    """Build the routes; `require` makes the guard that wants a key with a permission."""
    router = APIRouter(tags=["routing"], dependencies=[Depends(require(_OPERATE))])

    @router.get(
        "/v1/routing/canary",
        summary="Tell how far a canary is",
        operation_id="routing_canary",
        responses=_READ_RESPONSES,
    )
    async def canary() -> CanaryAnswer:
        """Give the last canary, and what became of it and of others before."""
        with _problems():
            last, moves = await operator.canary(), await operator.moves()
        return CanaryAnswer(
            canary=None if last is None else ToldCanary.of(last),
            moves=[ToldCanary.of(move) for move in moves],
        )

    @router.post(
        "/v1/routing/canary:start",
        summary="Try a provider in another's place",
        operation_id="start_routing_canary",
        responses=_MOVE_RESPONSES,
    )
    async def start(question: CanaryStartQuestion) -> ToldCanary:
        """Begin in the shadow; from there it goes on, or back, by itself."""
        with _problems():
            return ToldCanary.of(await operator.start(question.candidate, question.baseline))

    @router.post(
        "/v1/routing/canary:move",
        summary="Freeze, resume, promote or roll back",
        operation_id="move_routing_canary",
        responses=_MOVE_RESPONSES,
    )
    async def move(question: CanaryMoveQuestion) -> ToldCanary:
        """Bring the canary where it would not go by itself, or not yet."""
        with _problems():
            return ToldCanary.of(await operator.bring(question.status, question.reason))

    @router.get(
        "/v1/routing/differences",
        summary="Tell how far providers' answers are apart",
        operation_id="routing_differences",
        responses={code: _READ_RESPONSES[code] for code in (401, 403)},
    )
    async def differences() -> DifferencesAnswer:
        """Report on what was compared in the shadow since this process began."""
        return DifferencesAnswer(differences=[ToldDifference.of(line) for line in report.lines()])

    return router


@contextmanager
def _problems() -> Iterator[None]:
    try:
        yield
    except CanaryConflict as error:
        raise HttpProblem(
            409, "canary_conflict", "The canary does not go there", str(error)
        ) from error
    except DatabaseUnavailable as error:
        headers = {"Retry-After": str(UNAVAILABLE_RETRY_AFTER_S)}
        raise HttpProblem(
            503, "unavailable", "The state of the canary is not to be had", headers=headers
        ) from error
