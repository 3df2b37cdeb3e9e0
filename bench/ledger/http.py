"""The same ledger through `tandem serve`: single requests with their CPU split, and batches."""

from typing import Final

from bench.ledger.baselines import settle
from bench.ledger.cpu import Cpu
from bench.ledger.load import batches, uniform
from bench.ledger.report import Result, alone, compared
from bench.ledger.served import served
from bench.ledger.stage import Stage

_CONNECTIONS: Final = 64
_BATCH: Final = 1_000
_BATCH_CONNECTIONS: Final = 4  # as many transfers under way as the SDK has
_SDK_BATCH: Final = 2_000
_COST_GOAL_US: Final = 250.0
_BATCH_GOAL: Final = 0.60


async def measure(stage: Stage) -> list[Result]:
    """Take turns between single requests, batches over HTTP, and batches of the SDK."""
    sizes, books = stage.sizes, await stage.books("http_sdk")
    requests = sizes.transfers // _BATCH
    singles, posted, sdk = list[dict[str, float]](), list[float](), list[float]()
    costs = list[Cpu]()
    async with served(stage, "http", sizes.accounts) as http:
        await http.singles(sizes.requests, _CONNECTIONS)  # warm: the first thousands cost double
        await http.batches(4, _BATCH_CONNECTIONS, _BATCH)
        await batches(books, uniform(books), 2 * _SDK_BATCH, _SDK_BATCH)
        for _ in range(sizes.rounds):
            settle()
            before = http.meter.read()
            singles.append(await http.singles(sizes.requests, _CONNECTIONS))
            costs.append((http.meter.read() - before).per(sizes.requests))
            settle()
            posted.append(await http.batches(requests, _BATCH_CONNECTIONS, _BATCH))
            settle()
            sdk.append(await batches(books, uniform(books), sizes.transfers, _SDK_BATCH))
    return [*_singles(singles, costs), _batches(posted, sdk)]


def _singles(runs: list[dict[str, float]], costs: list[Cpu]) -> list[Result]:
    name = f"HTTP, single transfers, {_CONNECTIONS} connections"
    return [
        alone(name, "requests/s", [run["rate"] for run in runs]),
        alone(f"{name}, p99", "ms", [run["p99_ms"] for run in runs]),
        alone(
            f"{name}, CPU of the server",
            "µs/request",
            [cost.server for cost in costs],
            at_most=_COST_GOAL_US,
        ),
        alone(f"{name}, CPU of the client", "µs/request", [cost.client for cost in costs]),
        alone(f"{name}, CPU of the database", "µs/request", [cost.database for cost in costs]),
    ]


def _batches(posted: list[float], sdk: list[float]) -> Result:
    name = f"HTTP, batches of {_BATCH:,}, beside SDK batches of {_SDK_BATCH:,}"
    return compared(name, "transfers/s", posted, sdk, at_least=_BATCH_GOAL)
