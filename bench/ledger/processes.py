"""Two ledgers written by two processes, beside one."""

import asyncio
import time
from typing import Final

from bench.ledger.baselines import settle
from bench.ledger.child import Child, started
from bench.ledger.cpu import NO_CPU, Cpu
from bench.ledger.report import Result, alone, compared
from bench.ledger.stage import Stage

_MODULE: Final = "bench.ledger.writer"
_BATCH: Final = 2_000
_GOAL: Final = 1.5


async def measure(stage: Stage) -> list[Result]:
    """Take turns between one writer and both at once."""
    conninfo = stage.database("processes")
    accounts = str(stage.sizes.accounts)
    async with (
        started(_MODULE, conninfo, "one", accounts) as one,
        started(_MODULE, conninfo, "two", accounts) as two,
    ):
        await _rate(stage, one, two)  # warm
        single, double, used = list[float](), list[float](), NO_CPU
        for number in range(stage.sizes.rounds):
            single.append(await _rate(stage, (one, two)[number % 2]))
            meter = stage.meter(one.pid, two.pid)
            before = meter.read()
            double.append(await _rate(stage, one, two))
            used += meter.read() - before
    transfers = 2 * stage.sizes.transfers * stage.sizes.rounds
    return [_compared(single, double), *_split(used.per(transfers))]


async def _rate(stage: Stage, *writers: Child) -> float:
    """Let each write as much; return transfers per second of all until the last is done."""
    settle()
    total = stage.sizes.transfers // _BATCH * _BATCH
    began = time.perf_counter()
    await asyncio.gather(*(writer.ask(transfers=total, batch=_BATCH) for writer in writers))
    return len(writers) * total / (time.perf_counter() - began)


def _compared(single: list[float], double: list[float]) -> Result:
    name = "two ledgers written by two processes, beside one"
    return compared(name, "transfers/s", double, single, at_least=_GOAL)


def _split(used: Cpu) -> list[Result]:
    name = "two ledgers written by two processes, CPU of"
    return [
        alone(f"{name} the writers", "µs/transfer", [used.client]),
        alone(f"{name} the database", "µs/transfer", [used.database]),
    ]
