"""The webhooks' store in PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.rows import TupleRow

from tandem.ledger.storage.postgres_reads import reading
from tandem.ledger.storage.queries import query
from tandem.ledger.storage.webhooks import Due, Letter, Subscription
from tandem.platform.database import Pool


class PostgresWebhooks:
    """Subscriptions and dead letters; each call is one statement."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def _execute(self, name: str, parameters: Mapping[str, Any]) -> list[TupleRow]:
        async with reading(self._pool) as connection:
            cursor = await connection.execute(query(f"webhook_{name}"), parameters)
            return [] if cursor.description is None else await cursor.fetchall()

    async def put(self, fresh: Subscription, count_max: int) -> Subscription | None:
        """Make a subscription, or change the one there; None where there are too many."""
        parameters = _parameters(fresh) | {"count_max": count_max}
        rows = await self._execute("put", parameters)
        return _subscription(rows[0]) if rows else None

    async def get(self, ledger_id: int, name: str) -> Subscription | None:
        """Read a subscription."""
        rows = await self._execute("get", {"ledger_id": ledger_id, "name": name})
        return _subscription(rows[0]) if rows else None

    async def all(self, ledger_id: int) -> Sequence[tuple[Subscription, int]]:
        """Every subscription of a ledger by name, and how many dead letters it has."""
        rows = await self._execute("all", {"ledger_id": ledger_id})
        return [(_subscription(row), row[12]) for row in rows]

    async def delete(self, ledger_id: int, name: str) -> None:
        """Delete a subscription and its dead letters."""
        await self._execute("delete", {"ledger_id": ledger_id, "name": name})

    async def change_secrets(self, ledger_id: int, name: str, secrets: Sequence[bytes]) -> None:
        """Replace the sealed secrets."""
        parameters = {"ledger_id": ledger_id, "name": name, "secrets": list(secrets)}
        await self._execute("change_secrets", parameters)

    async def settle(
        self, before: Subscription, after: Subscription, letter: Letter | None = None
    ) -> bool:
        """Move a subscription on, with a dead letter if there is one, if it is still `before`."""
        parameters = _parameters(after) | {
            "before_created_at_us": before.created_at_us,
            "before_position": before.position,
            "before_attempts": before.attempts,
            "letter_position": None if letter is None else letter.position,
            "letter_attempts": None if letter is None else letter.attempts,
            "letter_error": None if letter is None else letter.error,
            "letter_died_at_us": None if letter is None else letter.died_at_us,
        }
        return bool((await self._execute("settle", parameters))[0][0])

    async def due(self, now_us: int, limit: int) -> Sequence[Due]:
        """Active subscriptions with records or dead letters to send now."""
        return [Due(*row) for row in await self._execute("due", {"now_us": now_us, "limit": limit})]

    async def letters(self, ledger_id: int, name: str, after: int, limit: int) -> Sequence[Letter]:
        """Dead letters in order, after a position."""
        return await self._letters(ledger_id, name, after=after, limit=limit)

    async def letter(self, ledger_id: int, name: str, position: int) -> Letter | None:
        """Read a dead letter."""
        found = await self._letters(ledger_id, name, after=position - 1, limit=1)
        return found[0] if found and found[0].position == position else None

    async def resending(self, ledger_id: int, name: str, limit: int) -> Sequence[Letter]:
        """Dead letters that are to be sent again, in order."""
        return await self._letters(ledger_id, name, limit=limit, resending=True)

    async def _letters(
        self, ledger_id: int, name: str, *, limit: int, after: int = 0, resending: bool = False
    ) -> Sequence[Letter]:
        parameters = {
            "ledger_id": ledger_id,
            "name": name,
            "after": after,
            "resending": resending,
            "limit": limit,
        }
        return [Letter(*row) for row in await self._execute("letters", parameters)]

    async def change_letter(self, ledger_id: int, name: str, letter: Letter) -> bool:
        """Change a dead letter that is there."""
        parameters = {"ledger_id": ledger_id, "name": name, **letter._asdict()}
        return bool(await self._execute("change_letter", parameters))

    async def remove_letter(self, ledger_id: int, name: str, position: int) -> None:
        """Delete a dead letter."""
        parameters = {"ledger_id": ledger_id, "name": name, "position": position}
        await self._execute("remove_letter", parameters)


def _parameters(subscription: Subscription) -> dict[str, Any]:
    return subscription._asdict() | {
        "kinds": list(subscription.kinds),
        "secrets": list(subscription.secrets),
    }


def _subscription(row: TupleRow) -> Subscription:
    found = Subscription(*row[:12])
    return found._replace(kinds=tuple(found.kinds), secrets=tuple(map(bytes, found.secrets)))
