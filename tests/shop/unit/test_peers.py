"""Side by side with the peers, without running them."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers.__main__ import main
from benchmarks.peers.harness import NEEDED, Harness, command_of
from benchmarks.peers.side_by_side import cells, markdown, side_by_side


def line(peer: str, p50: float, p99: float) -> dict[str, Any]:
    figures = {"value": p50, "unit": "ms p50", "p50_ms": p50, "p99_ms": p99}
    return {"section": "B", "case": "saga-20/s", "peer": peer, **figures}


LINES = [line("naive", 10, 20), line("ours", 15, 50), line("naive", 30, 40)]


def test_a_missing_harness_is_named_with_the_way_to_name_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--peers", str(tmp_path / "nowhere")]) == 2
    said = capsys.readouterr().err
    assert f"{tmp_path}/nowhere is not the peers' harness" in said
    assert "make bench-peers PEERS=DIR" in said


def test_ours_joins_the_harness_by_commands_that_run_from_its_directory(tmp_path: Path) -> None:
    for name in NEEDED:
        (tmp_path / name).touch()
    environment = Harness.at(tmp_path, tmp_path / "work").environment()
    assert environment["OURS_SAGA"] == command_of("ours_saga", tmp_path)
    assert environment["OURS_RELAY"].endswith("-P -m benchmarks.peers.ours_relay")
    assert f":{tmp_path} " in environment["OURS_APPEND"]


def test_each_peer_has_the_median_of_its_runs_and_the_ratio_of_ours_to_it() -> None:
    naive, ours = side_by_side(LINES)
    assert (naive.value, naive.ratio, naive.p99_ratio, naive.runs) == (20, 0.75, 1.667, [10, 30])
    assert (ours.value, ours.ratio) == (15, None)


def test_wrong_final_states_and_refused_orders_stand_in_the_table() -> None:
    wrong, refusing = side_by_side([{**LINES[0], "ok": False}, {**LINES[1], "ok": True, "refused": 3}])
    assert cells(wrong)[-1] == "NO"
    assert cells(refusing)[-1] == "yes, 3 refused"
    assert len(list(markdown([wrong, refusing]))) == 4
