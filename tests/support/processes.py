"""Real processes and real HTTP for tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import psutil
from fastapi import FastAPI
from starlette.types import ASGIApp

from tandem.platform.http.serving import HttpServer

_TIMEOUT_S = 10.0


@asynccontextmanager
async def served(app: FastAPI | ASGIApp) -> AsyncIterator[httpx2.AsyncClient]:
    """Serve an application on a real socket as the product does, and give a client for it."""
    async with (
        HttpServer(app, host="127.0.0.1", port=0) as server,
        httpx2.AsyncClient(base_url=server.url, timeout=_TIMEOUT_S) as client,
    ):
        yield client


def gone(pids: list[int], timeout_s: float = _TIMEOUT_S) -> bool:
    """Wait until none of the processes lives; False where one still does."""
    processes = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    alive = [process for process in processes if process.status() != psutil.STATUS_ZOMBIE]
    _ended, alive = psutil.wait_procs(alive, timeout_s)
    return all(process.status() == psutil.STATUS_ZOMBIE for process in alive)


async def within[T](awaitable: "asyncio.Future[T] | asyncio.Task[T]") -> T:
    """Await with the tests' common bound."""
    return await asyncio.wait_for(awaitable, _TIMEOUT_S)
