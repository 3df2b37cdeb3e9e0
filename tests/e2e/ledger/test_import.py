"""`tandem ledger import` as a real process: on a data directory, against a server, in memory."""

import json
import os
import subprocess
import sys
from asyncio import to_thread
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest
from tests.support.doors import LedgerServer, fresh_name

from tandem.platform.embedded import EmbeddedPostgres
from tandem.platform.processes import tree_pss_bytes

_LEDGER = [sys.executable, "-m", "tandem.cli", "ledger"]
_TIMEOUT_S = 120.0
_MIB = 1024 * 1024
_LOOK_S = 0.01


@pytest.fixture
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory; a server that a test left running in it is stopped."""
    directory = tmp_path_factory.mktemp("import")
    yield directory
    EmbeddedPostgres(directory / "postgres").stop_abandoned()


def _tandem(
    *arguments: str | Path, given: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*_LEDGER, *map(str, arguments)],
        check=False,
        capture_output=True,
        input=given,
        env={**os.environ, **environment},
        timeout=_TIMEOUT_S,
    )


_ACCOUNTS = [
    {"address": name, "asset": "EUR/2", "account_class": "asset"} for name in ("cash", "bank")
]
_TRANSFER = {"debit_account": "cash", "credit_account": "bank", "amount_minor": 5}


def _written(path: Path, *lines: object) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_file_is_imported_and_resumed(data: Path) -> None:
    """Into a fresh data directory; refused lines are in the report, and fixed ones go through."""
    file = _written(data / "books.jsonl", *_ACCOUNTS, _TRANSFER, {**_TRANSFER, "amount_minor": 0})
    at = ("--data-directory", data, "--name", "books")
    checked = _tandem("import", file, "--check")
    assert (checked.returncode, checked.stdout.split()[:3]) == (1, [b"4", b"lines:", b"3"])
    assert not (data / "postgres").exists()
    first = _tandem("import", file, *at)
    assert first.returncode == 1, first.stderr
    (bad,) = map(json.loads, (data / "books.refused.jsonl").read_text().splitlines())
    assert (bad["line"], bad["code"]) == (4, "amount_invalid")
    assert json.loads(bad["text"])["amount_minor"] == 0
    _written(file, *_ACCOUNTS, _TRANSFER, _TRANSFER)
    second = _tandem("import", file, *at)
    assert second.returncode == 0, second.stderr
    assert second.stdout == b"4 lines: 1 imported, 3 imported before\n"
    assert (data / "books.refused.jsonl").read_bytes() == b""


@pytest.mark.anyio
async def test_standard_input_goes_to_a_server(ledger_server: LedgerServer, data: Path) -> None:
    """The key comes from the environment; lines without a key need a name."""
    name = fresh_name()
    token = ledger_server.root._http.headers["Authorization"].removeprefix("Bearer ")
    to = ("import", "-", "--format", "jsonl", "--url", ledger_server.url, "--ledger", name)
    given = _written(data / "in.jsonl", *_ACCOUNTS, _TRANSFER).read_bytes()

    async def run(*more: str, key: str) -> subprocess.CompletedProcess[bytes]:
        arguments = (*to, "--report", str(data / "report.jsonl"), *more)
        return await to_thread(partial(_tandem, *arguments, given=given, TANDEM_KEY=key))

    keyless = await run("--name", "n", key="")
    assert (keyless.returncode, b"TANDEM_KEY" in keyless.stderr) == (1, True)
    assert (await run("--name", "n", key="tandem_no_key")).returncode == 1
    nameless = await run(key=token)
    assert nameless.stdout.startswith(b"3 lines: 0 imported, 3 refused"), nameless.stderr
    named = await run("--name", "n", key=token)
    assert (named.returncode, named.stdout) == (0, b"3 lines: 3 imported\n"), named.stderr
    balance = await ledger_server.client(name).balance("cash")
    assert balance.balance_minor == 5


def test_misuse_is_one_line(data: Path) -> None:
    """A missing file, a column that is none, a format that nobody said."""
    (data / "odd.csv").write_text("kind,colour\n")
    missing = _tandem("import", data / "none.csv")
    assert (missing.returncode, len(missing.stderr.splitlines())) == (1, 1)
    odd = _tandem("import", data / "odd.csv", "--data-directory", data)
    assert odd.returncode == 1
    assert b"no import has a column 'colour'" in odd.stderr
    assert not (data / "postgres").exists()
    assert _tandem("import", data / "books.txt").returncode == 2
    kept = (data / "odd.csv").read_bytes()
    assert _tandem("import", data / "odd.csv", "--report", data / "odd.csv").returncode == 2
    assert (data / "odd.csv").read_bytes() == kept


def _many(path: Path, transfers: int, note_chars: int) -> Path:
    with path.open("w") as file:
        file.writelines(json.dumps(account) + "\n" for account in _ACCOUNTS)
        file.writelines(
            json.dumps({**_TRANSFER, "metadata": {"note": f"{number:0{note_chars}}"}}) + "\n"
            for number in range(transfers)
        )
    return path


def _peak_pss_bytes(child: subprocess.Popen[bytes], data: Path) -> int:
    """Watch a process and its PostgreSQL until the process ends."""
    peak = 0
    while True:
        postmaster = EmbeddedPostgres(data / "postgres").postmaster_pid
        peak = max(peak, tree_pss_bytes([child.pid, *([postmaster] if postmaster else [])]))
        try:
            child.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            continue
        return peak


def _peak_of_process_bytes(file: Path, *more: str | Path) -> int:
    """Run an import of its own accord and tell the most memory that its process was seen with.

    What the kernel says of an ended child counts its parent before the exec too, so we look.
    """
    argv = [*_LEDGER, "import", str(file), *map(str, more)]
    peak = 0
    with psutil.Popen(argv, stdout=subprocess.DEVNULL) as child:
        while child.poll() is None:
            with suppress(psutil.Error):
                peak = max(peak, child.memory_info().rss)
            with suppress(psutil.TimeoutExpired, subprocess.TimeoutExpired):
                child.wait(_LOOK_S)
    assert child.returncode == 0
    return peak


def test_memory_does_not_grow_with_the_file(data: Path) -> None:
    """Of 20,000 lines of a kilobyte each only a few are in memory at a time."""
    small = _peak_of_process_bytes(_many(data / "one.jsonl", 1_000, 1_000), "--check")
    large = _peak_of_process_bytes(_many(data / "many.jsonl", 20_000, 1_000), "--check")
    assert large - small < 8 * _MIB
    at = ("--data-directory", data)
    assert _peak_of_process_bytes(data / "many.jsonl", *at) < 260 * _MIB


@pytest.mark.drill
def test_a_million_lines(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They are imported in bounded memory, PostgreSQL and the writer's caches included."""
    file = data / "million.csv"
    with file.open("w") as out:
        out.write("address,asset,account_class,debit_account,credit_account,amount_minor\n")
        out.write("cash,EUR/2,asset,,,\n")
        out.writelines(f"wallets:{number},EUR/2,liability,,,\n" for number in range(1_000))
        out.writelines(f",,,cash,wallets:{number % 1_000},5\n" for number in range(998_999))
    argv = [*_LEDGER, "import", str(file), "--data-directory", str(data)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as child:
        peak = _peak_pss_bytes(child, data)
        assert child.stdout is not None
        assert child.stdout.read() == b"1,000,000 lines: 1,000,000 imported\n"
    with capsys.disabled():
        sys.stdout.write(f"1,000,000 lines: at most {peak // _MIB} MiB, PostgreSQL included\n")
    assert peak < 400 * _MIB
