"""What a ledger says of its log, an outsider can check: through every door, with the key alone."""

from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import pytest
from tests.support.clock import VirtualClock
from tests.support.doors import (
    USUAL_RECORDS,
    Wire,
    account,
    code_of,
    fresh_name,
    fund,
    head,
    open_accounts,
    open_usual,
    refused,
)

from tandem.ledger import api, commands, offline
from tandem.ledger.core.merkle import EMPTY_ROOT, Tree, leaf_hash, tile_root
from tandem.ledger.core.proofs import ProofError
from tandem.ledger.core.tile_paths import read_bundle
from tandem.ledger.local import LocalLedger
from tandem.ledger.service import LedgerService
from tandem.ledger.storage.memory import MemoryStore

pytestmark = pytest.mark.anyio


async def _bodies(ledger: api.Ledger) -> list[bytes]:
    """All records' canonical bytes, by way of their bundles."""
    size, bodies = await head(ledger), list[bytes]()
    while len(bodies) < size:
        index, rest = divmod(len(bodies), 256)
        assert rest == 0
        width = min(256, size - len(bodies))
        bodies += read_bundle(await ledger.entry_bundle(index, width=width))
    return bodies


async def _grow(ledger: api.Ledger, transfers: int) -> None:
    moves = [
        commands.transfer(
            debit_account="cash",
            credit_account=f"wallets:{'ab'[number % 2]}",
            amount_minor=number + 1,
            idempotency_key=f"move-{number}",
        )
        for number in range(transfers)
    ]
    receipts = await ledger.submit_batch(moves)
    assert all(receipt.refusal is None for receipt in receipts)


async def test_a_checkpoint_signs_what_the_records_hash_to(ledger: api.Ledger) -> None:
    """Its size and root are those of the records' bytes, over whole tiles and a part of one."""
    key = await ledger.verifier_key()
    await _grow(ledger, 600)
    signed = offline.verify_checkpoint(await ledger.checkpoint(), key)
    leaves = [leaf_hash(body) for body in await _bodies(ledger)]
    tree = Tree()
    tree.extend(leaves)
    assert signed[1:] == (len(leaves), tree.root())
    assert signed.size == USUAL_RECORDS + 600
    assert signed.root.hex() == (await ledger.verify()).root
    assert key.startswith(f"{signed.origin}+")
    assert await ledger.tile(0, 1) == b"".join(leaves[256:512])
    assert await ledger.tile(0, 2, width=7) == b"".join(leaves[512:519])
    assert await ledger.tile(0, 0, width=3) == b"".join(leaves[:3])
    roots = [tile_root(b"".join(leaves[start : start + 256])) for start in (0, 256)]
    assert await ledger.tile(1, 0, width=2) == b"".join(roots)
    assert await ledger.tile(1, 0, width=1) == roots[0]


async def test_every_record_is_in_the_log(ledger: api.Ledger) -> None:
    """Each has a proof under the checkpoint; another record's text does not fit it."""
    key = await ledger.verifier_key()
    await _grow(ledger, 280)
    note = await ledger.checkpoint()
    bodies = [body.decode() for body in await _bodies(ledger)]
    for position in (1, 2, 100, 255, 256, 257, len(bodies)):
        proof = await ledger.inclusion_proof(position)
        offline.verify_inclusion(bodies[position - 1], proof, note, key)
        for wrong in (
            bodies[position - 2],
            bodies[position - 1].replace("1", "2", 1),
            "",
            "\ud800",
        ):
            with pytest.raises(ProofError):
                offline.verify_inclusion(wrong, proof, note, key)
        other = replace(proof, position=position % len(bodies) + 1)
        with pytest.raises(ProofError):
            offline.verify_inclusion(bodies[position - 1], other, note, key)
    early = await ledger.inclusion_proof(2, tree_size=5)
    assert early.tree_size == 5
    with pytest.raises(ProofError, match="not for"):
        offline.verify_inclusion(bodies[1], early, note, key)


