"""What tests and operators of the sandbox see of jobs, and what they make go wrong."""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tandem.sandbox.admin import Endpoint
from tandem.sandbox.requests import read_model
from tandem.sandbox.v2.jobs.book import Job, JobBook
from tandem.sandbox.v2.jobs.messages import MessageFaults, Messenger
from tandem.sandbox.v2.jobs.runner import JobRunner


class _Pause(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    paused: bool


class JobAdmin:
    """`/admin/jobs` and `/admin/messages`."""

    def __init__(self, book: JobBook, runner: JobRunner, messenger: Messenger) -> None:
        self._book = book
        self._runner = runner
        self._messenger = messenger

    def routes(self, only_admin: Callable[[Endpoint], Endpoint]) -> list[Route]:
        """Return the HTTP routes."""
        return [
            Route("/admin/jobs", only_admin(self._jobs), methods=["GET"]),
            Route("/admin/jobs", only_admin(self._pause), methods=["PUT"]),
            Route("/admin/messages", only_admin(self._spoil), methods=["PUT"]),
        ]

    async def _jobs(self, _request: Request) -> Response:
        return JSONResponse({"jobs": [_told(job) for job in self._book.all()]})

    async def _pause(self, request: Request) -> Response:
        """Stop the work before the next job, or let it go on."""
        if (await read_model(request, _Pause)).paused:
            self._runner.may_work.clear()
        else:
            self._runner.may_work.set()
        return Response(status_code=204)

    async def _spoil(self, request: Request) -> Response:
        self._messenger.spoil(await read_model(request, MessageFaults))
        return Response(status_code=204)


def _told(job: Job) -> dict[str, Any]:
    about = {"client": job.account.client.id, "key": job.key, "submissions": job.submissions}
    return job.members() | about
