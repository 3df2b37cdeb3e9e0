"""What the clients saw: what they asked, when, and what they were told, in one order of events."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tandem.ledger.core.commands import SingleCommand


class Told(NamedTuple):
    """A definite answer: an effect at a position, or a refusal.

    `text` is everything that was told, but for whether it was a replay. `began` is the event at
    which this attempt was made, `event` that of the answer.
    """

    began: int
    event: int
    position: int | None
    recorded_at_us: int | None
    replayed: bool
    code: str | None
    text: str


@dataclass(slots=True, eq=False)
class Operation:
    """A write that a client wants: a key, and one command or the commands of an atomic batch."""

    number: int
    key: str
    commands: Sequence[SingleCommand]
    atomic: bool = False
    began: int | None = None  # the event of the first attempt
    gave_up: bool = False
    told: list[Told] = field(default_factory=list)

    @property
    def answered(self) -> bool:
        """True where a definite answer was given."""
        return bool(self.told)


class Read(NamedTuple):
    """A read and its answer. `clock_us` is the time by the clock of the process that read.

    `clock_after_us` is that when it had the answer.
    `log_length` is how many records there were when the answer came.
    """

    kind: str
    subject: Any
    at: int | None
    began: int
    event: int
    clock_us: int
    clock_after_us: int
    log_length: int
    answer: Any
    code: str | None


@dataclass(slots=True)
class History:
    """Everything that happened, numbered in the order of the simulation."""

    operations: list[Operation] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    events: int = 0

    def tick(self) -> int:
        """Number the next event."""
        self.events += 1
        return self.events

    def operation(
        self, key: str, commands: Sequence[SingleCommand], *, atomic: bool = False
    ) -> Operation:
        """Note a write that a client is going to ask for."""
        made = Operation(len(self.operations), key, commands, atomic)
        self.operations.append(made)
        return made


@dataclass(slots=True)
class Known:
    """What clients tell each other: positions of holds and of what can be reversed."""

    holds: list[int] = field(default_factory=list)
    posted: list[int] = field(default_factory=list)

    def pick(self, chance: random.Random, positions: Sequence[int]) -> int:
        """Pick a position, mostly a late one, sometimes any at all."""
        if not positions or chance.random() < 0.03:
            return chance.randint(1, 100)
        return positions[-1 - min(int(chance.expovariate(0.2)), len(positions) - 1)]
