"""The routing API over HTTP: `create_router(gateway, require)`, `create_jobs_router(jobs, …)`."""

from tandem.routing.http.jobs import create_jobs_router
from tandem.routing.http.routes import create_router

__all__ = ["create_jobs_router", "create_router"]
