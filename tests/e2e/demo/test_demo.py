"""The demo as a user sees it: real processes, one day, right books, nothing left behind."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest
from tests.support.demo import Demo
from tests.support.processes import gone

from tandem.platform.engine.tiles import TileSet
from tandem.platform.processes import answers

DAY = ("--seed", "7", "--deliveries", "24")


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory to run demos in.

    Not under `tmp_path`: root's PostgreSQL runs as another user, and every start of pytest shuts
    others out of the directory above it.
    """
    with TemporaryDirectory(prefix="tandem-test-demo-") as name:
        yield Path(name)


@pytest.fixture
def engine_directory(engine_tiles: TileSet) -> Path:
    """The cache that holds the tiles."""
    return engine_tiles.directory.parent


def test_two_days_with_one_seed_end_the_same(home: Path, engine_directory: Path) -> None:
    """Two runs at once, in each other's way, agree on every outcome, price and balance."""
    homes = [home / name for name in ("one", "two")]
    for directory in homes:
        directory.mkdir()
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


@pytest.mark.parametrize("moment", ["PostgreSQL", "Tandem server", "outage"])
def test_interrupt_leaves_no_process(home: Path, engine_directory: Path, moment: str) -> None:
    """Ctrl-C during the start or the day stops everything that was started, by process id."""
    with Demo(home, engine_directory, *DAY) as demo:
        demo.read_until(moment)
        pids = demo.processes()
        demo.interrupt()
        assert demo.wait() == 130, demo.text
    assert len(pids) > 1
    assert gone(pids)


def test_stay_leaves_the_server_up_until_interrupted(home: Path, engine_directory: Path) -> None:
    """With --stay the documentation can be read after the day; Ctrl-C is then a good end.

    Meanwhile a second demo in the same directory ends at once: it would wipe the first one's data.
    """
    with Demo(home, engine_directory, "--deliveries", "3", "--stay") as demo:
        url = demo.read_until("/docs").split()[-1]
        with Demo(home, engine_directory) as second:
            assert second.wait() == 1
            assert "another demo runs" in second.text
        assert answers(url)
        pids = demo.processes()
        demo.interrupt()
        assert demo.wait() == 0, demo.text
    assert gone(pids)


def test_killed_demo_is_cleaned_up_by_the_next(home: Path, engine_directory: Path) -> None:
    """What a killed demo leaves running is ended, and every run starts from nothing."""
    day = ("--seed", "5", "--deliveries", "6")
    with Demo(home, engine_directory, *day) as first:
        first.read_until("calm")
        main, *others = first.processes()
        psutil.Process(main).kill()
        first.wait()
    digests = set()
    for _ in range(2):
        with Demo(home, engine_directory, *day) as demo:
            assert demo.wait() == 0, demo.text
            digests.add(demo.cell("outcome digest"))
    assert gone(others)
    assert len(digests) == 1
