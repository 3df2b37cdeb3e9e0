"""A log as one file: written through every door, audited with the public key alone."""

import asyncio
import io
import json

import pytest
from tests.support.bundles import bundle_of, grow
from tests.support.clock import VirtualClock
from tests.support.doors import account, fund, head, in_process, open_accounts, open_usual, refused

from tandem.ledger import api, commands, offline
from tandem.ledger.audit.bundle import audit_bundle
from tandem.ledger.core.proofs import ProofError
from tandem.ledger.local import LocalLedger
from tandem.ledger.storage.memory import MemoryStore

pytestmark = pytest.mark.anyio


async def test_a_bundle_is_the_whole_log(ledger: api.Ledger) -> None:
    """Its lines are the records as hashed; an audit of it finds what verification finds."""
    await grow(ledger, 400)
    key = await ledger.verifier_key()
    bundle = await bundle_of(ledger)
    header, *lines, last = bundle.decode().split("\n")
    assert last == ""
    assert lines == [
        text
        for after in range(0, await head(ledger), 150)
        for text in await ledger.canonical_records(after, limit=150)
    ]
    signed = offline.verify_checkpoint(json.loads(header)["checkpoint"], key)
    found = audit_bundle(io.BytesIO(bundle), key)
    verified = await ledger.verify()
    assert (found.faults, verified.faults) == ((), ())
    assert found.root == signed.root == bytes.fromhex(verified.root)
    assert found[:3] == (verified.records, verified.entries, verified.accounts)


async def test_a_kept_checkpoint_is_held_against_a_later_bundle(ledger: api.Ledger) -> None:
    """The log has to begin with what was signed before; another ledger's checkpoint is refused."""
    key = await ledger.verifier_key()
    kept = await ledger.checkpoint()
    await grow(ledger, 10)
    bundle = await bundle_of(ledger)
    assert audit_bundle(io.BytesIO(bundle), key, kept).faults == ()
    assert audit_bundle(io.BytesIO(bundle), key, await ledger.checkpoint()).faults == ()
    with pytest.raises(ProofError):
        audit_bundle(io.BytesIO(bundle), key, kept.replace("tandem.ledger/", "other.ledger/"))


async def test_a_second_history_is_found_out(clock: VirtualClock) -> None:
    """Whoever signs two logs of one name is caught by one checkpoint of the other."""
    bundles, notes, key = [], [], ""
    for paid in ("wallets:a", "wallets:b"):
        async with in_process(MemoryStore(clock), clock, "twice") as ledger:
            await open_usual(ledger)
            await fund(ledger, paid, 5, "fund")
            notes.append(await ledger.checkpoint())
            await fund(ledger, paid, 6, "more")
            bundles.append(await bundle_of(ledger))
            notes.append(await ledger.checkpoint())
            key = await ledger.verifier_key()
    other, later = notes[2:]
    found = audit_bundle(io.BytesIO(bundles[0]), key, other)
    assert found.faults == ("checkpoint: the first 4 records are not those that it signed",)
    with pytest.raises(ProofError, match="two checkpoints of 5 records"):
        audit_bundle(io.BytesIO(bundles[0]), key, later)


@pytest.mark.parametrize(
    ("after", "limit", "field"),
    [(-1, 5, "after"), (2**63, 5, "after"), (0, 0, "limit"), (0, 1_001, "limit")],
)
async def test_a_page_of_the_log_is_bounded(
    ledger: api.Ledger, after: int, limit: int, field: str
) -> None:
    """What is asked beyond the bounds is refused; beyond the end there is nothing."""
    refusal = await refused(ledger.canonical_records(after, limit=limit))
    assert (refusal.code, refusal.field) == ("malformed", field)
    assert await ledger.canonical_records(10_000) == ()


async def test_verification_is_of_any_ledger_door(ledger: api.Ledger) -> None:
    """A ledger in process can be told a checkpoint to hold itself to."""
    if isinstance(ledger, LocalLedger):
        key = await ledger.verifier_key()
        kept = offline.verify_checkpoint(await ledger.checkpoint(), key)
        await grow(ledger, 3)
        assert (await ledger.verify(checkpoint=kept)).holds


async def test_verification_holds_while_others_write(ledger: api.Ledger) -> None:
    """What is written meanwhile is neither missing nor too much; accounts are opened meanwhile."""

    async def write() -> None:
        for number in range(12):
            await open_accounts(ledger, [account(f"late:{number}", asset=f"X{number}/0")])
            moves = [
                commands.transfer(
                    debit_account="cash",
                    credit_account="wallets:a",
                    amount_minor=1,
                    metadata={"round": str(number)},
                    idempotency_key=f"{number}-{one}",
                )
                for one in range(50)
            ]
            await ledger.submit_batch(moves)

    writing = asyncio.create_task(write())
    while not writing.done():
        assert (await ledger.verify()).faults == ()
    await writing
    assert (await ledger.verify()).records == await head(ledger)
