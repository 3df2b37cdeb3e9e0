"""`tandem ledger key`, `verify`, `export-log` and `audit` as real processes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tandem.platform.embedded import EmbeddedPostgres

_LEDGER = [sys.executable, "-m", "tandem.cli", "ledger"]
_TIMEOUT_S = 120.0
_LINES = (
    b'{"address":"cash","asset":"EUR/2","account_class":"asset"}\n'
    b'{"address":"sales","asset":"EUR/2","account_class":"income"}\n'
    b'{"debit_account":"cash","credit_account":"sales","amount_minor":1250}\n'
)
_SOUND = "3 records, 2 entries, 2 accounts, root {}: every invariant holds\n"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory with a small ledger, its log as a file, and its key in another."""
    directory = tmp_path_factory.mktemp("audit")
    here = ("--data-directory", str(directory))
    server = EmbeddedPostgres(directory / "postgres")
    server.start()  # once, instead of for each command
    assert (
        _tandem(directory, "import", "-", "--format", "jsonl", "--name", "x", *here, given=_LINES)[
            0
        ]
        == 0
    )
    assert _tandem(directory, "export-log", "log.jsonl", *here) == (
        0,
        "main: 3 records and their checkpoint\n",
        "",
    )
    code, key, _ = _tandem(directory, "key", *here)
    assert (code, key[:19]) == (0, "tandem.ledger/main+")
    (directory / "key").write_text(key)
    yield directory
    server.stop()


def _tandem(directory: Path, *arguments: str, given: bytes = b"") -> tuple[int, str, str]:
    run = subprocess.run(
        [*_LEDGER, *arguments],
        check=False,
        capture_output=True,
        input=given,
        env=os.environ,
        cwd=directory,
        timeout=_TIMEOUT_S,
    )
    return run.returncode, run.stdout.decode(), run.stderr.decode()


def _audit(directory: Path, file: str, *more: str, given: bytes = b"") -> tuple[int, str, str]:
    key = (directory / "key").read_text().strip()
    return _tandem(directory, "audit", file, "--key", key, *more, given=given)


def _root(told: str) -> str:
    return told.split("root ")[1][:64]


def test_an_audit_needs_the_file_and_the_key(data: Path, tmp_path: Path) -> None:
    """Elsewhere, from a file or from standard input, it finds what verification found."""
    for name in ("log.jsonl", "key"):
        (tmp_path / name).write_bytes((data / name).read_bytes())
    code, told, _ = _tandem(data, "verify", "--data-directory", str(data))
    assert (code, told) == (0, "main: " + _SOUND.format(_root(told)))
    assert _audit(tmp_path, "log.jsonl") == (0, "log.jsonl: " + _SOUND.format(_root(told)), "")
    code, again, _ = _audit(tmp_path, "-", given=(data / "log.jsonl").read_bytes())
    assert (code, _root(again)) == (0, _root(told))


def test_what_was_changed_is_told(data: Path) -> None:
    """Exit code 1, and the positions on standard error."""
    sound = (data / "log.jsonl").read_bytes()
    (data / "changed.jsonl").write_bytes(sound.replace(b",1250,", b",1350,", 1))
    code, told, faults = _audit(data, "changed.jsonl")
    assert code == 1
    assert told.endswith("BROKEN\n")
    assert "position 3: its entries do not balance\n" in faults


def test_a_kept_checkpoint_holds_the_ledger_to_it(data: Path) -> None:
    """`verify` and `audit` take it; one that is not of the key is refused in a line."""
    with (data / "log.jsonl").open() as log:
        note = json.loads(log.readline())["checkpoint"]
    (data / "kept").write_text(note)
    (data / "forged").write_text(note.replace("\n3\n", "\n4\n"))
    here = ("--data-directory", str(data))
    assert _audit(data, "log.jsonl", "--checkpoint", "kept")[0] == 0
    assert _tandem(data, "verify", "--checkpoint", "kept", *here)[0] == 0
    for code, told, error in (
        _audit(data, "log.jsonl", "--checkpoint", "forged"),
        _tandem(data, "verify", "--checkpoint", "forged", *here),
        _tandem(data, "verify", "--checkpoint", "nowhere", *here),
    ):
        assert (code, told) == (1, "")
        assert error.startswith("tandem: ")
        assert error.count("\n") == 1


def test_what_cannot_be_read_is_told_in_a_line(data: Path) -> None:
    """No bundle, no file, no key."""
    for code, told, error in (
        _audit(data, "nowhere"),
        _audit(data, "key"),
        _tandem(data, "audit", "log.jsonl", "--key", "nobody"),
    ):
        assert (code, told) == (1, "")
        assert error.startswith("tandem: ")
        assert error.count("\n") == 1
