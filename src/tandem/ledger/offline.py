"""Checking what a ledger says, with nothing but its verifier key: no server and no database.

Get the verifier key once, from somebody trusted (`tandem ledger key`), and keep the checkpoints
that you were given: a log that is not an extension of one of them has been rewritten.
"""

from typing import NamedTuple

from tandem.ledger.api_log import BalanceProof, ConsistencyProof, InclusionProof
from tandem.ledger.core.canonical import decode, encode
from tandem.ledger.core.checkpoint import Checkpoint, NoteError, parse_verifier_key
from tandem.ledger.core.kinds import RecordKind
from tandem.ledger.core.merkle import leaf_hash
from tandem.ledger.core.proofs import ProofError, check_consistency, check_inclusion
from tandem.ledger.core.records import ZERO, Balance, Record
from tandem.ledger.signing import open_checkpoint

__all__ = [
    "Checkpoint",
    "ProofError",
    "ProvenBalance",
    "verify_balance",
    "verify_checkpoint",
    "verify_consistency",
    "verify_inclusion",
]


class ProvenBalance(NamedTuple):
    """An account's running totals just after a record, in minor units; holds count until ended."""

    account: str
    position: int
    posted_debits_minor: int
    posted_credits_minor: int
    pending_debits_minor: int
    pending_credits_minor: int


def verify_checkpoint(note: str, key: str) -> Checkpoint:
    """Read a checkpoint that the key signed. Raises ProofError."""
    try:
        return open_checkpoint(note, parse_verifier_key(key))
    except NoteError as error:
        raise ProofError(str(error)) from error


def verify_inclusion(body: str, proof: InclusionProof, checkpoint: str, key: str) -> None:
    """Check that a record's canonical text is in the log at its position. Raises ProofError."""
    signed = verify_checkpoint(checkpoint, key)
    if proof.tree_size != signed.size:
        raise ProofError(f"the proof is for {proof.tree_size} records, not for {signed.size}")
    path = _unhexed(proof.hashes)
    leaf = leaf_hash(_encoded(body))
    check_inclusion(leaf, proof.position - 1, signed.size, path, signed.root)
    if _read(body).position != proof.position:
        raise ProofError("the record says another position")


def verify_consistency(older: str, newer: str, proof: ConsistencyProof, key: str) -> None:
    """Check that the log of a newer checkpoint extends that of an older one. Raises ProofError."""
    first, second = verify_checkpoint(older, key), verify_checkpoint(newer, key)
    if (proof.first_size, proof.second_size) != (first.size, second.size):
        raise ProofError("the proof is for other sizes")
    path = _unhexed(proof.hashes)
    check_consistency(first.size, first.root, second.size, second.root, path)


def verify_balance(proof: BalanceProof, key: str) -> ProvenBalance:
    """Check a proof of an account's totals and give them. Raises ProofError."""
    verify_inclusion(proof.body, proof.inclusion, proof.checkpoint, key)
    record = _read(proof.body)
    if record.position != proof.position:
        raise ProofError("the record says another position")
    return ProvenBalance(proof.account, proof.position, *_totals(record, proof))


def _totals(record: Record, proof: BalanceProof) -> Balance:
    leg = proof.leg
    if leg is None:
        opened = record.account
        if record.kind is RecordKind.OPEN_ACCOUNT and opened and opened.address == proof.account:
            return ZERO
        raise ProofError("the record does not open the account")
    legs = [at for at, entry in enumerate(record.entries) if entry.address == proof.account]
    if not legs or leg != legs[-1]:
        raise ProofError("the record's last entry of the account is another one")
    return record.entries[leg].balance


def _read(body: str) -> Record:
    try:
        record = decode(body)
        canonical = encode(record) == body
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        raise ProofError("the bytes are no record") from None
    if not canonical:
        raise ProofError("the record is not written canonically")
    return record


def _encoded(body: str) -> bytes:
    try:
        return body.encode()
    except UnicodeEncodeError:
        raise ProofError("the record is no text") from None


def _unhexed(hashes: tuple[str, ...]) -> list[bytes]:
    try:
        return [bytes.fromhex(one) for one in hashes]
    except ValueError:
        raise ProofError("a hash is written in hexadecimal") from None
