"""What one seed means: which features and faults are on, how much of each, how small the caches.

Every feature may be off, so that each is also met without the others' company.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import ModuleType
from typing import Final

from tandem.ledger import working, writer
from tandem.ledger.core import expiry


class Weather(StrEnum):
    """A fault that lasts for a while, or changes a process."""

    CRASH = "crash"
    RESTART = "restart"
    PARTITION = "partition"
    STALL = "stall"
    CLOCK_STEP = "clock step"
    DISK_FULL = "disk full"
    CALM = "calm"


class Fate(StrEnum):
    """What becomes of one append."""

    FINE = "fine"
    REFUSED = "refused"  # the store says no
    LOST_BEFORE = "lost before commit"
    LOST_AFTER = "lost after commit"
    LATE = "lost, committed later"


@dataclass(frozen=True, slots=True)
class Plan:
    """The draw of one seed. Chances are between 0 and 1, times in virtual microseconds."""

    processes: int
    clients: int
    operations: int
    storm_us: int
    operations_by_kind: Mapping[str, int]
    weather: tuple[Weather, ...]
    weather_pause_us: int
    fates: Mapping[Fate, float]
    read_fault_chance: float
    slow_chance: float
    latency_us: int
    twice_chance: float
    clash_chance: float
    give_up_chance: float
    limit_chance: float
    assets: tuple[str, ...]
    accounts: int
    patience_us: int
    bounds: tuple[tuple[ModuleType, str, int], ...]


_KINDS: Final = {
    "transfer": 30,
    "post": 10,
    "hold": 16,
    "capture": 12,
    "release": 5,
    "reverse": 6,
    "update": 4,
    "group": 6,
    "atomic": 5,
    "read": 24,
}
_ALWAYS: Final = frozenset({"transfer", "read"})

# Small bounds bring out what large ones hide. Each is on by itself.
_BOUNDS: Final[tuple[tuple[tuple[ModuleType, ...], str, tuple[int, ...]], ...]] = (
    ((working,), "CACHED_ACCOUNTS", (1, 4)),
    ((working,), "CACHED_PARENTS", (0, 2)),
    ((working,), "CACHED_KEYS", (0, 5)),
    ((working,), "MAX_FOLLOWED_RECORDS", (0, 3)),
    ((working,), "DECIDE_CHUNK_COMMANDS", (1, 2)),
    ((working,), "EXPIRY_LOOKAHEAD_US", (0, 20_000)),
    ((writer,), "PROMPT_WEIGHT", (1, 3)),
    ((writer,), "MAX_WEIGHT_PER_APPEND", (2, 6)),
    ((writer,), "MAX_QUEUED_WEIGHT", (4, 12)),
    ((writer,), "MAX_APPEND_ATTEMPTS", (2, 4)),
    ((writer,), "CONTENDED_APPENDS", (0, 1)),
    ((writer,), "RETRY_PAUSE_MS", (1, 500)),
)


def draw(seed: int) -> Plan:
    """Draw the plan of a seed."""
    chance = random.Random(f"plan {seed}")
    faulty = chance.random() < 0.9
    return Plan(
        processes=chance.choice((1, 2, 2, 3, 3)),
        clients=chance.randint(2, 5),
        operations=chance.randint(15, 30),
        storm_us=chance.randint(3, 15) * 1_000_000 if faulty else 0,
        operations_by_kind={
            kind: weight
            for kind, weight in _KINDS.items()
            if kind in _ALWAYS or chance.random() < 0.75
        },
        weather=tuple(one for one in Weather if one is Weather.CALM or chance.random() < 0.5),
        weather_pause_us=chance.choice((200_000, 800_000)),
        fates=_fates(chance),
        read_fault_chance=chance.choice((0.0, 0.005, 0.03)),
        slow_chance=chance.choice((0.0, 0.02, 0.15)),
        latency_us=chance.choice((200, 2_000, 10_000)),
        twice_chance=chance.choice((0.0, 0.1, 0.4)),
        clash_chance=chance.choice((0.0, 0.03)),
        give_up_chance=chance.choice((0.0, 0.1)),
        limit_chance=chance.choice((0.0, 0.5, 0.9)),
        assets=("EUR/2", "JPY/0", "BTC/8")[: chance.randint(1, 3)],
        accounts=chance.randint(3, 8),
        patience_us=chance.choice((300_000, 2_000_000, 10_000_000)),
        bounds=_bounds(chance),
    )


def _fates(chance: random.Random) -> Mapping[Fate, float]:
    """Draw how often an append meets each fate but the usual one."""
    usual = chance.choice((0.0, 0.02, 0.1))
    return {
        fate: usual * chance.random()
        for fate in Fate
        if fate is not Fate.FINE and chance.random() < 0.7
    }


def _bounds(chance: random.Random) -> tuple[tuple[ModuleType, str, int], ...]:
    drawn: list[tuple[ModuleType, str, int]] = []
    share = chance.choice((0.0, 0.3, 0.8))
    for modules, name, small in _BOUNDS:
        size = chance.choice(small)
        if chance.random() < share:
            drawn += [(module, name, size) for module in modules]
    if chance.random() < share:
        # A window is larger than what is loaded at once, or it would never end.
        at_once = chance.choice((1, 2))
        drawn += [(module, "EXPIRY_WINDOW_HOLDS", 2 * at_once + 1) for module in (working, expiry)]
        drawn.append((working, "MAX_EXPIRIES_PER_APPEND", at_once))
        drawn.append((working, "_LOADED_EXPIRIES", 2 * at_once))
    return tuple(drawn)
