"""The sandbox as one ASGI application."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tandem.sandbox import limits
from tandem.sandbox.admin import Admin
from tandem.sandbox.callers import client_of
from tandem.sandbox.engine import Engine, EngineFailure, open_client
from tandem.sandbox.faults import FaultPlan, Faults
from tandem.sandbox.injection import InjectFaults
from tandem.sandbox.keys import Client, ConfigurationError, Keyring
from tandem.sandbox.problems import ApiProblem, Code, is_old
from tandem.sandbox.traffic import Traffic, WatchTraffic
from tandem.sandbox.v1 import endpoints as v1
from tandem.sandbox.v1 import saved as v1_saved
from tandem.sandbox.v1.errors import error_response
from tandem.sandbox.v2.compute import RouteComputer
from tandem.sandbox.v2.endpoints import PATHS, PREFIX, Endpoints
from tandem.sandbox.v2.gate import Gate
from tandem.sandbox.v2.jobs.book import JobBook
from tandem.sandbox.v2.jobs.parts import open_jobs
from tandem.sandbox.v2.room import Room
from tandem.sandbox.v2.saved import RouteBook, SavedRoutes
from tandem.sandbox.v2.survey import Surveyor

_log = structlog.get_logger(__name__)
_NOT_FOUND, _METHOD_NOT_ALLOWED = 404, 405
_PREFIXES = ("/v1/", PREFIX)


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """What a sandbox is made of; the token and the clients' secrets do not show."""

    valhalla_url: str
    clients: tuple[Client, ...]
    admin_token: str = field(repr=False)
    seed: int = 0
    faults: FaultPlan = field(default_factory=FaultPlan)

    def __post_init__(self) -> None:
        if len(self.admin_token) < limits.SECRET_CHARS_MIN:
            raise ConfigurationError(
                f"the admin token must have at least {limits.SECRET_CHARS_MIN} letters"
            )


@asynccontextmanager
async def open_sandbox(
    config: SandboxConfig,
    *,
    clock: Callable[[], float] = time.monotonic,
    utc_s: Callable[[], float] = time.time,
    new_token: Callable[[], str] = lambda: f"bt_{secrets.token_urlsafe(32)}",
    new_job_id: Callable[[], str] = lambda: f"job_{secrets.token_urlsafe(16)}",
    new_request_id: Callable[[], str] = lambda: f"req_{secrets.token_hex(12)}",
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[Starlette]:
    """Give the application, with its connections to the engine open around it."""
    async with AsyncExitStack() as stack:
        engine = Engine(await stack.enter_async_context(open_client(config.valhalla_url)))
        keyring = Keyring(config.clients, clock, new_token)
        faults, traffic = Faults(config.seed, clock), Traffic((*v1.PATHS, *v1_saved.PATHS, *PATHS))
        faults.replace(config.faults)
        room = Room()
        computer = RouteComputer(engine, room)
        surveyor = Surveyor(engine, room, computer.version)
        gate, routes = Gate(keyring, clock), RouteBook()
        admin = Admin(config.admin_token, faults, traffic, keyring)
        book = JobBook(clock, new_job_id)
        jobs, start = await stack.enter_async_context(
            open_jobs(book, gate, computer, surveyor, admin, utc_s, sleep)
        )
        old = v1.Endpoints(keyring, computer, surveyor, v1.Kept(routes, book, start), clock)
        yield Starlette(
            routes=[
                *Endpoints(keyring, gate, computer, surveyor, routes).routes(),
                *old.routes(),
                *v1_saved.SavedRoutes(keyring, routes).routes(),
                *jobs,
                *SavedRoutes(gate, routes).routes(),
                *admin.routes(),
                *_health(engine),
            ],
            middleware=[
                Middleware(
                    WatchTraffic,
                    traffic=traffic,
                    prefix=_PREFIXES,
                    new_id=new_request_id,
                    whose=lambda scope: client_of(scope, keyring),
                ),
                Middleware(
                    InjectFaults, faults=faults, traffic=traffic, prefix=_PREFIXES, sleep=sleep
                ),
                # Innermost: the framework's own place for this is outside of what counts answers.
                Middleware(ExceptionMiddleware, handlers={Exception: _on_error}),
            ],
            exception_handlers={
                ApiProblem: _on_problem,
                HTTPException: _on_http_exception,
            },
        )


def _health(engine: Engine) -> list[Route]:
    async def live(_request: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(_request: Request) -> Response:
        try:
            version = await engine.data_version()
        except EngineFailure as error:
            raise ApiProblem(Code.MAINTENANCE, "the engine does not answer") from error
        return JSONResponse({"status": "ready", "data_version": version})

    return [Route("/health/live", live), Route("/health/ready", ready)]


def _on_error(request: Request, error: Exception) -> Response:
    _log.error("unhandled error", path=request.url.path, exc_info=error)
    return _on_problem(request, ApiProblem(Code.INTERNAL))


def _on_problem(request: Request, error: Exception) -> Response:
    if not isinstance(error, ApiProblem):  # the registration rules it out; mypy does not know
        raise error
    if is_old(request.url.path):
        return error_response(error)
    trace_id = getattr(request.state, "request_id", "-")
    return error.response(instance=request.url.path, trace_id=trace_id)


def _on_http_exception(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):  # as above
        raise error
    codes = {_NOT_FOUND: Code.REQUEST_NOT_FOUND, _METHOD_NOT_ALLOWED: Code.REQUEST_METHOD}
    code = codes.get(error.status_code, Code.REQUEST_MALFORMED)
    return _on_problem(request, ApiProblem(code, headers=error.headers or {}))
