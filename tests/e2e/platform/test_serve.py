"""`tandem` as real processes: it starts, serves, stops, survives, and says what is wrong."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import psutil
import pytest
from tests.support.processes import gone

from tandem.platform.embedded import EmbeddedPostgres
from tandem.platform.processes import ChildProcess, free_port

_TANDEM = [sys.executable, "-m", "tandem.cli"]
_TIMEOUT_S = 60.0
_KEY = re.compile(r"shown only this once: (tandem_\S+)")


@pytest.fixture
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory; a server that a test left running in it is stopped."""
    directory = tmp_path_factory.mktemp("serve")
    yield directory
    EmbeddedPostgres(directory / "postgres").stop_abandoned()


def _child(data: Path, name: str = "server", port: int | None = None) -> tuple[ChildProcess, str]:
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    argv = [*_TANDEM, "serve", "--port", str(port), "--data-directory", str(data)]
    log = data / f"{name}.log"
    return ChildProcess(name, argv, log=log, ready_url=f"{url}/health/ready"), url


@contextmanager
def _serving(data: Path, name: str = "server") -> Iterator[tuple[ChildProcess, str]]:
    child, url = _child(data, name)
    with child:
        yield child, url


def _tandem(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*_TANDEM, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=_TIMEOUT_S,
    )


def _first_key(child: ChildProcess) -> str:
    shown = _KEY.search(child.log.read_text())
    assert shown is not None
    return shown[1]


def _status(url: str, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx2.get(f"{url}/metrics", headers=headers).status_code


def test_a_first_start_is_all_it_takes(data: Path) -> None:
    """It makes its database, shows one key, wants it, and on SIGTERM leaves nothing running."""
    with _serving(data) as (child, url):
        token = _first_key(child)
        assert _status(url, token) == 200
        assert httpx2.get(f"{url}/metrics").status_code == 401
        for path in ("/health/live", "/docs", "/openapi.json"):
            assert httpx2.get(url + path).status_code == 200
        pids = [child.pid, *(p.pid for p in psutil.Process(child.pid).children(recursive=True))]
        postmaster_pid = EmbeddedPostgres(data / "postgres").postmaster_pid
        assert postmaster_pid is not None
        assert child.stop() == 0
    assert gone([*pids, postmaster_pid])
    with _serving(data, "again") as (child, url):
        assert _KEY.search(child.log.read_text()) is None
        assert _status(url, token) == 200


def test_two_servers_share_one_database(data: Path) -> None:
    """Two that start together make one key between them, and either may stop first."""
    one, one_url = _child(data, "one")
    two, two_url = _child(data, "two")
    one.start()
    two.start()
    try:
        one.wait_ready(f"{one_url}/health/ready", timeout_s=_TIMEOUT_S)
        two.wait_ready(f"{two_url}/health/ready", timeout_s=_TIMEOUT_S)
        shown = [_KEY.search(child.log.read_text()) for child in (one, two)]
        (token,) = [found[1] for found in shown if found is not None]
        assert (_status(one_url, token), _status(two_url, token)) == (200, 200)
        assert one.stop() == 0
        assert _status(two_url, token) == 200
        assert httpx2.get(f"{two_url}/health/ready").status_code == 200
    finally:
        one.stop()
        two.stop()
    assert EmbeddedPostgres(data / "postgres").postmaster_pid is None


def test_a_killed_server_starts_again(data: Path) -> None:
    """After `kill -9` the next start adopts the database and the old key still works."""
    with _serving(data) as (child, _url):
        token = _first_key(child)
        postmaster_pid = EmbeddedPostgres(data / "postgres").postmaster_pid
        child.kill()
        assert gone([child.pid])
    with _serving(data, "again") as (_child, url):
        assert EmbeddedPostgres(data / "postgres").postmaster_pid == postmaster_pid
        assert _status(url, token) == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_starting_undoes_the_start(data: Path, number: signal.Signals) -> None:
    """Stopped while its database comes up, it ends without a traceback and leaves nothing."""
    child, _url = _child(data)
    child.start()
    while not (data / "postgres" / "tandem.conf").exists():
        assert child.running
    os.kill(child.pid, number)
    assert child.wait() == 130
    assert "Traceback" not in child.log.read_text()
    assert EmbeddedPostgres(data / "postgres").postmaster_pid is None


def test_expected_errors_are_one_line(data: Path) -> None:
    """A taken port, a wrong setting and an unreachable database each say so, and no more."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = _tandem("serve", "--port", port, "--data-directory", str(data))
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("tandem: cannot listen on")
    assert "API key" not in result.stdout
    result = _tandem("serve", TANDEM_PORT="many")
    assert result.returncode == 2
    assert result.stderr.startswith("tandem: TANDEM_PORT: ")
    result = _tandem("serve", TANDEM_DATABASE_URL=f"postgresql://me:hunter2@/x?host={data}")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) <= 3
    assert "Traceback" not in result.stderr
    assert "hunter2" not in result.stderr


def test_keys_are_made_listed_and_revoked(data: Path) -> None:
    """A made key is printed alone on standard output; revoked it is of no more use."""
    at = ["--data-directory", str(data)]
    made = _tandem("keys", "create", "night shift", "--permission", "read", *at)
    assert made.returncode == 0
    token = made.stdout.strip()
    key_id = token.split("_")[1]
    with _serving(data) as (child, url):
        assert _KEY.search(child.log.read_text()) is None
        assert _status(url, token) == 200
        assert "night shift" in _tandem("keys", "list", *at).stdout
        assert _tandem("keys", "revoke", key_id, *at).returncode == 0
        assert "revoked" in _tandem("keys", "list", *at).stdout
    again = _tandem("keys", "revoke", key_id, *at)
    assert (again.returncode, again.stderr) == (1, f"tandem: no key {key_id} is in use\n")
    assert _tandem("keys", "create", "x", "--permission", "all", *at).returncode == 2
