"""A server that is told to stop while streams are open and a worker runs in its process."""

import asyncio
import base64
import os
import signal
from pathlib import Path

import httpx2
import pytest
from tests.support.ledger import Server, make_token
from tests.support.receiver import receiving

from tandem.ledger.client import LedgerClient
from tandem.platform.auth import Permission

pytestmark = pytest.mark.anyio

TIMEOUT_S = 60.0


async def test_a_draining_server_ends_its_streams(database_uri: str, tmp_path: Path) -> None:
    """It delivers what it has, tells its streams why they end, and ends without a fault."""
    token = await make_token(database_uri, list(Permission))
    environment = {
        "TANDEM_WEBHOOK_KEY": base64.b64encode(bytes(32)).decode(),
        "TANDEM_WEBHOOK_REACH": "loopback",
    }
    server = Server(database_uri, tmp_path, "server", environment, ["--work"])
    events: list[str] = []
    try:
        async with (
            asyncio.timeout(TIMEOUT_S),
            receiving() as receiver,
            LedgerClient(server.url, token) as ledger,
            httpx2.AsyncClient(base_url=server.url, timeout=TIMEOUT_S) as http,
        ):
            await asyncio.to_thread(server.start)
            made = await ledger.webhooks.put("hook", url=receiver.url)
            receiver.secrets = [made.secret or ""]
            await ledger.open_account(
                "a", asset="EUR/2", account_class="asset", idempotency_key="a"
            )
            await receiver.progress.reached(1)
            path = "/v1/ledgers/main/records/stream"
            async with http.sse(path, headers={"Authorization": f"Bearer {token}"}) as source:
                async for event in source:
                    events.append(f"{event.event} {event.data}"[:60])
                    if event.event == "record":
                        os.kill(server.child.pid, signal.SIGTERM)
        assert await asyncio.to_thread(server.child.wait) == 0
    finally:
        await asyncio.to_thread(server.child.stop)
    assert events[-1] == 'end {"reason": "draining"}'
    assert "Traceback" not in server.child.log.read_text()
