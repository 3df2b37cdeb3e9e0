"""Is the process alive; is it ready for work. Neither wants a key, and neither says much."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from tandem.platform.http.problems import problem
from tandem.platform.limits import READY_CHECK_TIMEOUT_S

type Check = Callable[[], Awaitable[None]]

_log: Final = structlog.get_logger(__name__)


class HealthReport(BaseModel):
    """How it stands, and each check's result."""

    status: str
    checks: dict[str, str] = {}


class Health:
    """Named checks that must all pass for the process to be ready; a check raises where it fails.

    While not `accepting`, as at its start and its end, the process is alive but not ready.
    """

    def __init__(self) -> None:
        self.checks: dict[str, Check] = {}
        self.accepting = True

    def router(self) -> APIRouter:
        """Build the `/health/live` and `/health/ready` routes."""
        router = APIRouter(prefix="/health", tags=["health"])

        @router.get("/live", summary="Is the process alive")
        async def live() -> HealthReport:
            return HealthReport(status="live")

        @router.get("/ready", summary="Is the process ready for work", response_model=HealthReport)
        async def ready() -> HealthReport | Response:
            names = list(self.checks)
            results = await asyncio.gather(*(self._run(name) for name in names))
            report = dict(zip(names, results, strict=True))
            if not self.accepting or any(result != "ok" for result in results):
                return problem(503, "unavailable", "Not ready for work", checks=report)
            return HealthReport(status="ready", checks=report)

        return router

    async def _run(self, name: str) -> str:
        try:
            async with asyncio.timeout(READY_CHECK_TIMEOUT_S):
                await self.checks[name]()
        except TimeoutError:
            return "timeout"
        except Exception as error:  # noqa: BLE001 - any failure is the answer
            # The reason may hold addresses; it goes to the log and not to the caller.
            _log.warning("health check failed", check=name, error=str(error))
            return "failed"
        return "ok"
