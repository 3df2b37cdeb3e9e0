"""The real server process, `tandem serve`, on a database of the bench, and a client beside it."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from bench.ledger.child import Child, started
from bench.ledger.cpu import Meter
from bench.ledger.stage import LEDGER, Stage, opened
from tandem.platform.processes import ChildProcess, free_port, tree_pss_bytes

_KEY: Final = re.compile(r"shown only this once: (tandem_\S+)")
_DRIVER: Final = "bench.ledger.driver"


@dataclass(frozen=True, slots=True)
class Served:
    """A server with the client that drives it."""

    server: ChildProcess
    driver: Child
    meter: Meter

    def memory_bytes(self) -> int:
        """What the server's process takes (its proportional set size)."""
        return tree_pss_bytes([self.server.pid])

    async def singles(self, requests: int, connections: int) -> dict[str, float]:
        """Post single transfers; returns `rate`, `p50_ms` and `p99_ms`."""
        return await self.driver.ask(requests=requests, connections=connections)

    async def batches(self, requests: int, connections: int, size: int) -> float:
        """Post batches of transfers; return transfers per second."""
        answer = await self.driver.ask(requests=requests, connections=connections, batch=size)
        return float(answer["rate"]) * size


@asynccontextmanager
async def served(stage: Stage, name: str, accounts: int) -> AsyncIterator[Served]:
    """Open a ledger's accounts in a database of its own; then serve it over HTTP."""
    conninfo = stage.database(name)
    async with opened(conninfo, accounts, fresh=True):
        pass
    port, data = free_port(), stage.directory / f"serve-{name}"
    argv = [sys.executable, "-m", "tandem.cli", "serve", "--port", str(port)]
    server = ChildProcess(
        name,
        [*argv, "--data-directory", str(data), "--ledger", LEDGER],
        log=stage.directory / f"{name}.log",
        ready_url=f"http://127.0.0.1:{port}/health/ready",
        environment={
            "TANDEM_DATABASE_URL": conninfo,
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
    )
    await asyncio.to_thread(server.__enter__)
    try:
        async with started(
            _DRIVER, str(port), LEDGER, str(accounts), secrets={"token": _token(server)}
        ) as driver:
            yield Served(server, driver, stage.meter(driver.pid, server=server.pid))
    finally:
        await asyncio.to_thread(server.stop)


def _token(server: ChildProcess) -> str:
    shown = _KEY.search(server.log.read_text("utf-8"))
    if shown is None:
        raise SystemExit(f"the server showed no key:\n{server.log_tail()}")
    return shown[1]
