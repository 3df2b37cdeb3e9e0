"""Who asks, and how urgently: what the gateway needs to know of a request beside the question."""

from dataclasses import dataclass
from enum import StrEnum


class Priority(StrEnum):
    """Somebody waits for a live answer; a batch takes what is left over."""

    LIVE = "live"
    BATCH = "batch"


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom a request is made; `tenant` is the id of an API key, or empty for ourselves."""

    tenant: str = ""
    priority: Priority = Priority.LIVE


OURSELVES = Caller()
