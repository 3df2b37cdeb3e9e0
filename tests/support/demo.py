"""The demo as a user starts it: a process of its own, in a directory of its own."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

_ENDING_TIMEOUT_S = 180.0
_LOG_TAIL_CHARS = 4_000


class Demo:
    """A running `tandem demo`; a context manager that leaves nothing behind.

    `engine_directory` is the repository's cache of tiles, so that no run downloads anything.
    """

    def __init__(self, directory: Path, engine_directory: Path, *options: str) -> None:
        self._cache = directory / ".tandem"
        self._cache.mkdir(exist_ok=True)
        if not (self._cache / "engine").exists():
            (self._cache / "engine").symlink_to(engine_directory, target_is_directory=True)
        environment = {
            name: value for name, value in os.environ.items() if name != "TANDEM_EXTRACT"
        }
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "tandem.cli", "demo", *options],
            cwd=directory,
            env=environment | {"COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it if it still runs."""
        if self._popen.poll() is None:
            self.interrupt()
            self.wait()
        if self._popen.stdout is not None:
            self._popen.stdout.close()

    def read_until(self, text: str) -> str:
        """Read lines until one holds the text, and return that one."""
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            self.lines.append(line.rstrip())
            if text in line:
                return line
        raise AssertionError(f"the demo ended without {text!r}:\n{self.text}")

    def interrupt(self) -> None:
        """Send what Ctrl-C sends, to the demo alone."""
        self._popen.send_signal(signal.SIGINT)

    def wait(self) -> int:
        """Read on to the end and return the exit code, as a shell reports it.

        Python ends by the signal itself where the interrupt came up inside an exec of text, as in
        the making of a dataclass, though it was handled.
        """
        try:
            rest, _ = self._popen.communicate(timeout=_ENDING_TIMEOUT_S)
        except subprocess.TimeoutExpired as late:
            self._popen.kill()
            rest, _ = self._popen.communicate()
            raise AssertionError(f"the demo does not end:\n{self.text}\n{rest}") from late
        self.lines += rest.splitlines()
        code = self._popen.returncode
        return 128 - code if code < 0 else code

    def processes(self) -> list[int]:
        """List the demo, its descendants, and the database's own."""
        main = psutil.Process(self._popen.pid)
        pids = [main.pid, *(child.pid for child in main.children(recursive=True))]
        recorded = self._cache / "demo" / "postgres" / "postmaster.pid"
        if recorded.exists():
            postmaster = psutil.Process(int(recorded.read_text().split()[0]))
            pids += [postmaster.pid, *(child.pid for child in postmaster.children())]
        return pids

    @property
    def text(self) -> str:
        """Everything that was written so far; after a failure, the ends of the logs as well."""
        logs = sorted((self._cache / "demo").glob("*.log")) if self._popen.poll() else []
        tails = [f"{log.name}: {log.read_text()[-_LOG_TAIL_CHARS:]}" for log in logs]
        return "\n".join([*self.lines, *tails])

    def cell(self, name: str) -> str:
        """Return the value beside a name in the table at the end."""
        found = re.search(rf"^[│|] {re.escape(name)} +[│|] (.*?) +[│|]$", self.text, re.MULTILINE)
        assert found is not None, f"no {name!r} in:\n{self.text}"
        return found[1]
