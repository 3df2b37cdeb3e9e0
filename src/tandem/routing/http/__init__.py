"""The routing API over HTTP: the routers of questions, of jobs and of operators."""

from tandem.routing.http.change import create_change_router
from tandem.routing.http.jobs import create_jobs_router
from tandem.routing.http.operating import create_operating_router
from tandem.routing.http.routes import create_router

__all__ = [
    "create_change_router",
    "create_jobs_router",
    "create_operating_router",
    "create_router",
]
