"""The port of the webhooks' store, and the one in memory: subscriptions, cursors, dead letters."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol


class Subscription(NamedTuple):
    """A webhook as stored. `position` is settled; `secrets` are sealed, the newest first."""

    ledger_id: int
    name: str
    url: str
    kinds: tuple[str, ...]
    secrets: tuple[bytes, ...]
    active: bool
    position: int
    attempts: int
    next_attempt_at_us: int
    dead_in_a_row: int
    last_error: str | None
    created_at_us: int


class Letter(NamedTuple):
    """A dead letter as stored."""

    position: int
    attempts: int
    error: str
    died_at_us: int
    resending: bool = False


class Due(NamedTuple):
    """A subscription that has something to send."""

    ledger_id: int
    name: str


class WebhookStore(Protocol):
    """Everything is keyed by ledger and name."""

    async def put(self, fresh: Subscription, count_max: int) -> Subscription | None:
        """Make a subscription, or change the one there; None where there are too many."""
        ...

    async def get(self, ledger_id: int, name: str) -> Subscription | None:
        """Read a subscription."""
        ...

    async def all(self, ledger_id: int) -> Sequence[tuple[Subscription, int]]:
        """Every subscription of a ledger by name, and how many dead letters it has."""
        ...

    async def delete(self, ledger_id: int, name: str) -> None:
        """Delete a subscription and its dead letters."""
        ...

    async def change_secrets(self, ledger_id: int, name: str, secrets: Sequence[bytes]) -> None:
        """Replace the sealed secrets."""
        ...

    async def settle(
        self, before: Subscription, after: Subscription, letter: Letter | None = None
    ) -> bool:
        """Move a subscription on, with a dead letter if there is one, if it is still `before`."""
        ...

    async def due(self, now_us: int, limit: int) -> Sequence[Due]:
        """Active subscriptions with records or dead letters to send now."""
        ...

    async def letters(self, ledger_id: int, name: str, after: int, limit: int) -> Sequence[Letter]:
        """Dead letters in order, after a position."""
        ...

    async def letter(self, ledger_id: int, name: str, position: int) -> Letter | None:
        """Read a dead letter."""
        ...

    async def resending(self, ledger_id: int, name: str, limit: int) -> Sequence[Letter]:
        """Dead letters that are to be sent again, in order."""
        ...

    async def change_letter(self, ledger_id: int, name: str, letter: Letter) -> bool:
        """Change a dead letter that is there."""
        ...

    async def remove_letter(self, ledger_id: int, name: str, position: int) -> None:
        """Delete a dead letter."""
        ...


class MemoryWebhooks:
    """Subscriptions in memory. `heads` gives each ledger's number and last position."""

    def __init__(self, heads: Callable[[], Iterable[tuple[int, int]]]) -> None:
        self._heads = heads
        self._subscriptions: dict[tuple[int, str], Subscription] = {}
        self._letters: dict[tuple[int, str], dict[int, Letter]] = {}

    async def put(self, fresh: Subscription, count_max: int) -> Subscription | None:
        """Make a subscription, or change the one there; None where there are too many."""
        key = fresh.ledger_id, fresh.name
        there = self._subscriptions.get(key)
        if there is None and len(await self.all(fresh.ledger_id)) >= count_max:
            return None
        put = fresh if there is None else there._replace(url=fresh.url, kinds=fresh.kinds)
        self._subscriptions[key] = put
        return put

    async def get(self, ledger_id: int, name: str) -> Subscription | None:
        """Read a subscription."""
        return self._subscriptions.get((ledger_id, name))

    async def all(self, ledger_id: int) -> Sequence[tuple[Subscription, int]]:
        """Every subscription of a ledger by name, and how many dead letters it has."""
        return [
            (self._subscriptions[key], len(self._letters.get(key, ())))
            for key in sorted(self._subscriptions)
            if key[0] == ledger_id
        ]

    async def delete(self, ledger_id: int, name: str) -> None:
        """Delete a subscription and its dead letters."""
        self._subscriptions.pop((ledger_id, name), None)
        self._letters.pop((ledger_id, name), None)

    async def change_secrets(self, ledger_id: int, name: str, secrets: Sequence[bytes]) -> None:
        """Replace the sealed secrets."""
        there = self._subscriptions.get((ledger_id, name))
        if there is not None:
            self._subscriptions[ledger_id, name] = there._replace(secrets=tuple(secrets))

    async def settle(
        self, before: Subscription, after: Subscription, letter: Letter | None = None
    ) -> bool:
        """Move a subscription on, with a dead letter if there is one, if it is still `before`."""
        key = before.ledger_id, before.name
        there = self._subscriptions.get(key)
        if there is None or _mark(there) != _mark(before):
            return False
        self._subscriptions[key] = after._replace(
            url=there.url, kinds=there.kinds, secrets=there.secrets
        )
        if letter is not None:
            self._letters.setdefault(key, {})[letter.position] = letter
        return True

    async def due(self, now_us: int, limit: int) -> Sequence[Due]:
        """Active subscriptions with records or dead letters to send now."""
        ends = dict(self._heads())
        return [
            Due(*key)
            for key, one in sorted(self._subscriptions.items())
            if one.active
            and (
                (one.next_attempt_at_us <= now_us and one.position < ends[one.ledger_id])
                or any(letter.resending for letter in self._letters.get(key, {}).values())
            )
        ][:limit]

    async def letters(self, ledger_id: int, name: str, after: int, limit: int) -> Sequence[Letter]:
        """Dead letters in order, after a position."""
        held = self._letters.get((ledger_id, name), {})
        return [held[position] for position in sorted(held) if position > after][:limit]

    async def letter(self, ledger_id: int, name: str, position: int) -> Letter | None:
        """Read a dead letter."""
        return self._letters.get((ledger_id, name), {}).get(position)

    async def resending(self, ledger_id: int, name: str, limit: int) -> Sequence[Letter]:
        """Dead letters that are to be sent again, in order."""
        held = self._letters.get((ledger_id, name), {})
        return [held[position] for position in sorted(held) if held[position].resending][:limit]

    async def change_letter(self, ledger_id: int, name: str, letter: Letter) -> bool:
        """Change a dead letter that is there."""
        held = self._letters.get((ledger_id, name), {})
        if letter.position not in held:
            return False
        held[letter.position] = letter
        return True

    async def remove_letter(self, ledger_id: int, name: str, position: int) -> None:
        """Delete a dead letter."""
        self._letters.get((ledger_id, name), {}).pop(position, None)


def _mark(subscription: Subscription) -> tuple[int, int, int]:
    """What changes whenever a subscription is settled, and when it is made anew."""
    return subscription.created_at_us, subscription.position, subscription.attempts