async def test_the_log_only_grows(ledger: api.Ledger) -> None:
    """Every checkpoint that was given out is the beginning of every later one."""
    key = await ledger.verifier_key()
    notes = [await ledger.checkpoint()]
    for number in range(4):
        await fund(ledger, "wallets:a", 1, f"one-{number}")
        notes.append(await ledger.checkpoint())
    await _grow(ledger, 300)
    notes.append(await ledger.checkpoint())
    sizes = [offline.verify_checkpoint(note, key).size for note in notes]
    for older, first in zip(notes, sizes, strict=True):
        for newer, second in zip(notes, sizes, strict=True):
            if first <= second:
                proof = await ledger.consistency_proof(first, second)
                offline.verify_consistency(older, newer, proof, key)
    proof = await ledger.consistency_proof(sizes[0])
    assert (proof.first_size, proof.second_size) == (sizes[0], sizes[-1])
    for wrong in (
        replace(proof, hashes=proof.hashes[:-1]),
        replace(proof, hashes=("00" * 32, *proof.hashes[1:])),
        replace(proof, hashes=("xx", *proof.hashes[1:])),
        replace(proof, first_size=sizes[1]),
    ):
        with pytest.raises(ProofError):
            offline.verify_consistency(notes[0], notes[-1], wrong, key)


async def test_a_balance_is_proven(ledger: api.Ledger) -> None:
    """The proof gives the totals that the ledger says, for an account that moved or never did."""
    key = await ledger.verifier_key()
    await fund(ledger, "wallets:a", 700)
    hold = await ledger.hold(
        [api.debit("wallets:a", 100), api.credit("wallets:b", 100)], idempotency_key="hold"
    )
    await ledger.capture(hold.position, amount_minor=40, idempotency_key="capture")
    await open_accounts(ledger, [account("wallets:new")])
    for address in ("cash", "wallets:a", "wallets:b", "wallets:new"):
        proof = await ledger.balance_proof(address)
        proven = offline.verify_balance(proof, key)
        said = await ledger.balance(address)
        assert proven == (
            address,
            proof.position,
            said.posted_debits_minor,
            said.posted_credits_minor,
            said.pending_debits_minor,
            said.pending_credits_minor,
        )
    assert (proof.leg, proof.position) == (None, await head(ledger))


async def test_the_last_entry_of_a_record_counts(ledger: api.Ledger) -> None:
    """Where a transaction moves an account more than once, the totals are those at its end."""
    key = await ledger.verifier_key()
    await ledger.post_transaction(
        [api.debit("cash", 5), api.credit("wallets:a", 5), api.debit("cash", 3),
         api.credit("wallets:b", 3)],
        idempotency_key="k",
    )  # fmt: skip
    proof = await ledger.balance_proof("cash")
    assert proof.leg == 2
    assert offline.verify_balance(proof, key).posted_debits_minor == 8
    for leg in (0, 1, 3, 4, -1, None):
        with pytest.raises(ProofError):
            offline.verify_balance(replace(proof, leg=leg), key)


async def test_a_bent_balance_proof_proves_nothing(ledger: api.Ledger) -> None:
    """Another account, body, position, path or checkpoint, or somebody else's key: refused."""
    key = await ledger.verifier_key()
    await fund(ledger, "wallets:a", 700)
    old = await ledger.checkpoint()
    await fund(ledger, "wallets:b", 5)
    proof, other = await ledger.balance_proof("wallets:a"), await ledger.balance_proof("wallets:b")
    for bent in (
        replace(proof, account="wallets:b"),
        replace(proof, body=proof.body.replace("700", "900")),
        replace(proof, position=proof.position + 1),
        replace(proof, inclusion=other.inclusion),
        replace(proof, body=other.body),
        replace(proof, checkpoint=old),
        replace(proof, checkpoint=proof.checkpoint.replace("\n5\n", "\n6\n")),
        replace(proof, checkpoint=""),
    ):
        if bent != proof:
            with pytest.raises(ProofError):
                offline.verify_balance(bent, key)
    flipped = ("1" if key[-1] != "1" else "2") + key[1:]
    for wrong in (flipped, "", key.replace("tandem.ledger/", "tandem.ledger/x")):
        with pytest.raises(ProofError):
            offline.verify_balance(proof, wrong)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda one: one.tile(8, 0), "malformed"),
        (lambda one: one.tile(-1, 0), "malformed"),
        (lambda one: one.tile(0, -1), "malformed"),
        (lambda one: one.tile(0, 0, width=0), "malformed"),
        (lambda one: one.tile(0, 0, width=257), "malformed"),
        (lambda one: one.tile(0, 0), "transaction_not_found"),
        (lambda one: one.tile(0, 0, width=USUAL_RECORDS + 1), "transaction_not_found"),
        (lambda one: one.tile(1, 0, width=1), "transaction_not_found"),
        (lambda one: one.tile(7, 1_000_000, width=1), "transaction_not_found"),
        (lambda one: one.entry_bundle(0), "transaction_not_found"),
        (lambda one: one.entry_bundle(1, width=1), "transaction_not_found"),
        (lambda one: one.inclusion_proof(0), "malformed"),
        (lambda one: one.inclusion_proof(USUAL_RECORDS + 1), "transaction_not_found"),
        (lambda one: one.inclusion_proof(2, tree_size=1), "transaction_not_found"),
        (lambda one: one.inclusion_proof(1, tree_size=USUAL_RECORDS + 1), "malformed"),
        (lambda one: one.inclusion_proof(1, tree_size=-1), "malformed"),
        (lambda one: one.consistency_proof(2, 1), "malformed"),
        (lambda one: one.consistency_proof(1, USUAL_RECORDS + 1), "malformed"),
        (lambda one: one.consistency_proof(-1), "malformed"),
        (lambda one: one.balance_proof("nobody"), "account_not_found"),
        (lambda one: one.balance_proof("no:"), "malformed"),
    ],
)
async def test_what_is_not_there_is_refused(
    shared_ledger: api.Ledger, call: Any, code: str
) -> None:
    """Tiles, sizes and positions that the log does not have."""
    read: Awaitable[Any] = call(shared_ledger)
    assert (await refused(read)).code == code


