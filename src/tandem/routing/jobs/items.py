"""The JSON of items and of their results: what is asked, what is stored, and what is shown.

An item is what the one question of its kind is over HTTP, and its answer is that question's.
"""

import json
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, ValidationError

from tandem.routing import limits
from tandem.routing.domain.errors import InvalidRequest, Refusal, RoutingError
from tandem.routing.domain.request import RouteRequest
from tandem.routing.domain.result import Result
from tandem.routing.jobs.core import JobKind
from tandem.routing.storage.jobs.store import ResultRow
from tandem.routing.wire.common import Told
from tandem.routing.wire.matrices import MatrixAnswer, MatrixQuestion, matrix_answer
from tandem.routing.wire.routes import PlanAnswer, PlanRequest, plan_answer

type Item = PlanRequest | MatrixQuestion


class ItemError(Told):
    """Why there is no answer; `code` is one of the taxonomy's."""

    code: str
    detail: str
    field: str | None = None
    point_index: int | None = None


class Succeeded(Told):
    """An item with its answer."""

    index: int
    status: Literal["ok"] = "ok"
    answer: PlanAnswer | MatrixAnswer


class Failed(Told):
    """An item without one."""

    index: int
    status: Literal["error"] = "error"
    error: ItemError


class JobResults(Told):
    """Results in item order. `next_cursor` is null when there are no more, and will be no more."""

    items: list[Annotated[Succeeded | Failed, Field(discriminator="status")]]
    next_cursor: str | None


_ITEMS: Final[dict[JobKind, type[BaseModel]]] = {
    JobKind.ROUTES: PlanRequest,
    JobKind.MATRICES: MatrixQuestion,
}


def read_item(kind: JobKind, stored: str) -> Item:
    """Read an item that was stored. Raises InvalidRequest where this version cannot."""
    try:
        item = _ITEMS[kind].model_validate_json(stored)
    except ValidationError as error:
        raise InvalidRequest("the item was written by another version") from error
    assert isinstance(item, PlanRequest | MatrixQuestion)  # noqa: S101 - there are no others
    return item


def read_route(stored: str) -> RouteRequest:
    """Read a stored item of a job of routes. Raises InvalidRequest."""
    request = read_item(JobKind.ROUTES, stored).to_domain()
    assert isinstance(request, RouteRequest)  # noqa: S101 - its kind says so
    return request


def succeeded(index: int, item: Item, result: Result[Any]) -> ResultRow:
    """Write an answer down."""
    answer: PlanAnswer | MatrixAnswer
    if isinstance(item, PlanRequest):
        answer = plan_answer(result, item.geometry, item.dims)
    else:
        answer = matrix_answer(result)
    written = Succeeded(index=index, answer=answer).model_dump_json(exclude_none=True)
    return ResultRow(index, succeeded=True, body=written)


def failed(index: int, error: RoutingError) -> ResultRow:
    """Write down why there is no answer."""
    refusal = error if isinstance(error, Refusal) else None
    said = ItemError(
        code=error.code,
        detail=str(error)[: limits.JOB_DETAIL_CHARS_MAX],
        field=None if refusal is None else refusal.field,
        point_index=None if refusal is None else refusal.point_index,
    )
    written = Failed(index=index, error=said).model_dump_json(exclude_none=True)
    return ResultRow(index, succeeded=False, body=written)


def write_page(rows: list[ResultRow], next_cursor: str | None) -> bytes:
    """Write a page of results; they are JSON already."""
    items = ",".join(row.body for row in rows)
    return f'{{"items":[{items}],"next_cursor":{json.dumps(next_cursor)}}}'.encode()
