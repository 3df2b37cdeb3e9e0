"""Reads for those who check the rows themselves: everything, in the order of its key, in pages."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.rows import TupleRow

from tandem.ledger.core.merkle import Tile
from tandem.ledger.storage.port import (
    AccountAnnotation,
    Annotation,
    Displaced,
    EntryLines,
    StoredEntry,
    StoredRecord,
)
from tandem.ledger.storage.rows import read_balance

type _Place = tuple[int, int, int]


class PostgresAudit:
    """Reads for verification. Mixed into the reads of the PostgreSQL store."""

    async def _execute(self, name: str, parameters: Mapping[str, Any]) -> list[TupleRow]:
        raise NotImplementedError

    async def stored_records(
        self, ledger_id: int, after: int, limit: int
    ) -> Sequence[StoredRecord]:
        """Records with their columns as stored, in order, for verification."""
        parameters = {"ledger_id": ledger_id, "after": after, "limit": limit}
        return [*map(StoredRecord._make, await self._execute("stored_records", parameters))]

    async def stored_entries(
        self, ledger_id: int, after: _Place, limit: int
    ) -> Sequence[StoredEntry]:
        """Entry rows in order of account, position and leg, for verification."""
        rows = await self._execute("stored_entries", _page(ledger_id, after, limit))
        return [
            StoredEntry(row[0], row[1], row[2], row[3], int(row[4]), read_balance(row[5:9]))
            for row in rows
        ]

    async def entry_lines(
        self, ledger_id: int, after: _Place, limit: int, *, salt: str, position: int
    ) -> EntryLines:
        """The next entry rows in order of account, position and leg, for verification."""
        parameters = _page(ledger_id, after, limit) | {"salt": salt, "position": position}
        rows = await self._execute("entry_lines", parameters)
        if not rows:
            return EntryLines((), None, 0)
        number, at, leg, highest = rows[0][:4]
        accounts = [(row[4], row[5].split("\n")) for row in rows if row[4] is not None]
        return EntryLines(accounts, (number, at, leg), highest)

    async def stored_displaced(
        self, ledger_id: int, after: _Place, limit: int
    ) -> Sequence[Displaced]:
        """Displaced rows in order of account, position and leg, for verification."""
        rows = await self._execute("stored_displaced", _page(ledger_id, after, limit))
        return [Displaced(row[0], row[1], row[2], row[3], row[4], int(row[5])) for row in rows]

    async def stored_tiles(
        self, ledger_id: int, after: tuple[int, int], limit: int
    ) -> Sequence[Tile]:
        """Full tiles in order of level and index, for verification."""
        level, tile_index = after
        parameters = {
            "ledger_id": ledger_id,
            "level": level,
            "tile_index": tile_index,
            "limit": limit,
        }
        rows = await self._execute("stored_tiles", parameters)
        return [Tile(row[0], row[1], bytes(row[2])) for row in rows]

    async def stored_assets(
        self, ledger_id: int, after: str, limit: int
    ) -> Sequence[tuple[str, int]]:
        """Assets' codes and scales in order of code, for verification."""
        parameters = {"ledger_id": ledger_id, "code": after, "limit": limit}
        return [(row[0], row[1]) for row in await self._execute("stored_assets", parameters)]

    async def stored_annotations(
        self, ledger_id: int, after: Annotation, limit: int
    ) -> Sequence[Annotation]:
        """Annotations in order of term and position, for verification."""
        parameters = {
            "ledger_id": ledger_id,
            "term": after.term,
            "seq": after.position,
            "limit": limit,
        }
        rows = await self._execute("stored_annotations", parameters)
        return [Annotation(row[0].hex, row[1]) for row in rows]

    async def stored_account_annotations(
        self, ledger_id: int, after: AccountAnnotation, limit: int
    ) -> Sequence[AccountAnnotation]:
        """Annotations of accounts in order of term and address, for verification."""
        parameters = {
            "ledger_id": ledger_id,
            "term": after.term,
            "address": after.address,
            "limit": limit,
        }
        rows = await self._execute("stored_account_annotations", parameters)
        return [AccountAnnotation(row[0].hex, row[1], row[2]) for row in rows]


def _page(ledger_id: int, after: _Place, limit: int) -> dict[str, Any]:
    number, position, leg = after
    return {
        "ledger_id": ledger_id,
        "account_no": number,
        "seq": position,
        "leg": leg,
        "limit": limit,
    }
