"""The embedded server: shared by processes, adopted after crashes, durable, sure to stop."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest
from tests.support.processes import gone

from tandem.platform.embedded import EmbeddedPostgres, binary
from tandem.platform.errors import PostgresError

# Another process that holds the server of a directory until its standard input ends.
_HOLDER = """
import sys
from pathlib import Path
from tandem.platform.embedded import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1])) as server:
    print(server.postmaster_pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place for a data directory."""
    return tmp_path_factory.mktemp("pg") / "data"


def _hold_elsewhere(directory: Path) -> tuple[subprocess.Popen[str], int]:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, directory],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    return holder, int(holder.stdout.readline())


def _release(holder: subprocess.Popen[str]) -> None:
    holder.communicate(timeout=60)


def _setting(uri: str, name: str) -> str:
    with psycopg.connect(uri) as connection:
        row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    return str(row and row[0])


def test_the_last_holder_stops_the_server(directory: Path) -> None:
    """Two processes share one server; it lives until the second lets go."""
    server = EmbeddedPostgres(directory)
    uri = server.start()
    holder, pid = _hold_elsewhere(directory)
    assert pid == server.postmaster_pid
    assert not server.stop()
    assert not server.stop()
    assert psutil.pid_exists(pid)
    with EmbeddedPostgres(directory):
        assert _setting(uri, "fsync") == "on"
    _release(holder)
    assert gone([pid])


def test_a_killed_holder_leaves_a_server_that_is_adopted(directory: Path) -> None:
    """`kill -9` frees the lock; the next start takes the running server over and can stop it."""
    holder, pid = _hold_elsewhere(directory)
    holder.kill()
    _release(holder)
    assert psutil.pid_exists(pid)
    with EmbeddedPostgres(directory) as server:
        assert server.postmaster_pid == pid
    assert gone([pid])


def test_an_abandoned_server_can_be_cleared_away(directory: Path) -> None:
    """With no live holder it stops and, where ephemeral, its directory goes; else nothing does."""
    holder, pid = _hold_elsewhere(directory)
    assert not EmbeddedPostgres(directory, ephemeral=True).stop_abandoned()
    assert psutil.pid_exists(pid)
    holder.kill()
    _release(holder)
    assert EmbeddedPostgres(directory, ephemeral=True).stop_abandoned()
    assert gone([pid])
    assert list(directory.parent.iterdir()) == []


def test_a_crashed_server_recovers_what_was_committed(directory: Path) -> None:
    """After `kill -9` of the server itself the next start replays its log."""
    server = EmbeddedPostgres(directory)
    uri = server.start()
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
    pid = server.postmaster_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert gone([pid])
    assert server.stop()
    with (
        EmbeddedPostgres(directory) as again,
        psycopg.connect(again.uri("postgres")) as connection,
    ):
        assert connection.execute("SELECT n FROM kept").fetchone() == (42,)


def test_a_stale_pid_of_another_program_is_no_server(directory: Path) -> None:
    """A pid file whose number now belongs to someone else neither blocks nor is adopted."""
    with EmbeddedPostgres(directory):
        lines = (directory / "postmaster.pid").read_text().splitlines()
    lines[0] = str(os.getpid())
    (directory / "postmaster.pid").write_text("\n".join(lines) + "\n")
    with EmbeddedPostgres(directory) as server:
        assert server.postmaster_pid not in (None, os.getpid())


def test_an_interrupted_initialisation_starts_over(directory: Path) -> None:
    """Half a data directory is made again; a marker beside it tells that it is half."""
    directory.mkdir()
    (directory / "PG_VERSION").write_text("18\n")
    directory.with_name("data.making").touch()
    with EmbeddedPostgres(directory) as server:
        assert _setting(server.uri("postgres"), "server_version_num").startswith("18")
    assert not directory.with_name("data.making").exists()


def test_long_and_odd_paths_work(directory: Path) -> None:
    """A path longer than a socket's address, with quotes and spaces, is as good as any."""
    odd = directory.parent / ('it\'s a "long" one & more ' + "x" * 90) / "data"
    with EmbeddedPostgres(odd) as server:
        uri = server.uri("postgres")
        assert _setting(uri, "data_directory") == str(odd.resolve())
        sockets = Path(_setting(uri, "unix_socket_directories").strip('"'))
    assert not sockets.exists()


def test_a_server_that_cannot_start_says_why(directory: Path) -> None:
    """The error holds the server's own words, and no lock stays behind."""
    broken = EmbeddedPostgres(directory, settings={"shared_buffers": "much"})
    with pytest.raises(PostgresError, match="shared_buffers"):
        broken.start()
    with EmbeddedPostgres(directory) as server:
        assert server.postmaster_pid is not None


def test_programs_of_the_server_are_found() -> None:
    """The server brings pgbench; what it does not bring is an error that says so."""
    assert os.access(binary("pgbench"), os.X_OK)
    with pytest.raises(PostgresError, match="no-such-program"):
        binary("no-such-program")
