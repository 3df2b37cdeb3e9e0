"""A real routing engine and a sandbox for each test process, on tiles that are built once."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tandem.platform.engine.engine import ValhallaEngine
from tandem.platform.engine.tiles import TileSet, prepare_engine
from tandem.platform.processes import ChildProcess, free_port
from tandem.sandbox.main import ADMIN_TOKEN_VARIABLE, CLIENTS_VARIABLE

_ENGINE_DIRECTORY = Path(__file__).parents[2] / ".tandem" / "engine"


@pytest.fixture(scope="session")
def engine_tiles() -> TileSet:
    """Give the tile set of the repository's cache; the first run ever downloads and builds it."""
    return prepare_engine(_ENGINE_DIRECTORY)


@pytest.fixture(scope="session")
def valhalla_url(engine_tiles: TileSet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Base URL of a running engine, one for each test process."""
    with ValhallaEngine(engine_tiles, tmp_path_factory.mktemp("valhalla")) as engine:
        yield engine.url


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A sandbox process and who may come in; the client has a plan that tests do not use up."""

    url: str
    pid: int
    client_id: str = "courier"
    client_secret: str = "first-secret-of-the-courier"  # noqa: S105 - known to tests only
    other_secret: str = "second-secret-of-the-courier"  # noqa: S105 - as above
    admin_token: str = "token-of-the-administrator"  # noqa: S105 - as above

    def set_faults(self, *rules: dict[str, Any], seed: int = 1) -> None:
        """Make requests go wrong from now on, as `PUT /admin/faults` takes it."""
        body = {"rules": list(rules), "seed": seed}
        self._admin("PUT", "/admin/faults", json=body)

    def clear(self) -> None:
        """Take back all faults and changes of secrets, and set the counters to zero."""
        self.set_secrets(self.client_secret, self.other_secret)
        self._admin("DELETE", "/admin/faults")
        self._admin("DELETE", "/admin/stats")

    def set_secrets(self, *secrets: str) -> None:
        """Make these the client's live secrets."""
        path = f"/admin/clients/{self.client_id}/secrets"
        self._admin("PUT", path, json={"secrets": secrets})

    def stats(self) -> dict[str, Any]:
        """Return what reached each endpoint since the test began."""
        endpoints: dict[str, Any] = self._admin("GET", "/admin/stats").json()["endpoints"]
        return endpoints

    def _admin(self, method: str, path: str, **options: Any) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.admin_token}"}
        # Without certificates, whose loading takes longer than all the rest.
        answer = httpx2.request(method, self.url + path, headers=headers, verify=False, **options)
        return answer.raise_for_status()


@pytest.fixture(scope="session")
def sandbox_process(
    valhalla_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningSandbox]:
    """Run the sandbox, one for each test process."""
    port = free_port()
    running = RunningSandbox(f"http://127.0.0.1:{port}", pid=0)
    secrets = [running.client_secret, running.other_secret]
    clients = [{"id": running.client_id, "secrets": secrets, "plan": "business"}]
    command = ("-m", "tandem.cli", "sandbox", "--valhalla-url", valhalla_url, "--port", str(port))
    with ChildProcess(
        "sandbox",
        (sys.executable, *command),
        log=tmp_path_factory.mktemp("sandbox") / "sandbox.log",
        environment={
            CLIENTS_VARIABLE: json.dumps(clients),
            ADMIN_TOKEN_VARIABLE: running.admin_token,
        },
        ready_url=f"{running.url}/health/ready",
    ) as process:
        yield replace(running, pid=process.pid)


@pytest.fixture
def sandbox(sandbox_process: RunningSandbox) -> Iterator[RunningSandbox]:
    """Give the running sandbox without faults and with counters at zero."""
    sandbox_process.clear()
    yield sandbox_process
    sandbox_process.clear()
