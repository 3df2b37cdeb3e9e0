"""What an audit found."""

from collections.abc import Iterator
from typing import Final, NamedTuple

MAX_FAULTS: Final = 100


class Findings(NamedTuple):
    """What was read, and what is wrong with it; faults name a position or an account."""

    records: int
    entries: int
    accounts: int
    root: bytes
    faults: tuple[str, ...]


class Faults:
    """The first faults, in order; after the bound only that there are more."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def add(self, text: str) -> None:
        """Note a fault."""
        if len(self._texts) < MAX_FAULTS:
            self._texts.append(text)
        elif len(self._texts) == MAX_FAULTS:
            self._texts.append(f"and more: only the first {MAX_FAULTS} are told")

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)
