"""The sandbox as a process: how it starts, refuses to start, and ends."""

import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tandem.platform.processes import ChildProcess, free_port
from tandem.sandbox.main import CLIENTS_VARIABLE


def _command(valhalla_url: str, port: int) -> tuple[str, ...]:
    options = ("--valhalla-url", valhalla_url, "--port", str(port))
    return (sys.executable, "-m", "tandem.cli", "sandbox", *options)


def test_made_up_credentials_work_and_the_end_is_clean(valhalla_url: str, tmp_path: Path) -> None:
    """Without settings the credentials are printed once and let in; SIGTERM ends with code 0."""
    port = free_port()
    url, log = f"http://127.0.0.1:{port}", tmp_path / "log"
    process = ChildProcess("sandbox", _command(valhalla_url, port), log=log)
    process.start()
    try:
        process.wait_ready(f"{url}/health/ready")
        told = dict(
            pair.split("=", 1)
            for line in log.read_text().splitlines()[1:]
            for pair in line.split(" ")
        )
        form = {"grant_type": "client_credentials"}
        credentials = (told["client_id"], told["client_secret"])
        answer = httpx2.post(f"{url}/v2/oauth2/token", data=form, auth=credentials)
        assert answer.status_code == 200
    finally:
        assert process.stop() == 0, process.log_tail()
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("clients", ["nonsense", "[]"])
def test_bad_settings_are_one_line(valhalla_url: str, clients: str) -> None:
    """Clients that make no sense end the process at once, with one line that says so."""
    done = subprocess.run(
        _command(valhalla_url, free_port()),
        env={CLIENTS_VARIABLE: clients, "PATH": ""},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "client" in done.stderr
