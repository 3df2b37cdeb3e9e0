"""The engine as a child process that answers HTTP on loopback.

What callers of its HTTP interface need to know, as seen with version 3.9:

- `POST /route` answers `{"trip": {...}}`: legs with `summary.length` in kilometres, `summary.time`
  in seconds, `shape` as polyline with six digits, `maneuvers` (`length` in km, `type` 0..43,
  `begin_shape_index`). With `elevation_interval` (metres) a leg also carries `elevation`, heights
  in metres at that distance from each other; alternatives come as `alternates: [{"trip": ...}]`.
- `POST /height` takes `shape` or `encoded_polyline` (six digits) and answers `height`, one metre
  value a vertex; `height_precision: 1` gives decimetres. Outside the terrain it answers null or 0.
- Errors are HTTP 400 (404 for an unknown action) with JSON
  `{"error_code", "error", "status_code", "status"}`: 442 no path; 171 no edge near a location
  (only within `search_cutoff` metres, 35 km unless told); 154 too long, also for far-away places;
  150 too many locations; 100 not JSON; 120 too few locations; 125 unknown costing; 130 location
  not understood. None says which location it means.
"""

import json
from pathlib import Path
from typing import Any, Final, Self

import psutil

from tandem.platform.engine import limits
from tandem.platform.engine.errors import ServiceError
from tandem.platform.engine.tiles import TileSet, base_config, executable
from tandem.platform.errors import ProcessError
from tandem.platform.processes import ChildProcess, free_port

_HOST: Final = "127.0.0.1"
# The service writes two lines a request to its first stream, for ever; what matters goes to the
# second. `exec` leaves one process: the service itself.
_WITHOUT_ACCESS_LOG: Final = ("sh", "-c", 'exec "$@" >/dev/null', "sh")


class ValhallaEngine:
    """One engine process on a tile set; a context manager, or `start` and `stop`.

    Several engines may serve one tile set. The process keeps nothing, so stopping it, by whatever
    signal, loses nothing. All methods block.
    """

    def __init__(self, tiles: TileSet, run_directory: Path, *, port: int | None = None) -> None:
        """Prepare; `run_directory` takes the configuration and the log, `port` None a free one."""
        self._tiles = tiles
        self._run_directory = run_directory.resolve()
        self._wanted_port = port
        self._port: int | None = None
        self._process: ChildProcess | None = None

    @property
    def url(self) -> str:
        """The engine's base URL, without a final slash; only while it is started."""
        if self._port is None:
            raise ServiceError("the engine is not started")
        return f"http://{_HOST}:{self._port}"

    @property
    def pid(self) -> int:
        """The engine's process id; only while it is started."""
        if self._process is None:
            raise ServiceError("the engine is not started")
        return self._process.pid

    def start(self) -> str:
        """Start the process, wait until it answers and return its base URL.

        Raises:
            ServiceError: It did not start in time, or died.
        """
        if self._process is not None:
            raise ServiceError("the engine is started already")
        self._run_directory.mkdir(parents=True, exist_ok=True)
        # Between finding a free port and listening on it, another process may take it.
        more_attempts = 0 if self._wanted_port else limits.SERVICE_START_ATTEMPTS_MAX - 1
        while True:
            try:
                return self._launch(self._wanted_port or free_port(_HOST))
            except ServiceError:
                if more_attempts == 0:
                    raise
                more_attempts -= 1

    def stop(self) -> None:
        """Stop the process and wait for its end; harmless where it is not started."""
        process, self._process, self._port = self._process, None, None
        if process is not None:
            process.stop(timeout_s=limits.SERVICE_STOP_TIMEOUT_S)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _launch(self, port: int) -> str:
        config = self._run_directory / f"valhalla-{port}.json"
        config.write_text(json.dumps(_service_config(self._tiles, port)))
        service = (executable("valhalla_service"), config, str(limits.SERVICE_THREADS))
        self._process = ChildProcess(
            "the routing engine",
            (*_WITHOUT_ACCESS_LOG, *service),
            log=self._run_directory / f"valhalla-{port}.log",
        )
        self._port = port
        try:
            self._process.start()
            self._await_ready(self._process, port)
        except BaseException:
            self.stop()
            raise
        return self.url

    def _await_ready(self, process: ChildProcess, port: int) -> None:
        try:
            process.wait_ready(f"{self.url}/status", timeout_s=limits.SERVICE_START_TIMEOUT_S)
        except ProcessError as error:
            raise ServiceError(str(error)) from error
        # An answer counts only if it is this process that listens, not one that was there before.
        if not _listens(process.pid, port):
            raise ServiceError(f"another process answers on the engine's port {port}")


def _service_config(tiles: TileSet, port: int) -> dict[str, Any]:
    config = base_config(tiles)
    config["httpd"]["service"] |= {
        "listen": f"tcp://{_HOST}:{port}",
        "drain_seconds": 0,
        "shutdown_seconds": 0,
        "timeout_seconds": limits.SERVICE_REQUEST_TIMEOUT_S,
    }
    return config


def _listens(pid: int, port: int) -> bool:
    try:
        connections = psutil.Process(pid).net_connections("tcp4")
    except psutil.Error:
        return False
    return any(
        connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
        for connection in connections
    )
