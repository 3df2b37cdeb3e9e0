"""The log of the ledger in process: the interface of `api_log` over `LogReader`."""

from tandem.ledger.api_log import BalanceProof, ConsistencyProof, InclusionProof
from tandem.ledger.core import intake
from tandem.ledger.core.limits import DEFAULT_PAGE_SIZE, MAX_POSITION, MAX_TILE_LEVEL
from tandem.ledger.core.merkle import TILE_HASHES
from tandem.ledger.core.proofs import TileNeed
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused
from tandem.ledger.listing import page_size
from tandem.ledger.log_reader import LogReader
from tandem.ledger.reachable import reachable


class LocalLog:
    """Checkpoints, tiles and proofs. Mixed into `LocalLedger`."""

    name: str
    _log: LogReader

    async def verifier_key(self) -> str:
        """The public key that checkpoints are signed by."""
        return str(self._log.signer().verifier_key(self.name))

    @reachable
    async def checkpoint(self) -> str:
        """The log's size and root, signed."""
        return self._log.checkpoint(await self._log.head())

    @reachable
    async def tile(self, level: int, tile_index: int, *, width: int = TILE_HASHES) -> bytes:
        """The first `width` hashes of a tile; 256 for a whole one."""
        need = TileNeed(
            _number(level, "level", 0, MAX_TILE_LEVEL), _tile_index(tile_index), _width(width)
        )
        return await self._log.tile(need, (await self._log.head()).position)

    @reachable
    async def entry_bundle(self, tile_index: int, *, width: int = TILE_HASHES) -> bytes:
        """The canonical bytes of a tile's records, a uint16 of length before each."""
        size = (await self._log.head()).position
        return await self._log.entry_bundle(_tile_index(tile_index), _width(width), size)

    @reachable
    async def canonical_records(
        self, after: int = 0, *, limit: int = DEFAULT_PAGE_SIZE
    ) -> tuple[str, ...]:
        """The canonical texts of the records after a position, in order."""
        first = _number(after, "after", 0, MAX_POSITION)
        return await self._log.canonical_records(first, page_size(limit))

    @reachable
    async def inclusion_proof(
        self, position: int, *, tree_size: int | None = None
    ) -> InclusionProof:
        """Prove that a record is in the log of a size; None is the size that it has now."""
        place = intake.position(position, "position")
        size = await self._size(tree_size, "tree_size")
        return InclusionProof(place, size, await self._log.inclusion(place, size))

    @reachable
    async def consistency_proof(
        self, first_size: int, second_size: int | None = None
    ) -> ConsistencyProof:
        """Prove that the log of the second size (None: now) extends that of the first."""
        second = await self._size(second_size, "second_size")
        first = _number(first_size, "first_size", 0, second)
        return ConsistencyProof(first, second, await self._log.consistency(first, second))

    @reachable
    async def balance_proof(self, account: str) -> BalanceProof:
        """Prove an account's running totals."""
        address = intake.address(account, "account")
        head = await self._log.head()
        checkpoint = self._log.checkpoint(head)
        position, leg, body = await self._log.last_entry(address, head.position)
        hashes = await self._log.inclusion(position, head.position)
        inclusion = InclusionProof(position, head.position, hashes)
        return BalanceProof(address, position, body, inclusion, checkpoint, leg)

    async def _size(self, size: int | None, field: str) -> int:
        most = (await self._log.head()).position
        return most if size is None else _number(size, field, 0, most)


def _number(value: object, field: str, least: int, most: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    detail = f"{field} is a number from {least} to {most}"
    raise Refused(Refusal(RefusalCode.MALFORMED, detail, field))


def _tile_index(value: object) -> int:
    return _number(value, "tile_index", 0, 2**62)


def _width(value: object) -> int:
    return _number(value, "width", 1, TILE_HASHES)
