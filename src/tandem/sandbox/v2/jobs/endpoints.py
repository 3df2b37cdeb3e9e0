"""The HTTP routes of jobs."""

import asyncio
from collections.abc import Callable
from typing import Final

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tandem.sandbox import limits
from tandem.sandbox.keys import JOBS_SCOPE
from tandem.sandbox.problems import ApiProblem, Code
from tandem.sandbox.requests import invalid, read_json_body
from tandem.sandbox.v2.compute import ATTRIBUTION
from tandem.sandbox.v2.gate import Gate, Pass
from tandem.sandbox.v2.jobs.book import OPEN, Job, JobBook, JobStatus
from tandem.sandbox.v2.jobs.requests import JobRequest, Submitted

JOBS_PATH: Final = "/v2/jobs"
JOB_PATH: Final = "/v2/jobs/{id}"
RESULTS_PATH: Final = "/v2/jobs/{id}/results"
KEY_HEADER: Final = "Idempotency-Key"
_HINT: Final = {"Retry-After": str(limits.POLL_HINT_S)}
_NO_STORE: Final = {"Cache-Control": "no-store"}


class JobEndpoints:
    """Jobs over HTTP; `start` begins the work on one."""

    def __init__(self, gate: Gate, book: JobBook, start: Callable[[Job], None]) -> None:
        self._gate = gate
        self._book = book
        self._start = start

    def routes(self) -> list[Route]:
        """Return the HTTP routes."""
        guard = self._gate.guard
        return [
            Route(JOBS_PATH, guard(self._submit, JOBS_SCOPE), methods=["POST"]),
            Route(JOB_PATH, guard(self._look, JOBS_SCOPE), methods=["GET"]),
            Route(JOB_PATH, guard(self._cancel, JOBS_SCOPE), methods=["DELETE"]),
            Route(RESULTS_PATH, guard(self._results, JOBS_SCOPE), methods=["GET"]),
        ]

    async def _submit(self, request: Request, admitted: Pass) -> Response:
        account = admitted.account
        if not account.client.plan.has_jobs:
            raise ApiProblem(Code.PLAN_FEATURE, "the plan has no jobs")
        key = _key(request)
        body = await read_json_body(request, limits.JOB_BODY_BYTES_MAX)
        job = self._book.known(account, key, body)
        if job is None:
            submitted = await asyncio.to_thread(_submitted, body)
            if submitted.callback_url is not None and not account.client.webhook_secrets:
                raise ApiProblem(Code.REQUEST_MALFORMED, "the client has no webhook secret")
            self._gate.charge(admitted, sum(submitted.credits_of()))
            try:
                job = self._book.add(account, key, body, submitted)
            except ApiProblem:
                self._gate.refund(admitted)
                raise
            self._start(job)
        headers = {"Location": f"{JOBS_PATH}/{job.id}", **_HINT, **_NO_STORE}
        return JSONResponse(job.members(), 202, headers)

    async def _look(self, request: Request, admitted: Pass) -> Response:
        job = self._book.find(admitted.account, request.path_params["id"])
        hint = _HINT if job.status in OPEN else {}
        return JSONResponse(job.members(), headers={**hint, **_NO_STORE})

    async def _results(self, request: Request, admitted: Pass) -> Response:
        job = self._book.find(admitted.account, request.path_params["id"])
        items, cursor = self._book.page(job, request.query_params.get("cursor"))
        page = {"items": items, "next_cursor": cursor, "attribution": list(ATTRIBUTION)}
        return JSONResponse(page, headers=_NO_STORE)

    async def _cancel(self, request: Request, admitted: Pass) -> Response:
        job = self._book.find(admitted.account, request.path_params["id"])
        self._book.end(job, JobStatus.CANCELLED)
        return Response(status_code=204)


def _key(request: Request) -> str | None:
    key = request.headers.get(KEY_HEADER)
    if key is not None and not 1 <= len(key) <= limits.IDEMPOTENCY_KEY_CHARS_MAX:
        most = limits.IDEMPOTENCY_KEY_CHARS_MAX
        raise ApiProblem(Code.REQUEST_MALFORMED, f"an {KEY_HEADER} has 1 to {most} letters")
    return key


def _submitted(body: bytes) -> Submitted:
    try:
        return JobRequest.model_validate_json(body).root
    except ValidationError as error:
        raise invalid(error) from error
