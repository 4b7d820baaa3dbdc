"""The tables and pictures that the benchmarks write into the documents."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from benchmarks import plots
from benchmarks.goals import Kept, goals_table
from benchmarks.report import PAGE, PARTS, README, filled, readme_table
from benchmarks.steps import middle
from benchmarks.svg import Scale

LOADS = ("full", "20/s", "50/s")


def step(name: str, times: float) -> dict[str, Any]:
    return {
        "step": name,
        "rows": [{"name": row, "value": 10 * times} for row, _ in plots.PANELS],
        "cpu_ms": {load: {"postgres": 5 * times, "orders-relay": 2, "orders-api": 1, "epmd": 0} for load in LOADS},
        "curves": {load: {"50": 10 * times, "99": 100 * times, "99.9": 900 * times} for load in LOADS},
    }


def test_the_documents_show_the_kept_figures() -> None:
    for page, parts in ((PAGE, PARTS), (README, {"figures": readme_table})):
        assert page.read_text() == filled(page.read_text(), parts), "run python -m benchmarks.report"


def test_every_picture_is_svg_with_a_bar_or_a_line_for_each_figure() -> None:
    steps = [step("before", 2), step("between", 1.5), step("now", 1)]
    windows = [{"seconds": 10.0 * n, "p50_ms": 20, "p99_ms": 90, "memory_mb": 900} for n in range(1, 31)]
    drawn = {
        plots.steps(steps): ("rect", 1 + 3 * len(plots.PANELS)),
        plots.cpu(steps): ("rect", 1 + len(plots.KINDS) + 2 * len(LOADS) * len(plots.KINDS)),
        plots.curves(steps): ("polyline", 2 * len(LOADS)),
        plots.steady({"windows": windows}): ("polyline", 3),
    }
    for picture, (tag, number) in drawn.items():
        found = [element for element in ElementTree.fromstring(picture).iter() if element.tag.endswith("}" + tag)]
        grid_lines = sum(element.get("stroke") == "#d0d7de" for element in found)
        assert len(found) - grid_lines == number


def test_a_figure_to_reach_is_found_in_what_is_kept_and_held_to_its_bound(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    rows = [{"name": "saga_at_50_per_s_p99_ms", "value": 100}, {"name": "sagas_per_s", "ratio": 0.5}]
    peers = [{"case": "saga-burst", "peer": "naive flask+pika", "ratio": 1.1}]
    (tmp_path / "baseline.json").write_text(json.dumps({"rows": rows}))
    (tmp_path / "figures" / "peers.json").write_text(json.dumps({"peers": peers}))
    found = "\n".join(goals_table(Kept(tmp_path)))
    assert "| whole sagas/s / naive Flask and pika | >= 1 | 1.1 | reached |" in found
    assert "| whole sagas/s / the monolith | >= 0.45 | 0.5 | reached |" in found
    assert "| p99 at 50/s, ms | < 100 | 100 | **missed** |" in found
    assert "| whole sagas/s / dbos | >= 2 | not yet |  |" in found


def test_a_scale_begins_at_nothing_and_ends_above_the_largest() -> None:
    scale = Scale([3, 47], 100, 0)
    assert (scale.ticks, scale(0), scale(60)) == ([0, 20, 40, 60], 100, 0)
    assert Scale([3, 470], 0, 90, logarithmic=True).ticks == [1, 10, 100, 1000]


def test_rounds_are_put_together_by_the_median_of_each_number() -> None:
    rounds = [{"rows": [{"name": "p50", "value": value, "ratio": None}], "load": value} for value in (1, 9, 2)]
    assert middle(rounds) == {"rows": [{"name": "p50", "value": 2, "ratio": None}], "load": 2}
