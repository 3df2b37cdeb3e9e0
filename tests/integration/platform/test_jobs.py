"""Jobs on a real PostgreSQL: run once a name, recovered from a dead worker, schema as shipped."""

import asyncio
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from procrastinate.schema import SchemaManager
from tests.support.processes import within

from tandem.platform.jobs import JobRunner, migrate_jobs, open_jobs
from tandem.platform.jobs import jobs as module

pytestmark = pytest.mark.anyio

# What revision 0001 of our migrations covers. A newer package needs a revision with its files.
COVERED = "03.04.00_50_post_add_retry_failed_job_procedure.sql"


def test_our_migrations_cover_the_package() -> None:
    """The newest migration that procrastinate ships is in the schema we were written for."""
    shipped = sorted(file.name for file in Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    assert shipped[-1] == COVERED


async def drain(runner: JobRunner, done: asyncio.Event) -> None:
    """Run a worker until something has happened."""
    worker = asyncio.create_task(runner.run(2))
    try:
        await within(asyncio.create_task(done.wait()))
    finally:
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker


async def test_a_job_runs_once_for_each_name(database_uri: str) -> None:
    """Asked for twice before it runs, a job runs once; afterwards it may run again."""
    await asyncio.to_thread(migrate_jobs, database_uri)
    await asyncio.to_thread(migrate_jobs, database_uri)
    ran: list[str] = []
    done = asyncio.Event()

    async def work(name: str) -> None:
        ran.append(name)
        if name == "last":
            done.set()

    async with (
        open_jobs(database_uri, "probe", work) as one,
        open_jobs(database_uri, "probe", work) as other,
    ):
        for runner in (one, one, other):
            await runner.defer("first")
        await one.defer("last")
        await drain(one, done)
    assert sorted(ran) == ["first", "last"]
    assert _jobs(database_uri) == 0


async def test_a_failing_job_is_forgotten(database_uri: str) -> None:
    """What is due stands elsewhere, so the name is free for the next hint."""
    await asyncio.to_thread(migrate_jobs, database_uri)
    attempts = 0
    done = asyncio.Event()

    async def work(_name: str) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 2:
            done.set()
            return
        await runner.defer("again")
        raise ValueError("no")

    async with open_jobs(database_uri, "probe", work) as runner:
        await runner.defer("again")
        await drain(runner, done)
    assert attempts == 2


async def test_a_dead_workers_job_is_freed(
    database_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock is given back, so that the same name runs with another worker."""
    monkeypatch.setattr(module, "JOB_STALLED_S", 0.0)
    await asyncio.to_thread(migrate_jobs, database_uri)
    done = asyncio.Event()

    async def work(_name: str) -> None:
        done.set()

    async with open_jobs(database_uri, "probe", work) as runner:
        await runner.defer("held")
        with psycopg.connect(database_uri, autocommit=True) as connection:
            # As a worker leaves it that was killed in the middle of the job.
            connection.execute("SET search_path TO procrastinate")
            connection.execute(
                "INSERT INTO procrastinate_workers (last_heartbeat)"
                " VALUES (now() - '1 day'::interval)"
            )
            connection.execute(
                "UPDATE procrastinate_jobs SET status = 'doing',"
                " worker_id = (SELECT max(id) FROM procrastinate_workers)"
            )
        await runner.defer("held")
        assert _jobs(database_uri) == 2
        await runner.free_stalled()
        assert _jobs(database_uri) == 1
        await drain(runner, done)


def _jobs(uri: str) -> int:
    with psycopg.connect(uri) as connection:
        row = connection.execute("SELECT count(*) FROM procrastinate.procrastinate_jobs").fetchone()
        assert row is not None
        return int(row[0])
