"""Verification of a ledger in its store: the records' bytes first, then every row against them."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from tandem.ledger.audit.findings import MAX_FAULTS, Findings
from tandem.ledger.audit.locating import locate
from tandem.ledger.audit.log import LogWalk
from tandem.ledger.audit.rows import Rows
from tandem.ledger.core.checkpoint import Checkpoint, origin_of
from tandem.ledger.storage.port import Head, LedgerStore, StoredRecord

PAGE_RECORDS: Final = 2_000
# As many are taken in before others have a turn, who may be served by the same process.
_TURN_RECORDS: Final = 200
_BEFORE_ALL: Final = -(2**63)

type Progress = Callable[[int, int], None]


async def verify(
    store: LedgerStore,
    head: Head,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> Findings:
    """Recompute every invariant up to a head. `progress` is told (records done, records in all).

    `checkpoint` is one that was signed earlier: the log has to begin with what it signed.
    """
    salt = secrets.token_hex(16)
    walk = LogWalk({} if checkpoint is None else {checkpoint.size: checkpoint.root}, salt)
    rows = Rows(store, head, walk, salt)
    async with _beside(rows.read_entries()) as entries:
        await _walk_records(store, head, walk, progress)
        await entries
    for position in sorted(walk.ties.reversed):
        for body in await store.bodies(head.ledger_id, position - 1, 1):
            walk.check_original(body, position)
    walk.finish()
    _check_head(walk, head)
    if checkpoint is not None and checkpoint.origin != origin_of(head.name):
        walk.faults.add(f"checkpoint: it is of {checkpoint.origin}")
    await rows.check_tiles()
    await _check_entries(store, head, walk, rows)
    await rows.check_displaced()
    await rows.check_accounts()
    await _check_annotations(store, head, walk, rows)
    await rows.check_strays()
    return Findings(
        walk.position, walk.entries, len(walk.books), walk.tree.root(), tuple(walk.faults)
    )


@asynccontextmanager
async def _beside[T](work: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    """Let work go on beside a block, and end it with the block."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _walk_records(
    store: LedgerStore, head: Head, walk: LogWalk, progress: Progress | None
) -> None:
    page = await store.stored_records(head.ledger_id, _BEFORE_ALL, PAGE_RECORDS)
    while page:
        last = page[-1].position
        if last >= head.position:
            await _take_page(page, head, walk, progress)
            break
        # The next page is on its way while this one is looked at.
        following = store.stored_records(head.ledger_id, last, PAGE_RECORDS)
        async with _beside(following) as coming:
            await _take_page(page, head, walk, progress)
            page = await coming
    if walk.position < head.position:
        walk.fault(walk.position + 1, "it is missing")


async def _take_page(
    page: Sequence[StoredRecord], head: Head, walk: LogWalk, progress: Progress | None
) -> None:
    for count, stored in enumerate(page):
        if stored.position > head.position:
            break
        if count % _TURN_RECORDS == 0:
            await asyncio.sleep(0)
        said = walk.take(stored.body, stored.position)
        if said is not None and said != stored[:6]:
            walk.fault(stored.position, "its columns differ from its bytes")
    walk.tree.grow()
    if progress is not None:
        progress(walk.position, head.position)


def _check_head(walk: LogWalk, head: Head) -> None:
    """Hold the head to the log."""
    if head.position != walk.position:
        walk.faults.add(f"head: the log ends at {walk.position}, the head says {head.position}")
    walk.tree.check_frontier(head.frontier)
    if head.closed_through_us != walk.closed_through_us:
        walk.faults.add("head: what it says is closed is not what the records closed")
    if head.next_account_number != len(walk.books) + 1:
        walk.faults.add("head: its next account number is not the one after the last opened")
    if head.recorded_at_us < walk.recorded_at_us:
        walk.faults.add("head: its time is before that of the last record")


async def _check_entries(store: LedgerStore, head: Head, walk: LogWalk, rows: Rows) -> None:
    suspects: dict[str, int] = {}
    for name in rows.differing_entries()[:MAX_FAULTS]:
        if isinstance(name, str):
            suspects[name] = walk.books[name].account.number
        else:
            walk.faults.add(f"account number {name}: it has entry rows, and no record opened it")
    twins = walk.keys.twins()
    if suspects or twins:
        await locate(store, head, walk.faults, suspects, twins)


async def _check_annotations(store: LedgerStore, head: Head, walk: LogWalk, rows: Rows) -> None:
    for fault in await walk.annotations.faults(store, head):
        walk.faults.add(fault)
    for fault in await walk.annotations.account_faults(store, head):
        walk.faults.add(fault)
    rows.highest["annotation"] = walk.annotations.highest
