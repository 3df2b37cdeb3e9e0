"""The log's interface: checkpoints, tiles and proofs, for those who check the books themselves.

Hashes are SHA-256 in hexadecimal. The tree is RFC 9162's; the record at position p is its leaf
p - 1. `tandem.ledger.offline` checks what is returned here, with nothing but the verifier key.
"""

from dataclasses import dataclass
from typing import Protocol

from tandem.ledger.core.limits import DEFAULT_PAGE_SIZE
from tandem.ledger.core.merkle import TILE_HASHES

__all__ = ["BalanceProof", "ConsistencyProof", "InclusionProof", "LogApi"]


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """The audit path of a record in the tree of the first `tree_size` records, lowest first."""

    position: int
    tree_size: int
    hashes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """That the tree of `second_size` records begins with that of `first_size`."""

    first_size: int
    second_size: int
    hashes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BalanceProof:
    """The last record that moved an account, as it is in the log that a checkpoint signs.

    `body` is the record's canonical text, and `leg` counts its entries from 0: that entry says the
    account's running totals. `leg` is None where the account has no entries yet; then the record is
    the one that opened it. That no later record of the log moves the account is not in the proof:
    auditing the whole log shows that.
    """

    account: str
    position: int
    body: str
    inclusion: InclusionProof
    checkpoint: str
    leg: int | None = None


class LogApi(Protocol):
    """A ledger's log as others can check it. Calls raise `Refused`."""

    async def verifier_key(self) -> str:
        """The public key that checkpoints are signed by, as `name+id+base64` (C2SP signed-note).

        Refused `unavailable` where this server has no signing key.
        """
        ...

    async def checkpoint(self) -> str:
        """The log's size and root, signed (C2SP tlog-checkpoint)."""
        ...

    async def tile(self, level: int, tile_index: int, *, width: int = TILE_HASHES) -> bytes:
        """The first `width` hashes of a tile (C2SP tlog-tiles); 256 for a whole one.

        Refused `transaction_not_found` where the log is not as long yet.
        """
        ...

    async def entry_bundle(self, tile_index: int, *, width: int = TILE_HASHES) -> bytes:
        """The canonical bytes of a tile's records, a uint16 of length before each.

        Refused `too_large` where a record has more than 65,535 bytes: take `canonical_records`.
        """
        ...

    async def canonical_records(
        self, after: int = 0, *, limit: int = DEFAULT_PAGE_SIZE
    ) -> tuple[str, ...]:
        """The canonical texts of the records after a position, in order: exactly what is hashed.

        `after` is a position from 0 on, `limit` from 1 to 1,000. At the end of the log there are
        fewer, or none.
        """
        ...

    async def inclusion_proof(
        self, position: int, *, tree_size: int | None = None
    ) -> InclusionProof:
        """Prove that a record is in the log of a size; None is the size that it has now."""
        ...

    async def consistency_proof(
        self, first_size: int, second_size: int | None = None
    ) -> ConsistencyProof:
        """Prove that the log of the second size (None: now) extends that of the first."""
        ...

    async def balance_proof(self, account: str) -> BalanceProof:
        """Prove an account's running totals."""
        ...
