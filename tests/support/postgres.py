"""One embedded PostgreSQL for the whole run, shared by all xdist workers; a database per test."""

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from tests.support.processes import gone

from tandem.platform.embedded import EmbeddedPostgres

_PREFIX = "tandem-test-"


def _stop_abandoned_servers() -> None:
    """Clear up after runs that were killed; a live run holds its lock and is left alone."""
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*.lock"):
        if lock.stat().st_uid == os.geteuid():
            EmbeddedPostgres(lock.with_suffix(""), ephemeral=True).stop_abandoned()


@pytest.fixture(scope="session")
def postgres_uri(testrun_uid: str) -> Iterator[str]:
    """URI of a server that lives as long as the run, or of the one that the environment names."""
    given = os.environ.get("TANDEM_TEST_DATABASE_URL")
    if given:
        yield given
        return
    _stop_abandoned_servers()
    directory = Path(tempfile.gettempdir()) / f"{_PREFIX}{testrun_uid[:12]}"
    with EmbeddedPostgres(directory, ephemeral=True) as server:
        yield server.uri("postgres")


@contextmanager
def database(postgres_uri: str) -> Iterator[str]:
    """Give the URI of a fresh, empty database, dropped at the end."""
    name = f"test_{uuid.uuid4().hex[:16]}"
    identifier = sql.Identifier(name)
    with psycopg.connect(postgres_uri, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(identifier))
        yield make_conninfo(postgres_uri, dbname=name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


@pytest.fixture
def database_uri(postgres_uri: str) -> Iterator[str]:
    """URI of a fresh, empty database, dropped after the test."""
    with database(postgres_uri) as uri:
        yield uri


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A database server of the test's own, since it is going to be killed."""
    with EmbeddedPostgres(tmp_path / "postgres") as server:
        yield server


def restart(server: EmbeddedPostgres, pid: int) -> None:
    """Start a killed server again once its postmaster is gone."""
    assert gone([pid])
    with EmbeddedPostgres(server.directory):
        assert server.postmaster_pid not in (None, pid)
