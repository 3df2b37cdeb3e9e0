"""The pool's role wall and the migrations, on a real PostgreSQL."""

import threading
from pathlib import Path

import psycopg
import pytest

from tandem.platform.database import DatabaseUnavailable, migrate, open_pool
from tandem.platform.errors import MigrationError

pytestmark = pytest.mark.anyio

_ENV = "from tandem.platform import migrations_env\nmigrations_env.run()\n"
_FIRST = """
from alembic import op
from tandem.platform import migrations_env
revision = "0001"
down_revision = None
def upgrade():
    migrations_env.ensure_role("tandem_test_app")
    op.execute("CREATE TABLE probe.thing (n int)")
    op.execute("GRANT USAGE ON SCHEMA probe TO tandem_test_app")
    op.execute("GRANT SELECT, INSERT ON probe.thing TO tandem_test_app")
"""
_SECOND = """
from alembic import op
revision = "0002"
down_revision = "0001"
def upgrade():
    op.execute("INSERT INTO probe.thing VALUES (1)")
"""


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A folder of two migrations."""
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text(_ENV)
    (tmp_path / "versions" / "0001_table.py").write_text(_FIRST)
    (tmp_path / "versions" / "0002_row.py").write_text(_SECOND)
    return tmp_path


def test_migrations_run_once_each(database_uri: str, scripts: Path) -> None:
    """Running again finds nothing to do, and the version table is in the schema."""
    migrate(database_uri, str(scripts), "probe")
    migrate(database_uri, str(scripts), "probe")
    with psycopg.connect(database_uri) as connection:
        assert connection.execute("SELECT n FROM probe.thing").fetchall() == [(1,)]
        version = connection.execute("SELECT version_num FROM probe.alembic_version").fetchall()
        assert version == [("0002",)]


def test_servers_that_start_together_migrate_once(database_uri: str, scripts: Path) -> None:
    """Four racing migrations end with one row and no error."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            migrate(database_uri, str(scripts), "probe")
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with psycopg.connect(database_uri) as connection:
        assert connection.execute("SELECT count(*) FROM probe.thing").fetchone() == (1,)


def test_a_failing_migration_leaves_nothing(database_uri: str, scripts: Path) -> None:
    """All steps of a run commit together or not at all, and the error names the schema."""
    broken = _SECOND.replace("probe.thing", "probe.nothing")
    (scripts / "versions" / "0002_row.py").write_text(broken)
    with pytest.raises(MigrationError, match="probe"):
        migrate(database_uri, str(scripts), "probe")
    with psycopg.connect(database_uri) as connection:
        assert connection.execute("SELECT to_regclass('probe.thing')").fetchone() == (None,)


async def test_pool_keeps_to_its_role(database_uri: str, scripts: Path) -> None:
    """A pooled connection acts as the restricted role, and RESET ROLE does not free it."""
    migrate(database_uri, str(scripts), "probe")
    async with (
        await open_pool(
            database_uri, role="tandem_test_app", min_size=1, max_size=2, name="probe pool"
        ) as pool,
        pool.connection() as connection,
    ):
        await connection.execute("RESET ROLE")
        await connection.execute("INSERT INTO probe.thing VALUES (2)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute("DELETE FROM probe.thing")
        cursor = await connection.execute(
            "SELECT current_user, current_setting(%s)", ["application_name"]
        )
        assert await cursor.fetchone() == ("tandem_test_app", "probe pool")


async def test_missing_database_is_an_operating_error(tmp_path: Path) -> None:
    """No server behind the address is DatabaseUnavailable for the migration, and says so."""
    with pytest.raises(DatabaseUnavailable):
        migrate(f"postgresql://postgres@/x?host={tmp_path}", "nowhere", "probe")
