"""Reads of the PostgreSQL store by effective time: corrections, statements."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.rows import TupleRow

from tandem.ledger.storage.port import StatementRow, StatementSpan, Window


class PostgresTimes:
    """What the store knows of effective times."""

    async def _execute(self, name: str, parameters: Mapping[str, Any]) -> list[TupleRow]:
        raise NotImplementedError

    async def displacement(self, ledger_id: int, address: str, window: Window) -> tuple[int, int]:
        """What displaced entries add to an account's posted debits and credits at `middle`."""
        parameters = {"ledger_id": ledger_id, "address": address, **window._asdict()}
        ((debits, credits_),) = await self._execute("displacement", parameters)
        return int(debits), int(credits_)

    async def displaced_totals(
        self, ledger_id: int, window: Window
    ) -> Mapping[str, tuple[int, int]]:
        """The same for all accounts, per asset; an asset without any is absent."""
        parameters = {"ledger_id": ledger_id, **window._asdict()}
        rows = await self._execute("displaced_totals", parameters)
        return {asset: (int(debits), int(credits_)) for asset, debits, credits_ in rows}

    async def statement(
        self,
        ledger_id: int,
        address: str,
        span: StatementSpan,
        after: tuple[int, int, int],
        limit: int,
    ) -> Sequence[StatementRow]:
        """Posted entries of an account after a place, in order of effective time or position."""
        parameters = {
            "ledger_id": ledger_id,
            "address": address,
            "after_us": after[0],
            "after_seq": after[1],
            "after_leg": after[2],
            "limit": limit,
            **span._asdict(),
        }
        name = "statement_effective" if span.by_effective else "statement_recorded"
        return [
            StatementRow(row[0], row[1], row[2], row[3], row[4], row[5], int(row[6]))
            for row in await self._execute(name, parameters)
        ]
