"""The demo as a user sees it: real processes, one day, right books, nothing left behind."""

from pathlib import Path

import psutil
import pytest
from tests.support.demo import Demo
from tests.support.processes import gone

from tandem.platform.engine.tiles import TileSet
from tandem.platform.processes import answers

DAY = ("--seed", "7", "--deliveries", "24")


@pytest.fixture
def engine_directory(engine_tiles: TileSet) -> Path:
    """The cache that holds the tiles."""
    return engine_tiles.directory.parent


def test_two_days_with_one_seed_end_the_same(tmp_path: Path, engine_directory: Path) -> None:
    """Two runs at once, in each other's way, agree on every outcome, price and balance."""
    homes = [tmp_path / name for name in ("one", "two")]
    for home in homes:
        home.mkdir()
    with (
        Demo(homes[0], engine_directory, *DAY) as one,
        Demo(homes[1], engine_directory, *DAY) as two,
    ):
        assert (one.wait(), two.wait()) == (0, 0), f"{one.text}\n{two.text}"
    for row in ("deliveries", "ridden", "earned", "outcome digest"):
        assert one.cell(row) == two.cell(row), row
    for state in ("delivered", "cancelled", "refunded", "refused"):
        assert state in one.cell("deliveries")
    assert "bikemap" in one.cell("quotes")
    assert "valhalla" in one.cell("quotes")
    # Five fall into the outage; on a busy machine a quote of a calm hour may degrade as well.
    assert int(one.cell("degraded quotes").split()[0]) >= 5
    assert one.cell("trial balance EUR/2").endswith("difference 0")
    assert one.cell("verify").startswith("every invariant holds")


def test_second_run_starts_clean_and_another_seed_is_another_day(
    tmp_path: Path, engine_directory: Path
) -> None:
    """In one directory, run after run, each day stands for itself."""
    digests = []
    for seed in ("1", "2", "1"):
        with Demo(tmp_path, engine_directory, "--seed", seed, "--deliveries", "6") as demo:
            assert demo.wait() == 0, demo.text
            digests.append(demo.cell("outcome digest"))
    assert digests[0] == digests[2] != digests[1]


@pytest.mark.parametrize("moment", ["PostgreSQL", "Bikemap sandbox", "Tandem server", "outage"])
def test_interrupt_leaves_no_process(tmp_path: Path, engine_directory: Path, moment: str) -> None:
    """Ctrl-C during the start or the day stops everything that was started, by process id."""
    with Demo(tmp_path, engine_directory, *DAY) as demo:
        demo.read_until(moment)
        pids = demo.processes()
        demo.interrupt()
        assert demo.wait() == 130, demo.text
    assert len(pids) > 1
    assert gone(pids)


def test_stay_leaves_the_server_up_until_interrupted(
    tmp_path: Path, engine_directory: Path
) -> None:
    """With --stay the documentation can be read after the day; Ctrl-C is then a good end."""
    with Demo(tmp_path, engine_directory, "--deliveries", "3", "--stay") as demo:
        assert answers(demo.read_until("/docs").split()[-1])
        pids = demo.processes()
        demo.interrupt()
        assert demo.wait() == 0, demo.text
    assert gone(pids)


def test_demo_in_use_refuses_a_second_one(tmp_path: Path, engine_directory: Path) -> None:
    """Two demos in one directory would wipe each other; the second says so and ends."""
    with Demo(tmp_path, engine_directory, *DAY) as first:
        first.read_until("map extract")
        with Demo(tmp_path, engine_directory, *DAY) as second:
            assert second.wait() == 1
            assert "another demo runs" in second.text


def test_killed_demo_is_cleaned_up_by_the_next(tmp_path: Path, engine_directory: Path) -> None:
    """What a killed demo leaves running is ended when the next one starts."""
    with Demo(tmp_path, engine_directory, *DAY) as first:
        first.read_until("Tandem server")
        main, *others = first.processes()
        psutil.Process(main).kill()
        first.wait()
    with Demo(tmp_path, engine_directory, "--deliveries", "3") as second:
        assert second.wait() == 0, second.text
    assert gone(others)
