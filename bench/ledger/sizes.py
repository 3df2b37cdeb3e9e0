"""How much a run does: quick, full (the real sizes), or a smoke."""

from dataclasses import dataclass, replace
from typing import Final

CALLERS: Final = 64


@dataclass(frozen=True, slots=True)
class Sizes:
    """What one round of each scenario does, and how big the filled ledgers are.

    `entries` are those of the ledgers that are read; `grown` the transactions of the ledgers whose
    throughput is compared, small and big; `served` the transactions through the server whose
    memory is looked at, over `served_accounts`.
    """

    rounds: int
    accounts: int
    transfers: int  # of a round of batches
    singles: int  # of a round of concurrent single callers
    alone: int  # of a round of one caller
    requests: int  # of a round of single HTTP requests
    reads: int  # of a round, of each kind
    tpcb_scale: int
    tpcb_seconds: int
    entries: tuple[int, ...]
    grown: tuple[int, int]
    served: int
    served_accounts: int


FULL: Final = Sizes(
    rounds=7,
    accounts=10_000,
    transfers=80_000,
    singles=20_000,
    alone=1_000,
    requests=10_000,
    reads=1_000,
    tpcb_scale=50,
    tpcb_seconds=10,
    entries=(100_000, 1_000_000, 10_000_000),
    grown=(100_000, 10_000_000),
    served=10_000_000,
    served_accounts=1_000_000,
)

QUICK: Final = replace(
    FULL,
    rounds=5,
    transfers=48_000,
    singles=5_000,
    alone=300,
    requests=4_000,
    reads=400,
    tpcb_seconds=3,
    entries=(20_000, 100_000, 500_000),
    grown=(100_000, 500_000),
    served=300_000,
    served_accounts=100_000,
)

SMOKE: Final = replace(
    QUICK,
    rounds=2,
    accounts=1_000,
    transfers=8_000,
    singles=1_000,
    alone=100,
    requests=1_000,
    reads=100,
    tpcb_scale=5,
    tpcb_seconds=1,
    entries=(5_000, 20_000),
    grown=(10_000, 30_000),
    served=10_000,
    served_accounts=1_000,
)

SCALES: Final = {"quick": QUICK, "full": FULL, "smoke": SMOKE}