@pytest.mark.parametrize("path", [
    "0/0", "0/00", "0/0000", "0/x000/001", "0/001.p/0", "0/000.p/256", "0/000.p/01", "0/000.p",
    "0/000.p/", "0/x001", "00/000", "x/000", "8/000", "-1/000", "entries/0", "entries/000.p/999",
    "0/\u0660\u0660\u0660",
])  # fmt: skip
async def test_a_tile_has_one_name(shared_wire: Wire, path: str) -> None:
    """What is written in any other way than C2SP's is malformed."""
    answer = await shared_wire.get(f"/log/tile/{path}")
    assert code_of(answer) == "malformed"


async def test_tiles_may_be_kept(shared_wire: Wire) -> None:
    """They never change, and a checkpoint does."""
    tile = await shared_wire.get("/log/tile/0/000.p/3")
    assert (len(tile.content), tile.headers["content-type"]) == (96, "application/octet-stream")
    assert "immutable" in tile.headers["cache-control"]
    checkpoint = await shared_wire.get("/log/checkpoint")
    assert checkpoint.headers["content-type"] == "text/plain; charset=utf-8"
    assert checkpoint.headers["cache-control"] == "no-cache"


async def test_a_record_too_long_for_a_bundle(timed: LocalLedger) -> None:
    """Two bytes cannot say its length: its bundle is refused, its hash and its proof are not."""
    addresses = [f"{'long' * 29}:{number}" for number in range(500)]
    await open_accounts(timed, [account(address) for address in addresses])
    entries = [
        entry
        for address in addresses
        for entry in (api.debit("cash", 10**18), api.credit(address, 10**18))
    ]
    long = await timed.post_transaction(entries, idempotency_key="long")
    index, width = divmod(long.position, 256)
    assert (await refused(timed.entry_bundle(index, width=width))).code == "too_large"
    assert len(await timed.tile(0, index, width=width)) == 32 * width
    proof = await timed.balance_proof(addresses[-1])
    assert offline.verify_balance(proof, await timed.verifier_key()).posted_credits_minor == 10**18


async def test_an_empty_log_is_signed_too(clock: VirtualClock) -> None:
    """Its root is that of nothing; without a key there is no checkpoint, and everything else is."""
    service = LedgerService(MemoryStore(clock), clock)
    try:
        ledger = await service.create_ledger(fresh_name())
        assert (await refused(ledger.checkpoint())).code == "unavailable"
        assert (await refused(ledger.verifier_key())).code == "unavailable"
        await open_usual(ledger)
        assert len((await ledger.inclusion_proof(1)).hashes) == 2
    finally:
        await service.close()


async def test_the_root_of_nothing(timed: LocalLedger, clock: VirtualClock) -> None:
    """A ledger without a record has a checkpoint, which every other one extends."""
    service = LedgerService(MemoryStore(clock), clock, timed._log.signer())
    try:
        ledger = await service.create_ledger(fresh_name())
        key, note = await ledger.verifier_key(), await ledger.checkpoint()
        assert offline.verify_checkpoint(note, key)[1:] == (0, EMPTY_ROOT)
        await open_usual(ledger)
        proof = await ledger.consistency_proof(0)
        offline.verify_consistency(note, await ledger.checkpoint(), proof, key)
    finally:
        await service.close()
