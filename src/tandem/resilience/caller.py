"""For whom a call is made: what the limiter shares slots by."""

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Partition(StrEnum):
    """How urgent a call is."""

    LIVE = "live"
    """Somebody waits for it."""
    BATCH = "batch"
    """Nobody does; it yields to live calls."""


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom a call is made; without a `tenant` it has no tenant's share to keep to."""

    partition: Partition = Partition.LIVE
    tenant: str | None = None


LIVE: Final = Caller()
CALLER: Final[ContextVar[Caller]] = ContextVar("CALLER", default=LIVE)
"""The caller of whatever runs in this context; set where a request comes in."""
