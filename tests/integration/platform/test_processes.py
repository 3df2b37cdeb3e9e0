"""Child processes: readiness, early death, groups, a sure end, memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.processes import gone

from tandem.platform.errors import ProcessError
from tandem.platform.processes import ChildProcess, answers, free_port, tree_pss_bytes

_SERVER = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1"]
_STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(grandchild.pid, flush=True)
import http.server
http.server.test(HandlerClass=http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]))
"""


def test_a_child_is_ready_when_it_answers(tmp_path: Path) -> None:
    """Entry returns once the URL answers; exit leaves nothing, and the group is its own."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    child = ChildProcess("web", [*_SERVER, str(port)], log=tmp_path / "web.log", ready_url=url)
    with child:
        assert answers(url)
        assert child.running
        assert os.getpgid(child.pid) == child.pid
        assert tree_pss_bytes([child.pid]) > 1_000_000
    assert not child.running
    assert not answers(url)
    assert gone([child.pid])


def test_a_child_that_dies_early_is_told_at_once(tmp_path: Path) -> None:
    """The error comes with its exit code and last words, long before the time-out."""
    argv = [sys.executable, "-c", "import sys; print('no bread today'); sys.exit(3)"]
    child = ChildProcess(
        "baker", argv, log=tmp_path / "log", ready_url=f"http://127.0.0.1:{free_port()}/"
    )
    with pytest.raises(ProcessError, match=r"(?s)baker ended with exit code 3.*no bread today"):
        child.__enter__()


def test_a_child_that_is_never_ready_is_stopped(tmp_path: Path) -> None:
    """Waiting is bounded."""
    argv = [sys.executable, "-c", "import time; time.sleep(600)"]
    child = ChildProcess("sleeper", argv, log=tmp_path / "log")
    child.start()
    with pytest.raises(ProcessError, match="not ready after 0 s"):
        child.wait_ready(f"http://127.0.0.1:{free_port()}/", timeout_s=0.1)
    child.stop()
    assert gone([child.pid])


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_the_stubborn_end_too_with_their_children(tmp_path: Path, way: str) -> None:
    """A child that ignores the request is killed after its time, its own children with it."""
    port = free_port()
    child = ChildProcess(
        "mule",
        [sys.executable, "-c", _STUBBORN, str(port)],
        log=tmp_path / "log",
        ready_url=f"http://127.0.0.1:{port}/",
        directory=tmp_path,
    )
    child.__enter__()
    grandchild_pid = int(child.log_tail(lines=100).splitlines()[0])
    if way == "kill":
        child.kill()
    else:
        child.stop(timeout_s=0.2)
    assert child.exit_code == -9
    assert gone([child.pid, grandchild_pid])


def test_a_program_that_is_not_there_is_an_operating_error(tmp_path: Path) -> None:
    """The name of the child and the reason are in the error."""
    child = ChildProcess("ghost", [tmp_path / "nothing"], log=tmp_path / "log")
    with pytest.raises(ProcessError, match="cannot start ghost"):
        child.start()
    assert child.stop() is None


def test_memory_of_what_ended_counts_nothing(tmp_path: Path) -> None:
    """A pid that is gone is no error."""
    done = subprocess.run([sys.executable, "-c", ""], check=True, cwd=tmp_path)
    assert done.returncode == 0
    assert tree_pss_bytes([2**22 - 1]) == 0
