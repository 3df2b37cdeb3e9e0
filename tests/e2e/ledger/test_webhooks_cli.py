"""`tandem ledger webhooks …` as an operator types it."""

import asyncio
import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tandem.ledger.embedded import open_service
from tandem.platform.webhooks.signing import read_secret

pytestmark = pytest.mark.anyio

KEY = bytes(range(32))


async def test_an_operator_looks_after_a_webhook(database_uri: str, tmp_path: Path) -> None:
    """Made, listed, rotated, resumed; its dead letters; ended. What is wrong is one line."""
    async with open_service(database_uri, webhook_key=KEY) as service:
        await service.create_ledger("main")

    async def tandem(*arguments: str, fails: bool = False) -> str:
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "tandem.cli", "ledger", "webhooks", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={
                **os.environ,
                "TANDEM_DATABASE_URL": database_uri,
                "TANDEM_DATA_DIRECTORY": str(tmp_path),
                "TANDEM_WEBHOOK_KEY": base64.b64encode(KEY).decode(),
                "TANDEM_LOG_LEVEL": "error",
            },
        )
        assert (done.returncode != 0) == fails, done.stderr
        return done.stderr if fails else done.stdout

    secret = (await tandem("put", "hook", "https://example.com/x", "--kind", "hold")).strip()
    assert read_secret(secret)
    assert (await tandem("put", "hook", "https://example.com/y")).strip() == "hook is changed"
    fresh = (await tandem("rotate", "hook")).strip()
    assert read_secret(fresh) != read_secret(secret)
    await tandem("resume", "hook")
    listed = await tandem("list")
    assert listed == "hook  active  at 0  failed 0  dead 0  https://example.com/y\n"
    assert await tandem("dead-letters", "hook") == ""
    wrong = await tandem("resend", "hook", "1", fails=True)
    assert wrong.count("\n") == 1
    assert "webhook_not_found" in wrong
    await tandem("delete", "hook")
    assert await tandem("list") == ""
