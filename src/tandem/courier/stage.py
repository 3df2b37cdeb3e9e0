"""Everything the courier stands on, as real processes: PostgreSQL, engine, sandbox, server.

What is started here is stopped here, in reverse order, whatever interrupts. Blocking throughout,
so that a Ctrl-C is a KeyboardInterrupt at the line that runs.
"""

import asyncio
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

import psutil

from tandem.courier.errors import StageTaken
from tandem.courier.limits import SWEEP_TIMEOUT_S
from tandem.platform.auth import ApiKeys, Permission, migrate_auth
from tandem.platform.auth.api_keys import ROLE as KEYS_ROLE
from tandem.platform.database import open_pool
from tandem.platform.embedded import EmbeddedPostgres
from tandem.platform.engine.engine import ValhallaEngine
from tandem.platform.engine.extract import obtain_extract
from tandem.platform.engine.tiles import prepare_engine
from tandem.platform.file_lock import FileLock
from tandem.platform.processes import ChildProcess, free_port, tree_pss_bytes

type ShowStep = Callable[[str], AbstractContextManager[None]]

_PIDS_FILE: Final = "processes"
_CLIENT_ID: Final = "courier"
_PERMISSIONS: Final = (Permission.READ, Permission.WRITE, Permission.ROUTE)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the running parts are, and what opens them."""

    server_url: str
    sandbox_url: str
    engine_url: str
    api_key: str = field(repr=False)
    sandbox_admin_token: str = field(repr=False)


class Stage:
    """A context manager; `start` brings the parts up one by one, leaving takes them all down.

    `directory` is emptied first and belongs to one stage at a time; `engine_directory` keeps the
    map extract and the routing tiles from run to run.
    """

    def __init__(self, directory: Path, engine_directory: Path, *, seed: int) -> None:
        self._directory = directory.resolve()
        self._engine_directory = engine_directory.resolve()
        self._seed = seed
        self._stack = ExitStack()
        self._postgres = EmbeddedPostgres(self._directory / "postgres")
        self._before: frozenset[psutil.Process] = frozenset()

    def __enter__(self) -> Self:
        """Take the directory, and end what a killed stage left running in it.

        Raises:
            StageTaken: another stage is up in it.
        """
        self._directory.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._directory.with_name(f"{self._directory.name}.lock"))
        if not lock.try_lock(shared=False):
            lock.unlock()
            raise StageTaken(f"another demo runs in {self._directory}")
        with ExitStack() as stack:
            stack.callback(lock.unlock)
            self._before = frozenset(psutil.Process().children(recursive=True))
            self._end_left_over()
            # Callbacks run last in, first out: after every proper stop, whatever an interrupt
            # left between its start and its record.
            stack.callback(self._sweep)
            stack.callback(self._postgres.stop)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything that was started, last started first."""
        self._stack.close()

    def start(self, show: ShowStep) -> Places:
        """Bring everything up, showing each step. Raises PlatformError where a part fails."""
        with show("map extract"):
            obtain_extract(self._engine_directory)
        with show("routing tiles"):
            tiles = prepare_engine(self._engine_directory)
        with show("PostgreSQL"):
            self._postgres.start()
            api_key = asyncio.run(_make_key(self._postgres.uri("postgres")))
        with show("bicycle engine"):
            engine = ValhallaEngine(tiles, self._directory / "engine")
            engine_url = self._stack.enter_context(engine).url
            self._remember(engine.pid)
        client_secret, admin_token = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        with show("Bikemap sandbox"):
            sandbox_url = self._start_sandbox(engine_url, client_secret, admin_token)
        with show("Tandem server"):
            server_url = self._start_server(engine_url, sandbox_url, client_secret)
        return Places(
            server_url=server_url,
            api_key=api_key,
            sandbox_url=sandbox_url,
            sandbox_admin_token=admin_token,
            engine_url=engine_url,
        )

    def pss_bytes(self) -> int:
        """Measure the memory of all processes together, this one included."""
        postmaster = self._postgres.postmaster_pid
        return tree_pss_bytes([os.getpid(), *([] if postmaster is None else [postmaster])])

    def _start_sandbox(self, engine_url: str, client_secret: str, admin_token: str) -> str:
        port = free_port()
        client = {"id": _CLIENT_ID, "secrets": [client_secret], "plan": "business"}
        return self._start_child(
            "sandbox",
            ["--port", str(port), "--valhalla-url", engine_url, "--seed", str(self._seed)],
            port,
            {
                "TANDEM_SANDBOX_CLIENTS": json.dumps([client]),
                "TANDEM_SANDBOX_ADMIN_TOKEN": admin_token,
            },
        )

    def _start_server(self, engine_url: str, sandbox_url: str, client_secret: str) -> str:
        port = free_port()
        return self._start_child(
            "serve",
            ["--port", str(port)],
            port,
            {
                "TANDEM_DATABASE_URL": self._postgres.uri("postgres"),
                "TANDEM_BIKEMAP_BASE_URL": sandbox_url,
                "TANDEM_BIKEMAP_CLIENT_ID": _CLIENT_ID,
                "TANDEM_BIKEMAP_CLIENT_SECRET": client_secret,
                "TANDEM_VALHALLA_URL": engine_url,
                # What the terminal has set for another server is not meant for this one.
                "TANDEM_HOST": "127.0.0.1",
                "TANDEM_LEDGER": "main",
            },
        )

    def _start_child(
        self, command: str, arguments: list[str], port: int, environment: dict[str, str]
    ) -> str:
        """Run a command of ours until the stage ends; returns its base URL once it is ready."""
        url = f"http://127.0.0.1:{port}"
        child = ChildProcess(
            command,
            [sys.executable, "-m", "tandem.cli", command, *arguments],
            log=self._directory / f"{command}.log",
            ready_url=f"{url}/health/ready",
            environment=environment,
        )
        self._stack.enter_context(child)
        self._remember(child.pid)
        return url

    def _remember(self, pid: int) -> None:
        """Write a process down, with when it began: its number alone may come to be another's."""
        with (self._directory / _PIDS_FILE).open("a") as file:
            file.write(f"{pid} {psutil.Process(pid).create_time()!r}\n")

    def _end_left_over(self) -> None:
        """End what a killed stage left running, and empty the directory."""
        self._directory.mkdir(exist_ok=True)
        with suppress(FileNotFoundError):
            lines = (self._directory / _PIDS_FILE).read_text().splitlines()
            _end(process for line in lines if (process := _find(*line.split())) is not None)
        self._postgres.stop_abandoned()
        shutil.rmtree(self._directory)
        self._directory.mkdir()

    def _sweep(self) -> None:
        """End children that were not there before, and a PostgreSQL that runs in our directory."""
        _end(set(psutil.Process().children(recursive=True)) - self._before)
        _end(process for process in psutil.process_iter() if self._is_inside(process))

    def _is_inside(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error, OSError):
            inside = Path(process.cwd()).is_relative_to(self._directory)
            return inside and process.name() == "postgres"
        return False


async def _make_key(uri: str) -> str:
    await asyncio.to_thread(migrate_auth, uri)
    async with await open_pool(
        uri, role=KEYS_ROLE, min_size=1, max_size=1, name="tandem demo"
    ) as pool:
        keys = ApiKeys(
            pool,
            now=lambda: datetime.now(UTC),
            monotonic_s=time.monotonic,
            random_bytes=secrets.token_bytes,
        )
        return await keys.create_key("courier demo", _PERMISSIONS)


def _find(pid: str, create_time: str) -> psutil.Process | None:
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(int(pid))
        return process if process.create_time() == float(create_time) else None
    return None


def _end(processes: Iterable[psutil.Process]) -> None:
    ended = list(processes)
    for process in ended:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(ended, SWEEP_TIMEOUT_S)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, SWEEP_TIMEOUT_S)
