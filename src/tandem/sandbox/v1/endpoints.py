"""The routes of version 1, and who may use them."""

import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tandem.sandbox import limits
from tandem.sandbox.keys import Account, Keyring
from tandem.sandbox.problems import ApiProblem, Code, Fault
from tandem.sandbox.requests import read_body
from tandem.sandbox.v1 import answers, requests
from tandem.sandbox.v1.errors import UnknownProfile, error_response, unknown_profile
from tandem.sandbox.v1.gate import key_of, marked
from tandem.sandbox.v1.tracks import read_track
from tandem.sandbox.v2.compute import RouteComputer, cost_credits
from tandem.sandbox.v2.jobs.book import Job, JobBook, JobStatus
from tandem.sandbox.v2.jobs.requests import MatrixJobRequest
from tandem.sandbox.v2.requests import Profile
from tandem.sandbox.v2.saved import RouteBook
from tandem.sandbox.v2.survey import Surveyor
from tandem.sandbox.v2.surveys import SnapRequest

ROUTE_PATH: Final = "/v1/route"
MATRIX_PATH: Final = "/v1/matrix"
ISOCHRONE_PATH: Final = "/v1/isochrone"
NEAREST_PATH: Final = "/v1/nearest"
MATCH_PATH: Final = "/v1/match"
CALCULATE_PATH: Final = "/v1/matrix/calculate"
SOLUTION_PATH: Final = "/v1/matrix/solution/{job}"
PATHS: Final = (
    *(ROUTE_PATH, MATRIX_PATH, ISOCHRONE_PATH, NEAREST_PATH),
    *(MATCH_PATH, CALCULATE_PATH, SOLUTION_PATH),
)

type Handle = Callable[[Request, Account], Awaitable[tuple[Any, float]]]
"""Answers a request: the body, and what it cost."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What answers are kept in: the last routes, and the jobs, of which `start` begins one."""

    routes: RouteBook
    jobs: JobBook
    start: Callable[[Job], None]


