"""A ledger in your own process: on the embedded PostgreSQL of a directory, or on any other."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from tandem.ledger.local import LocalLedger
from tandem.ledger.service import LedgerService
from tandem.ledger.signing import KEY_FILE, Signer, ensure_signer, read_signer
from tandem.ledger.storage.postgres import open_store
from tandem.platform.database import migrate
from tandem.platform.embedded import EmbeddedPostgres
from tandem.platform.webhooks.sealing import key_of_directory

_SCHEMES: Final = ("postgresql://", "postgres://")


def now_us() -> int:
    """The wall clock in microseconds since 1970."""
    return time.time_ns() // 1_000


@asynccontextmanager
async def open_service(
    conninfo: str,
    *,
    clock: Callable[[], int] = now_us,
    signer: Signer | None = None,
    webhook_key: bytes | None = None,
    **options: int,
) -> AsyncIterator[LedgerService]:
    """Bring the schema up to date and serve the ledgers of a database. Drains on the way out.

    `webhook_key` (32 bytes) seals the secrets of webhooks; without it none can be made.
    """
    await asyncio.to_thread(migrate, conninfo, "tandem.ledger.storage:migrations", "ledger")
    async with open_store(conninfo, **options) as store:
        service = LedgerService(store, clock, signer, webhook_key)
        try:
            yield service
        finally:
            await service.close()


@asynccontextmanager
async def open_ledger(
    location: str | Path,
    *,
    name: str = "main",
    clock: Callable[[], int] = now_us,
    signing_key: Path | None = None,
) -> AsyncIterator[LocalLedger]:
    """Open a ledger (made where missing) in this process.

    `location` is a directory, which gets an embedded PostgreSQL of its own, or the URL of a
    database: `postgresql://…`. `signing_key` is the file of the key that signs checkpoints; a
    directory has one of its own, a database none.
    """
    async with AsyncExitStack() as stack:
        signer = None if signing_key is None else read_signer(signing_key)
        if _is_url(location):
            conninfo, key = str(location), None
        else:
            server = await stack.enter_async_context(_embedded(location))
            conninfo, key = server.uri("postgres"), key_of_directory(Path(location))
            signer = signer or ensure_signer(Path(location) / KEY_FILE)
        service = await stack.enter_async_context(
            open_service(conninfo, clock=clock, signer=signer, webhook_key=key)
        )
        yield await service.create_ledger(name)


def _embedded(directory: str | Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(Path(directory) / "postgres")


def _is_url(location: str | Path) -> bool:
    return str(location).startswith(_SCHEMES)
