"""What was answered before: a bounded store that knows the age of what it holds."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from tandem.routing.domain.route import Route


class AgingStore[K: Hashable, V]:
    """The newest and most used entries, each with the time (monotonic seconds) of its storing."""

    def __init__(self, entries_max: int) -> None:
        self._entries_max = entries_max
        self._entries: OrderedDict[K, tuple[V, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K, now_s: float) -> tuple[V, float] | None:
        """Return what is stored and its age in seconds."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        value, stored_s = entry
        return value, max(0.0, now_s - stored_s)

    def put(self, key: K, value: V, now_s: float) -> None:
        """Store; beyond the bound the entry that was not used for longest goes."""
        self._entries[key] = (value, now_s)
        self._entries.move_to_end(key)
        if len(self._entries) > self._entries_max:
            self._entries.popitem(last=False)

    def discard(self, key: K) -> None:
        """Forget an entry, if it is there."""
        self._entries.pop(key, None)


@dataclass(frozen=True, slots=True)
class KeptRoute:
    """A route as it was given, and by whom."""

    route: Route
    provider: str
    attribution: tuple[str, ...]
    is_primary: bool
