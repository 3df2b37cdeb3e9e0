"""`make simulate SEED=n` runs one seed; `make simulate SEEDS=200` runs that many.

Says what each run found and how to have it again; the exit code is 1 where one found something.
"""

import argparse
import sys
import time

from tests.simulation.simulate import Run, simulate

_USUAL_SEEDS = 200


def main() -> int:
    """Run the seeds that were asked for."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this seed and print its whole trace")
    parser.add_argument("--seeds", type=int, default=_USUAL_SEEDS, help="run so many seeds")
    parser.add_argument("--first", type=int, default=0, help="begin with this seed")
    chosen = parser.parse_args()
    if chosen.seed is not None:
        run = simulate(chosen.seed)
        _say("\n".join(run.lines))
        return _told([run])
    began = time.perf_counter()
    runs = [simulate(seed) for seed in range(chosen.first, chosen.first + chosen.seeds)]
    records = sum(run.records for run in runs)
    operations = sum(run.operations for run in runs)
    _say(
        f"{len(runs)} seeds, {operations} operations, {records} records "
        f"in {time.perf_counter() - began:.0f} s"
    )
    return _told(runs)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _told(runs: list[Run]) -> int:
    failed = [run for run in runs if run.findings]
    for run in failed:
        _say(run.report())
    if not failed:
        _say("nothing found" if len(runs) > 1 else f"nothing found, digest {runs[0].digest}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
