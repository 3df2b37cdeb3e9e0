"""One run of the simulation: a seed in, what was found and the digest of the trace out."""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from traceback import format_exception
from typing import Final, NamedTuple

import pytest
from tests.simulation.check_history import check_history
from tests.simulation.check_log import read_log
from tests.simulation.clients import Client
from tests.simulation.drawing import draw_places
from tests.simulation.loop import Stuck
from tests.simulation.plan import Plan, draw
from tests.simulation.world import LEDGER, World

from tandem.ledger.audit.verify import verify

# After the storm everything is answered within this much virtual time.
CALM_US: Final = 60_000_000
MAX_FINDINGS: Final = 20


class Run(NamedTuple):
    """What became of a seed."""

    seed: int
    findings: list[str]
    digest: str
    lines: list[str]
    records: int
    operations: int

    def report(self, lines: int = 40) -> str:
        """What went wrong, how it can be had again, and how it came to it."""
        told = [f"seed {self.seed}: {finding}" for finding in self.findings]
        again = f"again: make simulate SEED={self.seed}"
        return "\n".join([*told, again, "the trace ends:", *self.lines[-lines:]])


def simulate(seed: int, plan: Plan | None = None) -> Run:
    """Run a seed and check everything that can be checked."""
    world = World(seed, plan or draw(seed))
    with _bounds(world.plan), _errors() as errors:
        try:
            findings = world.loop.run(_run(world, seed))
        except Stuck as stuck:
            findings = [f"stuck: {stuck}"]
        except Exception as error:  # noqa: BLE001 - whatever it is, it is found with its seed
            findings = ["the simulation broke: " + "".join(format_exception(error, limit=-4))]
    findings += [f"a fault of the ledger: {error}" for error in errors]
    findings += [f"nobody caught: {fault}" for fault in world.loop.faults]
    return Run(
        seed,
        findings[:MAX_FINDINGS],
        world.digest(),
        world.lines,
        world.log_length,
        len(world.history.operations),
    )


async def _run(world: World, seed: int) -> list[str]:
    await world.database.memory.create(LEDGER)
    for process in world.processes:
        process.start()
    places = draw_places(random.Random(f"places {seed}"), world.plan)
    clients = [Client(world, seed, number, places) for number in range(world.plan.clients)]
    working = [world.loop.create_task(client.run()) for client in clients]
    await world.weather()
    limit_s = CALM_US / 1e6
    _, late = await asyncio.wait(working, timeout=limit_s)
    findings = [f"a client was not answered for {limit_s} s after the storm" for _ in late]
    for task in working:
        if task in late:
            task.cancel()
        else:
            task.result()
    for process in world.processes:
        await process.stop()
    await world.database.idle()
    await world.loop.pass_us(1_000_000)
    findings += [f"{one.name} left tasks over" for one in world.processes if one.left_over]
    world.trace(f"the log has {world.log_length} records")
    log = read_log(world.bodies)
    findings += log.findings + check_history(world.history, log)
    head = await world.database.memory.head(LEDGER)
    assert head is not None
    verified = await verify(world.database.memory, head)
    findings += [f"verify: {fault}" for fault in verified.faults]
    return findings


@contextmanager
def _bounds(plan: Plan) -> Iterator[None]:
    """Make the ledger's caches and batches as small as the plan says."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name, size in plan.bounds:
            patch.setattr(module, name, size)
        yield


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what the ledger says of its own faults."""
        error = record.exc_info[1] if record.exc_info else None
        self.found.append(f"{record.getMessage()}: {error!r}")


@contextmanager
def _errors() -> Iterator[list[str]]:
    """Collect what the ledger logs as an error; nothing that is simulated may make it do so."""
    handler, log = _Errors(), logging.getLogger("tandem.ledger")
    level, propagates = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.ERROR)
    log.propagate = False
    try:
        yield handler.found
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagates


def first_found(seeds: range, meant: Callable[[str], bool]) -> Run | None:
    """Run seeds until one finds what is meant."""
    for seed in seeds:
        run = simulate(seed)
        if any(map(meant, run.findings)):
            return run
    return None
