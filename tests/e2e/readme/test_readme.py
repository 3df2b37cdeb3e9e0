"""The README's examples are run as they stand, so a reader who copies them is not misled."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tandem.platform.embedded import EmbeddedPostgres
from tandem.platform.processes import ChildProcess, free_port

_README = Path(__file__).parents[3] / "README.md"
_BLOCK = re.compile(r"```(python|sh)\n(.*?)```", re.DOTALL)
_KEY = re.compile(r"shown only this once: (tandem_\S+)")
_TIMEOUT_S = 120


def _blocks() -> list[tuple[str, str]]:
    return _BLOCK.findall(_README.read_text(encoding="utf-8"))


def _block(language: str, containing: str) -> str:
    found = [text for kind, text in _blocks() if kind == language and containing in text]
    assert len(found) == 1, f"README should have one {language} block with {containing!r}"
    return found[0]


def _run(argv: list[str], directory: Path, **environment: str) -> str:
    done = subprocess.run(
        argv,
        cwd=directory,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _promised(example: str) -> list[str]:
    """What the example's comments say that its prints show."""
    return re.findall(r"  # ([A-Za-z0-9_ ]+)$", example, re.MULTILINE)


def test_in_process_example(tmp_path: Path) -> None:
    """The in-process example prints what its comments promise."""
    example = _block("python", "open_ledger")
    shown = _run([sys.executable, "-c", example], tmp_path).splitlines()
    assert shown == _promised(example)
    EmbeddedPostgres(tmp_path / "data" / "postgres").stop_abandoned()


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples need curl")
def test_http_examples(tmp_path: Path) -> None:
    """The curl examples and then the client's do what they say, against a fresh server."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    argv = [sys.executable, "-m", "tandem.cli", "serve", "--port", str(port)]
    argv += ["--data-directory", str(tmp_path / "data")]
    log = tmp_path / "server.log"
    with ChildProcess("server", argv, log=log, ready_url=f"{url}/health/ready"):
        key = _KEY.search(log.read_text(encoding="utf-8"))
        assert key is not None
        environment = {"TANDEM_URL": url, "TANDEM_KEY": key[1]}
        curl = _block("sh", "curl")
        shown = _run(["sh", "-ec", curl], tmp_path, **environment)
        assert shown.count('"position"') == 4
        assert '"balance_minor":"5000"' in shown
        example = _block("python", "SyncLedgerClient")
        shown = _run([sys.executable, "-c", example], tmp_path, **environment)
        assert shown.splitlines() == _promised(example)