class Endpoints:
    """Version 1 on the computers of version 2, for the same clients: their secrets are keys."""

    def __init__(
        self,
        keyring: Keyring,
        computer: RouteComputer,
        surveyor: Surveyor,
        kept: Kept,
        clock: Callable[[], float],
    ) -> None:
        self._kept = kept
        self._questions: dict[str, requests.MatrixQuestion] = {}
        self._keyring = keyring
        self._computer = computer
        self._surveyor = surveyor
        self._clock = clock

    def routes(self) -> list[Route]:
        """Return the HTTP routes."""
        guard = self._guard
        return [
            Route(ROUTE_PATH, guard(self._route), methods=["GET", "POST"]),
            Route(MATRIX_PATH, guard(self._matrix), methods=["GET", "POST"]),
            Route(ISOCHRONE_PATH, guard(self._isochrone), methods=["GET"]),
            Route(NEAREST_PATH, guard(self._nearest), methods=["GET"]),
            Route(MATCH_PATH, guard(self._match), methods=["POST"]),
            Route(CALCULATE_PATH, guard(self._calculate), methods=["POST"]),
            Route(SOLUTION_PATH, guard(self._solution), methods=["GET"]),
        ]

    def _guard(self, handle: Handle) -> Callable[[Request], Awaitable[Response]]:
        """Wrap a handler so that it sees admitted requests only and its answers are labelled."""

        async def guarded(request: Request) -> Response:
            account = self._keyring.check_key(key_of(request))
            if account is None:
                return marked(error_response(ApiProblem(Code.AUTH_INVALID)))
            cost = 0.0
            wait_s = account.rate.take(self._clock())
            try:
                body, cost = await self._admitted(handle, request, account, wait_s)
                response: Response = JSONResponse(body)
            except ApiProblem as problem:
                response = error_response(problem)
            except ValidationError:
                response = error_response(ApiProblem(Code.REQUEST_MALFORMED))
            except UnknownProfile as unknown:
                response = unknown_profile(str(unknown))
            self._label(response, account, cost, wait_s)
            return marked(response)

        return guarded

    async def _admitted(
        self, handle: Handle, request: Request, account: Account, wait_s: float
    ) -> tuple[Any, float]:
        if wait_s > 0:
            raise ApiProblem(Code.RATE_EXCEEDED)
        return await handle(request, account)

    async def _route(self, request: Request, account: Account) -> tuple[Any, float]:
        question = await requests.read_route(request)
        wanted = question.compute_request()
        began_s = time.monotonic()
        answer, cost = await self._paid(
            account, cost_credits(wanted), lambda: self._computer.compute(wanted)
        )
        took_ms = round((time.monotonic() - began_s) * 1_000)
        self._kept.routes.keep(account.client.id, answer.routes)
        return answers.paths(answer, question, took_ms), cost

    async def _matrix(self, request: Request, account: Account) -> tuple[Any, float]:
        question = await requests.read_matrix(request)
        if max(len(question.from_points), len(question.to_points)) > limits.MATRIX_SIDE_MAX:
            raise ApiProblem(Code.REQUEST_TOO_LARGE)
        wanted = question.matrix_request()
        answer, cost = await self._paid(
            account, wanted.credits(), lambda: self._surveyor.matrix(wanted)
        )
        if question.fail_fast and (hints := answers.matrix_hints(answer)):
            lost = "invalid_from_points" in hints[0]
            code = Code.ROUTE_POINT_NOT_SNAPPED if lost else Code.ROUTE_NO_PATH
            raise ApiProblem(code)
        return answers.matrix(answer, question), cost

    async def _isochrone(self, request: Request, account: Account) -> tuple[Any, float]:
        wanted = requests.read_isochrone(request.query_params).isochrone_request()
        answer, cost = await self._paid(
            account, wanted.credits(), lambda: self._surveyor.isochrones(wanted)
        )
        return answers.isochrone(answer), cost

    async def _nearest(self, request: Request, account: Account) -> tuple[Any, float]:
        point = requests.read_point(request.query_params)
        wanted = SnapRequest(points=[point], profile=Profile.TOURING)
        answer, cost = await self._paid(
            account, wanted.credits(), lambda: self._surveyor.snap(wanted)
        )
        found = answer.points[0]
        if found.snapped is None:
            code = Code.ROUTE_POINT_NOT_SNAPPED
            raise ApiProblem(code, faults=[Fault("point", code, point_index=0)])
        return answers.nearest(found), cost

    async def _match(self, request: Request, account: Account) -> tuple[Any, float]:
        track = read_track(await read_body(request))
        profile = request.query_params.get("profile", "bike")
        ends = [[place.lon, place.lat] for place in (track[0], track[-1])]
        question = requests.RouteQuestion(points=ends, profile=profile)
        wanted = question.compute_request()
        answer, cost = await self._paid(
            account,
            len(track) / limits.TRACK_POINTS_PER_CREDIT,
            lambda: self._computer.match(track, wanted),
        )
        return answers.paths(answer, question, 1), cost

    async def _calculate(self, request: Request, account: Account) -> tuple[Any, float]:
        question = await requests.read_matrix(request)
        wanted = question.matrix_request()
        jobs, body = self._kept.jobs, wanted.model_dump_json().encode()

        async def started() -> Job:
            submitted = MatrixJobRequest(kind="matrix", items=[wanted])
            return jobs.add(account, None, body, submitted)

        job, cost = await self._paid(account, wanted.credits(), started)
        self._questions = {
            one.id: self._questions[one.id] for one in jobs.all() if one.id in self._questions
        }
        self._questions[job.id] = question
        self._kept.start(job)
        return {"job_id": job.id}, cost

    async def _solution(self, request: Request, account: Account) -> tuple[Any, float]:
        job = self._kept.jobs.find(account, request.path_params["job"])
        if job.id not in self._questions or job.status is JobStatus.EXPIRED:
            raise ApiProblem(Code.JOB_NOT_FOUND)
        question = self._questions[job.id]

        async def told() -> Any:
            return answers.solution(job, question)

        return await self._paid(account, limits.CREDITS_PER_POLL_V1, told)

    async def _paid[A](
        self, account: Account, cost: float, compute: Callable[[], Awaitable[A]]
    ) -> tuple[A, float]:
        """Compute for credits, which are given back where there is no answer."""
        if not account.credits.reserve(self._clock(), cost):
            raise ApiProblem(Code.QUOTA_EXHAUSTED)
        try:
            return await compute(), cost
        except BaseException:
            account.credits.give_back(cost)
            raise

    def _label(self, response: Response, account: Account, cost: float, wait_s: float) -> None:
        now_s = self._clock()
        window = account.credits
        # The one header means the plan's day, or while too fast the seconds until one may again.
        reset_s = wait_s if wait_s > 0 else window.reset_s(now_s)
        response.headers["X-RateLimit-Limit"] = str(account.client.plan.credits)
        response.headers["X-RateLimit-Remaining"] = f"{window.remaining(now_s):.10g}"
        response.headers["X-RateLimit-Reset"] = str(math.ceil(reset_s))
        response.headers["X-RateLimit-Credits"] = str(round(float(cost), 2))
