"""What the bench makes of its measurements: ratios, goals, floors, and the files it writes."""

import json
from pathlib import Path

import pytest
from bench.ledger.baselines import tps
from bench.ledger.cpu import Cpu
from bench.ledger.floors import BELOW_HALF_TODAY, collapsed, floor
from bench.ledger.load import percentile, timed
from bench.ledger.report import (
    COLUMNS,
    Result,
    achievement,
    alone,
    as_json,
    cells,
    compared,
    draw,
    markdown,
    spread_text,
)


def _ratio(value: float, *, at_least: float | None = None, at_most: float | None = None) -> Result:
    return compared("s", "things/s", [value], [1.0], at_least=at_least, at_most=at_most)


def test_a_ratio_is_of_medians() -> None:
    """One disturbed round of either side moves nothing."""
    result = compared("s", "u", [8.0, 9.0, 1.0], [10.0, 900.0, 10.0], at_least=0.8)
    assert (result.figure, result.baseline, result.ratio, result.met) == (8.0, 10.0, 0.8, True)


@pytest.mark.parametrize(
    ("result", "met", "share"),
    [
        (_ratio(0.8, at_least=0.8), True, 1.0),
        (_ratio(0.4, at_least=0.8), False, 0.5),
        (_ratio(2.0, at_most=2.0), True, 1.0),
        (_ratio(4.0, at_most=2.0), False, 0.5),
        (alone("s", "ms", [50.0], at_most=25.0), False, 0.5),
        (alone("s", "ms", [12.5], at_most=25.0), True, 2.0),
        (alone("s", "ms", [12.5]), None, None),
    ],
)
def test_goals_point_the_right_way(result: Result, met: bool | None, share: float | None) -> None:
    """A goal is met at its bound; half as good is half of it, whether less or more is better."""
    assert result.met is met
    assert achievement(result) == share


def test_a_baseline_that_did_nothing_is_no_baseline() -> None:
    """A stalled baseline stops the run and flatters nobody."""
    with pytest.raises(SystemExit, match="did nothing"):
        compared("s", "u", [1.0], [0.0])


def test_the_file_has_the_agreed_members() -> None:
    """A list of lines, each with these members and no more."""
    lines = json.loads(as_json([_ratio(0.5, at_least=0.8), alone("s", "ms", [1.0])]))
    assert [tuple(line) for line in lines] == [COLUMNS, COLUMNS]
    assert lines[0]["met"] is False
    assert lines[1]["baseline"] is lines[1]["goal"] is lines[1]["met"] is None


def test_cells_say_which_way_a_goal_points() -> None:
    """Ratios are percent or times; a goal without a baseline is a figure."""
    assert cells(_ratio(0.5, at_least=0.85))[4:7] == ("50%", "≥ 85%", "missed")
    assert cells(_ratio(1.5, at_most=2.0))[4:7] == ("150%", "≤ 2.0 x", "met")
    assert cells(alone("s", "ms", [12_345.6], at_most=25.0))[1:6] == (
        "12,346",
        "ms",
        "",
        "",
        "≤ 25",
    )
    assert markdown([_ratio(0.5)]).count("\n") == 3


def test_rounds_far_apart_are_marked() -> None:
    """Of figure and baseline each; above two it is a noisy machine's."""
    assert spread_text(compared("s", "u", [1.0, 1.5], [1.0, 2.0])) == "1.5 / 2.0"
    assert spread_text(compared("s", "u", [1.0, 1.5], [1.0, 9.0])) == "1.5 / 9.0 !"
    assert spread_text(alone("s", "u", [1.0])) == ""


def test_only_what_falls_below_its_floor_collapsed() -> None:
    """In its best round: half the goal, or what the one table says."""
    assert collapsed([_ratio(0.5, at_least=1.0), alone("s", "ms", [9.0])]) == []
    assert len(collapsed([_ratio(0.49, at_least=1.0)])) == 1
    spoilt = compared("s", "u", [0.1, 0.6], [1.0], at_least=1.0)
    assert (spoilt.met, collapsed([spoilt])) == (False, [])
    start, share = next(iter(BELOW_HALF_TODAY.items()))
    assert floor(start + ", whatever follows") == share < floor("another")


def test_percentiles_are_by_nearest_rank() -> None:
    """Of a hundred values the 99th is the p99; of one it is that."""
    values = [float(number) for number in range(1, 101)]
    assert (percentile(values, 0.5), percentile(values, 0.99)) == (50.0, 99.0)
    assert percentile([7.0], 0.99) == 7.0
    result = timed([0.003, 0.001, 0.002], elapsed_s=0.5)
    assert (result.rate, result.p50_ms, result.p99_ms) == (6.0, 2.0, 3.0)


def test_cpu_is_shared_out() -> None:
    """Seconds between two readings become microseconds for each thing that was done."""
    used = Cpu(3.0, 2.0, 1.0) - Cpu(1.0, 1.0, 1.0)
    assert used.per(1_000_000) == Cpu(2.0, 1.0, 0.0)
    assert used + used == Cpu(4.0, 2.0, 0.0)


def test_what_pgbench_says_is_read() -> None:
    """Its rate; none where the disk stalled the whole time; and no guess at anything else."""
    assert tps("scale\ntps = 1234.5 (without initial connection time)\n") == 1234.5
    assert tps("number of transactions actually processed: 0\n") == 0.0
    with pytest.raises(SystemExit):
        tps("something else")


def test_the_plot_is_drawn(tmp_path: Path) -> None:
    """As PNG and SVG."""
    pytest.importorskip("matplotlib")
    draw({"a": 0.5, "b": 1.5}, tmp_path, "title")
    assert {path.name for path in tmp_path.iterdir()} == {"ledger.png", "ledger.svg"}
