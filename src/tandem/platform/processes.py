"""Child processes with a log, a readiness probe and a sure end; and what memory they take."""

import http.client
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn, Self
from urllib.parse import urlsplit

import psutil

from tandem.platform.errors import ProcessError
from tandem.platform.limits import (
    PROCESS_KILL_TIMEOUT_S,
    PROCESS_LOG_TAIL_BYTES,
    PROCESS_LOG_TAIL_LINES,
    PROCESS_POLL_S,
    PROCESS_PROBE_TIMEOUT_S,
    PROCESS_START_TIMEOUT_S,
    PROCESS_STOP_TIMEOUT_S,
)


class ChildProcess:
    """One child in its own process group, so that a terminal's Ctrl-C reaches only us.

    Its output goes to `log`. Used as a context manager it is started at entry, waits for
    `ready_url` where one is given, and is stopped at exit. All methods block; from asynchronous
    code call them in a thread.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        log: Path,
        ready_url: str | None = None,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self.ready_url = ready_url
        self._argv = [str(argument) for argument in argv]
        self._environment = {**os.environ, **(environment or {})}
        self._directory = directory
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; the log is begun anew. Raises ProcessError where it cannot be run."""
        if self.running:
            raise ProcessError(f"{self.name} runs already")
        self.log.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.log.open("wb") as output:
                self._popen = subprocess.Popen(  # noqa: S603 - the caller names the program
                    self._argv,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=self._environment,
                    cwd=self._directory,
                    process_group=0,
                )
        except OSError as error:
            raise ProcessError(f"cannot start {self.name}: {error}") from error

    def wait_ready(self, url: str, *, timeout_s: float = PROCESS_START_TIMEOUT_S) -> None:
        """Wait until `url` answers 2xx. Raises ProcessError where it dies first, or too late."""
        deadline = time.monotonic() + timeout_s
        while not answers(url):
            if not self.running:
                raise ProcessError(
                    f"{self.name} ended with exit code {self.exit_code}:\n{self.log_tail()}"
                )
            if time.monotonic() >= deadline:
                raise ProcessError(
                    f"{self.name} was not ready after {timeout_s:.0f} s:\n{self.log_tail()}"
                )
            time.sleep(PROCESS_POLL_S)

    def wait(self, *, timeout_s: float = PROCESS_STOP_TIMEOUT_S) -> int:
        """Wait for it to end by itself; returns its exit code, or raises ProcessError."""
        if self._popen is None:
            raise ProcessError(f"{self.name} was not started")
        try:
            return self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired as error:
            raise ProcessError(f"{self.name} still runs after {timeout_s:.0f} s") from error

    def stop(self, *, timeout_s: float = PROCESS_STOP_TIMEOUT_S) -> int | None:
        """Ask it to end, and make it where it does not in time; returns its exit code."""
        if self._popen is None:
            return None
        descendants = self._descendants()
        if self._popen.poll() is None:
            self._popen.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(timeout_s)
        self._end(descendants)
        return self.exit_code

    def kill(self) -> None:
        """End it and its descendants at once, as a crash would (`kill -9`)."""
        if self._popen is not None:
            self._end(self._descendants())

    def log_tail(self, lines: int = PROCESS_LOG_TAIL_LINES) -> str:
        """Return the last lines of its output."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - PROCESS_LOG_TAIL_BYTES))
                text = file.read().decode(errors="replace")
        except FileNotFoundError:
            return "(no log)"
        return "\n".join(text.splitlines()[-lines:]) or "(the log is empty)"

    @property
    def running(self) -> bool:
        """True between start and end."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Its exit code, negative for a signal; None where it was not started or still runs."""
        return None if self._popen is None else self._popen.poll()

    @property
    def pid(self) -> int:
        """Its process id. Raises ProcessError before the start."""
        if self._popen is None:
            raise ProcessError(f"{self.name} was not started")
        return self._popen.pid

    def __enter__(self) -> Self:
        try:
            self.start()
            if self.ready_url is not None:
                self.wait_ready(self.ready_url)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _descendants(self) -> list[psutil.Process]:
        """List descendants of its own group; one that made itself a daemon is not ours to end."""
        found = []
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.pid).children(recursive=True):
                with suppress(ProcessLookupError):
                    if os.getpgid(child.pid) == self.pid:
                        found.append(child)
        return found

    def _end(self, descendants: Iterable[psutil.Process]) -> None:
        assert self._popen is not None  # noqa: S101 - the callers looked
        if self._popen.poll() is None:
            self._popen.kill()
        for child in descendants:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        try:
            self._popen.wait(PROCESS_KILL_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise ProcessError(f"{self.name} (pid {self.pid}) cannot be killed") from error


def end_process(exit_code: int) -> NoReturn:
    """End this process without tearing the interpreter down; what is open must be closed before.

    For a process that served HTTP: a thread of the server that wants the interpreter while it is
    torn down aborts the process (CPython before 3.14, gh-87135).
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(exit_code)


def answers(url: str) -> bool:
    """Tell whether a GET of a plain http URL gives 2xx now."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(
        parts.hostname or "127.0.0.1", parts.port, timeout=PROCESS_PROBE_TIMEOUT_S
    )
    try:
        connection.request("GET", parts.path or "/")
        return connection.getresponse().status // 100 == 2  # noqa: PLR2004 - 2xx
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def free_port(host: str = "127.0.0.1") -> int:
    """Find a TCP port that nothing listens on; another process may take it before you do."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def tree_pss_bytes(pids: Iterable[int]) -> int:
    """Sum the proportional set size of processes and all their descendants.

    Pages shared between them count once in the sum. What ended meanwhile counts nothing.
    """
    processes: dict[int, psutil.Process] = {}
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            root = psutil.Process(pid)
            processes |= {process.pid: process for process in [root, *root.children(True)]}
    total = 0
    for process in processes.values():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += process.memory_full_info().pss
    return total
