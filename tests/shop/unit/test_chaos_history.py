"""The history of the commands that a chaos run has sent."""

from pathlib import Path

import pytest

from devstack.chaos.history import History, read


def history_of(path: Path) -> History:
    history = History(path)
    with history.operation("place_order", "a", {"sku": "tea"}) as placed:
        placed.succeed(order_id="1")
    with history.operation("cancel", "b", {"order_id": "1"}) as cancelled:
        cancelled.refuse("404")
    return history


def test_a_history_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    with history_of(path) as history:
        waiting = history.operation("place_order", "c", {"sku": "cup"})
        waiting.__enter__()
    found = read(path)
    assert [(each.kind, each.outcome) for each in found] == [
        ("place_order", "ok"),
        ("cancel", "fail"),
        ("place_order", "indeterminate"),
    ]
    assert found[0].answer == {"order_id": "1"}


@pytest.mark.parametrize("missing", [1, 2, 40])
def test_a_line_that_a_full_disk_has_cut_off_is_no_operation(tmp_path: Path, missing: int) -> None:
    path = tmp_path / "history.jsonl"
    history_of(path).close()
    path.write_text(path.read_text()[:-missing])
    assert [each.kind for each in read(path)] == ["place_order"]
