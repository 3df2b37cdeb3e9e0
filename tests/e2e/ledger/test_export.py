"""`tandem ledger export` as a real process: whole files, standard output, misuse."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from beancount import loader

from tandem.platform.embedded import EmbeddedPostgres
from tandem.platform.files import replacing

_LEDGER = [sys.executable, "-m", "tandem.cli", "ledger"]
_TIMEOUT_S = 120.0
_LINES = (
    b'{"address":"cash","asset":"EUR/2","account_class":"asset"}\n'
    b'{"address":"sales","asset":"EUR/2","account_class":"income"}\n'
    b'{"debit_account":"cash","credit_account":"sales","amount_minor":1250}\n'
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory with a small ledger."""
    directory = tmp_path_factory.mktemp("export")
    filled = _tandem(directory, "import", "-", "--format", "jsonl", "--name", "x", given=_LINES)
    assert filled.returncode == 0, filled.stderr
    yield directory
    EmbeddedPostgres(directory / "postgres").stop_abandoned()


def _tandem(
    data: Path, *arguments: str | Path, given: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*_LEDGER, *map(str, arguments), "--data-directory", str(data)],
        check=False,
        capture_output=True,
        input=given,
        env=os.environ,
        cwd=data,
        timeout=_TIMEOUT_S,
    )


def test_a_file_appears_when_it_is_whole(data: Path) -> None:
    """Its suffix says the format, beancount reads it, and nothing else is left beside it."""
    run = _tandem(data, "export", "books.beancount")
    assert (run.returncode, run.stdout) == (0, b"main: 3 records as beancount\n"), run.stderr
    entries, errors, _ = loader.load_file(str(data / "books.beancount"))
    assert errors == []
    assert len(entries) == 6
    assert [path.name for path in data.glob("*books*")] == ["books.beancount"]


def test_standard_output_holds_the_export_alone(data: Path) -> None:
    """What is told goes to standard error; `--at` ends it early."""
    run = _tandem(data, "export", "-", "--format", "jsonl", "--at", "2")
    assert run.returncode == 0, run.stderr
    assert [json.loads(line)["position"] for line in run.stdout.splitlines()] == [1, 2]
    assert run.stderr == b"main: 2 records as jsonl\n"


def test_misuse_writes_nothing(data: Path) -> None:
    """No format, Parquet to standard output, a position or ledger that is not there."""
    assert _tandem(data, "export", "books.txt").returncode == 2
    assert _tandem(data, "export", "-", "--format", "parquet").returncode == 2
    late = _tandem(data, "export", "late.csv", "--at", "99")
    assert (late.returncode, len(late.stderr.splitlines())) == (1, 1)
    none = _tandem(data, "export", "none.csv", "--ledger", "none")
    assert (none.returncode, b"ledger_not_found" in none.stderr) == (1, True)
    assert list(data.glob("*late*")) + list(data.glob("*none*")) == []


def test_a_file_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    """Whatever was there before stays, and the unfinished one is gone."""
    path = tmp_path / "books.csv"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as file:
            file.write(b"half")
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - the one raised above
        fail()
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [
        ("books.csv", "old")
    ]
