"""What the server's process takes after many transactions over many accounts."""

from typing import Final

from bench.ledger.report import Result, alone
from bench.ledger.served import served
from bench.ledger.stage import Stage

_BATCH: Final = 1_000
_CONNECTIONS: Final = 4
_MEGABYTE: Final = 1_000_000
_GOAL_MB: Final = 500.0


async def measure(stage: Stage) -> list[Result]:
    """Post every transaction through the server; read its memory before and after."""
    sizes = stage.sizes
    stage.say(f"memory: {sizes.served:,} transactions over {sizes.served_accounts:,} accounts")
    async with served(stage, "memory", sizes.served_accounts) as http:
        before = http.memory_bytes()
        await http.batches(sizes.served // _BATCH, _CONNECTIONS, _BATCH)
        after = http.memory_bytes()
    name = f"{sizes.served:,} transactions over {sizes.served_accounts:,} accounts"
    return [
        alone("server memory at the start", "MB", [before / _MEGABYTE]),
        alone(f"server memory after {name}", "MB", [after / _MEGABYTE], at_most=_GOAL_MB),
    ]
