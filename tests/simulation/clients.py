"""Clients: each asks, waits, gives up, asks again with the same key, and notes what it was told."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from tests.simulation.drawing import Drawer, Place
from tests.simulation.history import Operation, Read, Told
from tests.simulation.world import Gone, Process, World

from tandem.ledger import api
from tandem.ledger.core.commands import SingleCommand
from tandem.ledger.local import LedgerFault, LocalLedger
from tandem.ledger.times import from_us, to_us

_TRANSIENT: Final = frozenset({api.RefusalCode.UNAVAILABLE, api.RefusalCode.OVERLOADED})
_REVERSIBLE: Final = frozenset({"transaction", "capture", "reversal"})
_READS: Final = (
    "balance",
    "balance",
    "balance at",
    "balance at time",
    "hold",
    "record",
    "totals",
    "oldest",
    "newest",
)
PAGE: Final = 5


class Client:
    """One client. Its draws are its own, so that they do not depend on the interleaving."""

    def __init__(self, world: World, seed: int, number: int, places: tuple[Place, ...]) -> None:
        self.name = f"c{number}"
        self._world = world
        self._number = number
        self._places = places
        self._chance = random.Random(f"client {number} of {seed}")
        self._draw = Drawer(self._chance, world.plan, places, world.known)
        self._keys = 0

    async def run(self) -> None:
        """Open accounts, then do whatever comes to mind, until all of it is answered."""
        for index, place in enumerate(self._places):
            if index % self._world.plan.clients == self._number or self._chance.random() < 0.1:
                key = self._key()
                await self._write([self._operation(key, [self._draw.opening(place, key)])])
        kinds = self._world.plan.operations_by_kind
        chosen = self._chance.choices(
            list(kinds), list(kinds.values()), k=self._world.plan.operations
        )
        for kind in chosen:
            await self._world.loop.pass_us(int(self._chance.expovariate(1 / 100_000)))
            if kind == "read":
                await self._read(self._chance.choice(_READS))
            else:
                await self._write(self._wanted(kind))

    # -- what it wants -------------------------------------------------------------------------

    def _key(self) -> str:
        """Make a key; sometimes it is one that belongs to another command."""
        operations = self._world.history.operations
        if operations and self._chance.random() < self._world.plan.clash_chance:
            return self._chance.choice(operations).key
        self._keys += 1
        return f"{self.name}-{self._keys}"

    def _operation(
        self, key: str, commands: Sequence[SingleCommand], *, atomic: bool = False
    ) -> Operation:
        return self._world.history.operation(key, commands, atomic=atomic)

    def _wanted(self, kind: str) -> list[Operation]:
        now_us = self._world.now_us()
        if kind == "atomic":
            members = [
                self._draw.any_single(None, now_us) for _ in range(self._chance.randint(1, 4))
            ]
            return [self._operation(self._key(), members, atomic=True)]
        if kind == "group":
            keys = [self._key() for _ in range(self._chance.randint(2, 6))]
            return [self._operation(key, [self._draw.any_single(key, now_us)]) for key in keys]
        key = self._key()
        return [self._operation(key, [self._draw.single(kind, key, now_us)])]

    # -- writes --------------------------------------------------------------------------------

    async def _write(self, operations: list[Operation]) -> None:
        """Ask until every operation is answered, at any process; or give up."""
        world = self._world
        attempts = 0
        while waiting := [one for one in operations if not one.answered]:
            attempts += 1
            if self._chance.random() < world.plan.twice_chance:
                # The same again to another one, as a balancer does that was too quick to retry.
                again = world.loop.create_task(self._attempt(waiting))
                await self._attempt(waiting)
                await again
            else:
                await self._attempt(waiting)
            if all(one.answered for one in operations):
                break
            if attempts > 1 and self._chance.random() < world.plan.give_up_chance:
                for one in operations:
                    one.gave_up = True
                break
            await world.loop.pass_us(self._chance.randint(1_000, 400_000))
        if self._chance.random() < 0.05:
            await self._attempt(operations)  # a replay, long after

    async def _attempt(self, operations: Sequence[Operation]) -> None:
        world = self._world
        process = self._chance.choice(world.processes)
        began = world.history.tick()
        asked = ",".join(one.key for one in operations)
        world.trace(f"{self.name} asks {process.name} {asked}")
        for one in operations:
            one.began = began if one.began is None else one.began
        try:
            answers = await process.call(lambda ledger, _: _asked(ledger, operations))
        except (Gone, LedgerFault) as gone:
            # A fault of the ledger is found by what it logs; to a client it is one more failure.
            world.trace(f"{self.name} of {asked}: {gone}")
            return
        except api.Refused as refused:
            answers = [refused] * len(operations)
        event = world.history.tick()
        for one, answer in zip(operations, answers, strict=True):
            told = _told(began, event, answer)
            world.trace(f"{self.name} of {one.key}: {told.code or told.position} {told.replayed}")
            if told.code in _TRANSIENT:
                continue
            one.told.append(told)
            self._learn(one, told)

    def _learn(self, operation: Operation, told: Told) -> None:
        """Tell the others of a position that they may use."""
        if told.position is None or told.replayed or operation.atomic:
            return
        kind = type(operation.commands[0]).__name__
        if kind == "PlaceHold":
            self._world.known.holds.append(told.position)
        elif kind in ("Transfer", "Post", "Capture", "Reverse"):
            self._world.known.posted.append(told.position)

    # -- reads ---------------------------------------------------------------------------------

    async def _read(self, kind: str) -> None:
        world, known = self._world, self._world.known
        process: Process = self._chance.choice(world.processes)
        subject: Any = self._draw.place().address
        at: int | None = None
        if kind == "hold":
            subject = known.pick(self._chance, known.holds)
        elif kind == "record":
            subject = known.pick(self._chance, known.posted)
        elif kind == "balance at":
            at = self._chance.randint(1, max(1, world.log_length))
        elif kind == "balance at time":
            at = world.now_us() - self._chance.choice((0, 1_000, 300_000))
        elif kind == "totals" and self._chance.random() < 0.5:
            at = self._chance.randint(1, max(1, world.log_length))
        began = world.history.tick()

        async def ask(ledger: LocalLedger, clock: Callable[[], int]) -> tuple[int, Any, int]:
            return clock(), await _look(ledger, kind, subject, at), clock()

        code: str | None = None
        clock_us, answer, clock_after_us = 0, None, 0
        try:
            clock_us, answer, clock_after_us = await process.call(ask)
        except api.Refused as refused:
            code = refused.code.value
        except Gone as gone:
            world.trace(f"{self.name} reads {kind} {subject} {at}: {gone}")
            return
        event = world.history.tick()
        world.trace(f"{self.name} reads {kind} {subject} {at}: {code or answer}")
        if code not in _TRANSIENT:
            world.history.reads.append(
                Read(
                    kind,
                    subject,
                    at,
                    began,
                    event,
                    clock_us,
                    clock_after_us,
                    world.log_length,
                    answer,
                    code,
                )
            )


async def _look(ledger: LocalLedger, kind: str, subject: Any, at: int | None) -> Any:
    if kind.startswith("balance"):
        time = from_us(at) if at is not None and kind == "balance at time" else None
        position = at if kind == "balance at" else None
        return await ledger.balance(subject, at_position=position, at_time=time)
    if kind in ("oldest", "newest"):
        newest = kind == "newest"
        page = await ledger.records(account=subject, newest_first=newest, limit=PAGE)
        return [record.position for record in page.items]
    if kind == "hold":
        return await ledger.hold_state(subject)
    if kind == "record":
        return await ledger.transaction(subject)
    return await ledger.trial_balance(at_position=at)


type _Answer = api.Record | list[api.Receipt] | api.Receipt | api.Refused


async def _asked(ledger: LocalLedger, operations: Sequence[Operation]) -> list[_Answer]:
    """Make the writes of one attempt; an answer each, refusals as values."""
    first = operations[0]
    try:
        if first.atomic:
            return [
                await ledger.submit_batch(first.commands, mode="atomic", idempotency_key=first.key)
            ]
        if len(operations) == 1:
            return [await ledger.execute(first.commands[0])]
        return list(await ledger.submit_batch([one.commands[0] for one in operations]))
    except api.Refused as refused:
        return [refused] * len(operations)


def _told(began: int, event: int, answer: _Answer) -> Told:
    match answer:
        case api.Refused(refusal=refusal, replayed=replayed):
            return Told(began, event, None, None, replayed, refusal.code.value, repr(refusal))
        case api.Record():
            text = repr((answer.position, answer.kind, answer.entries, answer.account))
            return _effect(began, event, answer.position, answer.recorded_at, answer.replayed, text)
        case list():
            positions = [receipt.position for receipt in answer]
            first = answer[0]
            assert first.position is not None
            text = repr([(receipt.position, receipt.recorded_at) for receipt in answer])
            assert positions == list(range(first.position, first.position + len(answer)))
            # The batch's own record stands just before its members'.
            assert first.recorded_at is not None
            return _effect(
                began, event, first.position - 1, first.recorded_at, first.replayed, text
            )
        case api.Receipt(refusal=None):
            assert answer.position is not None
            assert answer.recorded_at is not None
            text = repr((answer.position, answer.recorded_at))
            return _effect(began, event, answer.position, answer.recorded_at, answer.replayed, text)
        case api.Receipt():
            assert answer.refusal is not None
            return Told(
                began, event, None, None, answer.replayed, answer.refusal.code.value,
                repr(answer.refusal),
            )  # fmt: skip
    raise AssertionError(answer)


def _effect(
    began: int, event: int, position: int, recorded_at: datetime, replayed: bool, text: str
) -> Told:
    return Told(began, event, position, to_us(recorded_at, "at"), replayed, None, text)
