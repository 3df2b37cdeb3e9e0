"""`/v1/routing-jobs`: many routes or matrices at once; and the door for a provider's messages."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import Response

from tandem.platform.auth import Principal, Require
from tandem.platform.errors import DatabaseUnavailable
from tandem.platform.http.problems import HttpProblem, Problem
from tandem.platform.limits import WEBHOOK_URL_CHARS_MAX
from tandem.platform.webhooks import WebhookInvalid
from tandem.routing import limits
from tandem.routing.http.routes import PERMISSION
from tandem.routing.jobs import errors
from tandem.routing.jobs.core import ACTIVE, FINISHED, JobKind
from tandem.routing.jobs.items import JobResults, write_page
from tandem.routing.jobs.service import RoutingJobs, Spec
from tandem.routing.storage.jobs.store import JobRow
from tandem.routing.wire.jobs import Job, JobCallback, JobCounts
from tandem.routing.wire.matrices import MatrixQuestion
from tandem.routing.wire.routes import PlanRequest

PATH: Final = "/v1/routing-jobs"
PROVIDER_PATH: Final = "/v1/routing-webhooks/bikemap"
REPLAYED_HEADER: Final = "Idempotency-Replayed"

_STATUS_AND_CODE: Final[dict[type[errors.JobError], tuple[int, str, str]]] = {
    errors.JobNotFound: (404, "job_not_found", "There is no such job"),
    errors.KeyTaken: (409, "idempotency_mismatch", "The key was used for another job"),
    errors.ResultsExpired: (410, "results_expired", "The results are kept no longer"),
    errors.CursorMalformed: (400, "malformed", "The request is malformed"),
    errors.CallbackMalformed: (400, "malformed", "The request is malformed"),
    errors.TooManyJobs: (429, "too_many_jobs", "Too much is waiting already"),
    errors.NoSeal: (503, "unavailable", "Callbacks cannot be kept now"),
}
_PROBLEMS: Final[dict[int, str]] = {
    400: "`malformed`",
    401: "`unauthenticated`",
    403: "`forbidden`",
    404: "`job_not_found`",
    409: "`idempotency_mismatch`",
    410: "`results_expired`",
    413: "`too_large`",
    429: "`too_many_jobs`",
    503: "`unavailable`",
}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    callback_url: Annotated[str, Field(max_length=WEBHOOK_URL_CHARS_MAX)] | None = None
    """Where to send a message when the job has finished; it takes a secret to sign with."""
    callback_secret: Annotated[str, Field(max_length=128)] | None = None
    """`whsec_` and 24 to 64 bytes in base64."""

    @model_validator(mode="after")
    def _both_or_neither(self) -> "_Body":
        if (self.callback_url is None) != (self.callback_secret is None):
            raise ValueError("callback_url and callback_secret go together")
        return self


class RoutesJob(_Body):
    """Routes to plan: items as `routes:plan` takes them. A job takes its time: no deadline."""

    kind: Literal[JobKind.ROUTES]
    items: Annotated[list[PlanRequest], Field(min_length=1, max_length=limits.JOB_ITEMS_MAX)]

    def spec(self) -> Spec:
        """Say what the job is to do."""
        url, secret = self.callback_url, self.callback_secret
        return Spec(JobKind.ROUTES, self.items, url, secret)


class MatricesJob(_Body):
    """Matrices to compute: items as `matrices:compute` takes them, but for the deadline."""

    kind: Literal[JobKind.MATRICES]
    items: Annotated[list[MatrixQuestion], Field(min_length=1, max_length=limits.JOB_ITEMS_MAX)]

    def spec(self) -> Spec:
        """Say what the job is to do."""
        url, secret = self.callback_url, self.callback_secret
        return Spec(JobKind.MATRICES, self.items, url, secret)


type JobBody = Annotated[RoutesJob | MatricesJob, Field(discriminator="kind")]


def create_jobs_router(jobs: RoutingJobs, require: Require) -> APIRouter:
    """Build the routes; `require` makes the guard that wants a key with a permission."""
    router = APIRouter(tags=["routing jobs"])
    _add_making(router, jobs, require)
    _add_looking(router, jobs, require)
    _add_provider(router, jobs)
    return router


def _add_making(router: APIRouter, jobs: RoutingJobs, require: Require) -> None:
    who = Depends(require(PERMISSION))

    @router.post(
        PATH,
        status_code=202,
        summary="Ask for many routes or matrices",
        operation_id="create_routing_job",
        response_model=Job,
        responses=_responses(400, 401, 403, 409, 413, 429, 503),
    )
    async def create(
        body: JobBody,
        idempotency_key: Annotated[
            str,
            Header(min_length=1, max_length=limits.JOB_KEY_CHARS_MAX, pattern=r"^[!-~]+$"),
        ],
        principal: Annotated[Principal, who],
    ) -> Response:
        """Take a job; the same key with the same job again is the same job."""
        with _problems():
            job, replayed = await jobs.create(principal.key_id, idempotency_key, body.spec())
        headers = {"Location": f"{PATH}/{job.job_id}"}
        return _written(job, 202, headers | ({REPLAYED_HEADER: "true"} if replayed else {}))

    @router.delete(
        PATH + "/{job_id}",
        summary="Cancel a job",
        operation_id="cancel_routing_job",
        response_model=Job,
        responses=_responses(401, 403, 404, 503),
    )
    async def cancel(job_id: str, principal: Annotated[Principal, who]) -> Response:
        """Cancel what goes on; results that are there stay. What has finished stays as it is."""
        with _problems():
            return _written(await jobs.cancel(principal.key_id, job_id))


def _add_looking(router: APIRouter, jobs: RoutingJobs, require: Require) -> None:
    who = Depends(require(PERMISSION))

    @router.get(
        PATH + "/{job_id}",
        summary="Look at a job",
        operation_id="get_routing_job",
        response_model=Job,
        responses=_responses(401, 403, 404, 503),
    )
    async def get(job_id: str, principal: Annotated[Principal, who]) -> Response:
        """Say where a job is; `Retry-After` says when it is worth looking again."""
        with _problems():
            return _written(await jobs.get(principal.key_id, job_id))

    @router.get(
        PATH + "/{job_id}/results",
        summary="Fetch results",
        operation_id="get_routing_job_results",
        response_model=JobResults,
        responses=_responses(400, 401, 403, 404, 410, 503),
    )
    async def results(
        job_id: str,
        principal: Annotated[Principal, who],
        cursor: Annotated[str | None, Query(max_length=32)] = None,
        limit: Annotated[int, Query(ge=1, le=limits.JOB_PAGE_ITEMS_MAX)] = limits.JOB_PAGE_ITEMS,
    ) -> Response:
        """Give results in item order; while the job runs, those before the first open item."""
        with _problems():
            page = await jobs.results(principal.key_id, job_id, cursor, limit)
        return Response(write_page(page.rows, page.next_cursor), media_type="application/json")


def _add_provider(router: APIRouter, jobs: RoutingJobs) -> None:
    @router.post(
        PROVIDER_PATH,
        status_code=204,
        summary="Take a message of Bikemap's",
        operation_id="receive_bikemap_webhook",
        responses=_responses(401, 413, 503),
    )
    async def receive(request: Request) -> Response:
        """Verify a message (Standard Webhooks) and look at the job that it names."""
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > limits.WEBHOOK_BODY_BYTES_MAX:
                raise HttpProblem(413, "too_large", "The message is too large")
        try:
            with _problems():
                await jobs.receive(request.headers, bytes(body))
        except WebhookInvalid as error:
            raise HttpProblem(
                401, "unauthenticated", "The message is not believed", str(error)
            ) from error
        return Response(status_code=204)


def _written(job: JobRow, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    content = _view(job).model_dump_json(exclude_none=True)
    hint = {"Retry-After": str(limits.JOB_STATUS_RETRY_S)} if job.state in ACTIVE else {}
    return Response(content, status, (headers or {}) | hint, "application/json")


def _view(job: JobRow) -> Job:
    kept = timedelta(seconds=limits.JOB_RESULTS_KEPT_S)
    is_finished = job.state in FINISHED and job.finished_at is not None
    counts, callback = job.counts, job.callback
    return Job(
        job_id=str(job.job_id),
        kind=job.kind,
        state=job.state,
        created_at=job.created_at,
        finished_at=job.finished_at,
        results_expire_at=job.finished_at + kept if is_finished and job.finished_at else None,
        counts=JobCounts(
            items=counts.items,
            succeeded=counts.succeeded,
            failed=counts.failed,
            pending=counts.pending,
        ),
        callback=None if callback is None else JobCallback(**callback._asdict()),
    )


def _responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Problem, "description": _PROBLEMS[status]} for status in statuses}


@contextmanager
def _problems() -> Iterator[None]:
    """Say errors as problems."""
    try:
        yield
    except (errors.JobError, DatabaseUnavailable) as error:
        raise _problem(error) from error


def _problem(error: errors.JobError | DatabaseUnavailable) -> HttpProblem:
    if isinstance(error, DatabaseUnavailable):
        return HttpProblem(
            503, "unavailable", "Jobs cannot be kept or read now", headers={"Retry-After": "1"}
        )
    status, code, title = _STATUS_AND_CODE[type(error)]
    headers = {}
    if isinstance(error, errors.TooManyJobs):
        headers = {"Retry-After": str(limits.JOB_FULL_RETRY_S)}
    field = getattr(error, "field", None)
    return HttpProblem(status, code, title, str(error), headers=headers, field=field)
