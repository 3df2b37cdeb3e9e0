"""The simulation finds known bugs, each within a bounded number of seeds."""

from typing import Final

import pytest
from tests.simulation.bugs import BUGS
from tests.simulation.simulate import first_found

_SEEDS: Final = 60


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says of it is what is wrong, with the seed that shows it."""
    bug = BUGS[name]
    bug.plant(monkeypatch)
    run = first_found(range(_SEEDS), lambda finding: bug.said in finding)
    assert run is not None, f"not found in {_SEEDS} seeds"
    assert f"make simulate SEED={run.seed}" in run.report()
