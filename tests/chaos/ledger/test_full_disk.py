"""A disk that is really full: nothing half-written, and with room again each key has one effect."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.support.ledger import Journal, audit, open_books, read_log

from tandem.ledger import commands
from tandem.ledger.api import Receipt, RefusalCode
from tandem.ledger.core.commands import SingleCommand
from tandem.ledger.embedded import open_service
from tandem.ledger.local import LocalLedger
from tandem.platform.embedded import EmbeddedPostgres

pytestmark = pytest.mark.anyio

DISK_MB: Final = 192
TRANSFERS: Final = 1_500
TIMEOUT_S: Final = 120.0
_SMALL: Final = {"max_wal_size": "64MB", "min_wal_size": "32MB", "shared_buffers": "16MB"}
_CHUNK: Final = b"\0" * 65_536


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with little room, which only root may make."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    directory = tmp_path / "disk"
    directory.mkdir()
    options = f"size={DISK_MB}m,mode=777"
    if mount is None or umount is None:
        pytest.skip("no mount here")
    made = subprocess.run(
        [mount, "-t", "tmpfs", "-o", options, "tmpfs", str(directory)],
        check=False,
        capture_output=True,
    )
    if made.returncode != 0:
        pytest.skip("a small file system cannot be made here; it takes root")
    try:
        yield directory
    finally:
        subprocess.run([umount, str(directory)], check=True)


def _fill(path: Path) -> None:
    """Write zeros until there is no room for one byte more."""
    with path.open("wb", buffering=0) as file:
        for chunk in (_CHUNK, b"\0"):
            try:
                while file.write(chunk) == len(chunk):
                    pass
            except OSError:
                continue


def _transfers() -> list[SingleCommand]:
    return [
        commands.transfer(
            debit_account="cash",
            credit_account=f"wallets:{number % 10}",
            amount_minor=1,
            metadata={"padding": "x" * 500},
            idempotency_key=f"full-{number}",
        )
        for number in range(TRANSFERS)
    ]


def _codes(receipts: list[Receipt]) -> set[RefusalCode | None]:
    return {None if one.refusal is None else one.refusal.code for one in receipts}


async def test_a_full_disk(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes are `unavailable` and reads go on; with room again the same keys find one effect."""
    monkeypatch.setattr("tandem.ledger.writer.RETRY_PAUSE_MS", 1)
    filler = small_disk / "filler"
    with EmbeddedPostgres(small_disk / "postgres", settings=_SMALL) as server:
        async with asyncio.timeout(TIMEOUT_S), open_service(server.uri("postgres")) as service:
            ledger = await service.create_ledger("main")
            await open_books(ledger)
            before = await read_log(ledger)
            await asyncio.to_thread(_fill, filler)
            assert _codes(await ledger.submit_batch(_transfers())) == {RefusalCode.UNAVAILABLE}
            assert await read_log(ledger) == before
            filler.unlink()
            await _check_one_effect(ledger, len(before))


async def _check_one_effect(ledger: LocalLedger, before: int) -> None:
    receipts = await ledger.submit_batch(_transfers())
    assert _codes(receipts) == {None}
    assert [one.position for one in receipts] == list(range(before + 1, before + TRANSFERS + 1))
    again = await ledger.submit_batch(_transfers())
    assert [one.position for one in again] == [one.position for one in receipts]
    assert all(one.replayed for one in again)
    await audit(ledger, Journal())
