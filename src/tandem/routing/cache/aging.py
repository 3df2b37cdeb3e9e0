"""A bounded store that knows the age of what it holds."""

from collections import OrderedDict
from collections.abc import Callable, Hashable


class AgingStore[K: Hashable, V]:
    """The newest and most used entries, each with the time (seconds) of its storing."""

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

    def discard_where(self, is_meant: Callable[[V], bool]) -> int:
        """Forget all that are meant; return how many."""
        meant = [key for key, (value, _) in self._entries.items() if is_meant(value)]
        for key in meant:
            del self._entries[key]
        return len(meant)
