"""A process that writes to a ledger through the SDK: `python -m bench.ledger.writer`."""

import argparse
from typing import Any

import uvloop

from bench.ledger.child import serve
from bench.ledger.load import batches, uniform
from bench.ledger.stage import opened
from tandem.platform.interpreter import tune_interpreter


async def run(conninfo: str, ledger: str, accounts: int) -> None:
    """Open the ledger; write batches when asked."""
    async with opened(conninfo, accounts, name=ledger, fresh=True) as books:

        async def work(asked: dict[str, Any]) -> dict[str, Any]:
            rate = await batches(books, uniform(books), asked["transfers"], asked["batch"])
            return {"rate": rate}

        await serve(work)


def main() -> None:
    """Read where to write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("conninfo")
    parser.add_argument("ledger")
    parser.add_argument("accounts", type=int)
    arguments = parser.parse_args()
    tune_interpreter()
    uvloop.run(run(arguments.conninfo, arguments.ledger, arguments.accounts))


if __name__ == "__main__":
    main()
