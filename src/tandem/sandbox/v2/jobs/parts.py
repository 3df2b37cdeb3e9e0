"""Jobs as a whole: what they are made of, with their work and their messages going on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from starlette.routing import Route

from tandem.platform.config import WebhookReach
from tandem.platform.webhooks.sending import open_sender
from tandem.sandbox import limits
from tandem.sandbox.admin import Admin
from tandem.sandbox.v2.compute import RouteComputer
from tandem.sandbox.v2.gate import Gate
from tandem.sandbox.v2.jobs.admin import JobAdmin
from tandem.sandbox.v2.jobs.book import Job, JobBook
from tandem.sandbox.v2.jobs.endpoints import JobEndpoints
from tandem.sandbox.v2.jobs.messages import Messenger
from tandem.sandbox.v2.jobs.runner import JobRunner
from tandem.sandbox.v2.survey import Surveyor


@asynccontextmanager
async def open_jobs(
    book: JobBook,
    gate: Gate,
    computer: RouteComputer,
    surveyor: Surveyor,
    admin: Admin,
    utc_s: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]],
) -> AsyncIterator[tuple[list[Route], Callable[[Job], None]]]:
    """Give the HTTP routes, and what starts a job; they are worked on while the context lasts."""
    async with open_sender(WebhookReach.LOOPBACK, limits.MESSAGE_CONNECTIONS_MAX) as sender:
        messenger = Messenger(sender, utc_s, sleep)
        runner = JobRunner(book, computer, surveyor, messenger.tell, sleep)
        endpoints = JobEndpoints(gate, book, runner.add)
        switches = JobAdmin(book, runner, messenger)
        async with messenger.sending(), runner.running():
            yield [*endpoints.routes(), *switches.routes(admin.only_admin)], runner.add
