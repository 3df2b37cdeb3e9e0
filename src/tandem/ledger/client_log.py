"""The log over HTTP: the interface of `api_log`, mixed into `LedgerClient`."""

from typing import Any, Final, Protocol

import httpx2
from pydantic import TypeAdapter

from tandem.ledger.api_log import BalanceProof, ConsistencyProof, InclusionProof
from tandem.ledger.core import intake
from tandem.ledger.core.limits import DEFAULT_PAGE_SIZE
from tandem.ledger.core.merkle import TILE_HASHES
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused
from tandem.ledger.core.tile_paths import tile_path
from tandem.ledger.wire import present

_INCLUSION: Final = TypeAdapter(InclusionProof)
_CONSISTENCY: Final = TypeAdapter(ConsistencyProof)
_BALANCE_PROOF: Final = TypeAdapter(BalanceProof)


class _Sends(Protocol):
    async def _get(self, path: str, query: dict[str, Any]) -> httpx2.Response: ...


class ClientLog:
    """Checkpoints, tiles and proofs."""

    async def verifier_key(self: _Sends) -> str:
        """The public key that checkpoints are signed by."""
        return (await self._get("/log/key", {})).text.rstrip("\n")

    async def checkpoint(self: _Sends) -> str:
        """The log's size and root, signed."""
        return (await self._get("/log/checkpoint", {})).text

    async def tile(self: _Sends, level: int, tile_index: int, *, width: int = TILE_HASHES) -> bytes:
        """The first `width` hashes of a tile; 256 for a whole one."""
        path = tile_path(_natural(tile_index, "tile_index"), _natural(width, "width"))
        return (await self._get(f"/log/tile/{_natural(level, 'level')}/{path}", {})).content

    async def entry_bundle(self: _Sends, tile_index: int, *, width: int = TILE_HASHES) -> bytes:
        """The canonical bytes of a tile's records, a uint16 of length before each."""
        path = tile_path(_natural(tile_index, "tile_index"), _natural(width, "width"))
        return (await self._get(f"/log/tile/entries/{path}", {})).content

    async def canonical_records(
        self: _Sends, after: int = 0, *, limit: int = DEFAULT_PAGE_SIZE
    ) -> tuple[str, ...]:
        """The canonical texts of the records after a position, in order."""
        query = present(after=_natural(after, "after"), limit=limit)
        # Not splitlines: a text may hold what ends a line elsewhere.
        return tuple((await self._get("/log/records", query)).text.split("\n")[:-1])

    async def inclusion_proof(
        self: _Sends, position: int, *, tree_size: int | None = None
    ) -> InclusionProof:
        """Prove that a record is in the log of a size; None is the size that it has now."""
        query = present(position=intake.position(position, "position"), tree_size=tree_size)
        return _INCLUSION.validate_json((await self._get("/log/proof/inclusion", query)).content)

    async def consistency_proof(
        self: _Sends, first_size: int, second_size: int | None = None
    ) -> ConsistencyProof:
        """Prove that the log of the second size (None: now) extends that of the first."""
        query = present(first_size=first_size, second_size=second_size)
        answer = await self._get("/log/proof/consistency", query)
        return _CONSISTENCY.validate_json(answer.content)

    async def balance_proof(self: _Sends, account: str) -> BalanceProof:
        """Prove an account's running totals."""
        path = f"/accounts/{intake.address(account, 'account')}/balance/proof"
        return _BALANCE_PROOF.validate_json((await self._get(path, {})).content)


def _natural(value: object, field: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise Refused(Refusal(RefusalCode.MALFORMED, f"{field} is a number from 0 on", field))
