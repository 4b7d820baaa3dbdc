"""The product of failpoints and actions: complete, divided without loss, and each entry has a way to be reached."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from devstack.chaos.explorer.command import nothing_left
from devstack.chaos.explorer.exploration import Explored, append, explored_before
from devstack.chaos.explorer.places import PLACES, REBUILD
from devstack.chaos.explorer.product import ACTIONS, Entry, chosen, product, rounds
from devstack.chaos.explorer.provocations import PROVOCATIONS
from devstack.processes import PROCESSES
from ordersaga.runtime.armed_failpoints import parsed
from ordersaga.runtime.failpoints import POINTS

ENTRY = Entry("relay.confirmed", "kill", "orders-relay")


def test_every_failpoint_of_the_library_is_explored_with_every_action() -> None:
    assert PLACES.keys() == POINTS.keys()
    entries = product()
    assert len(entries) == len(POINTS) * len(ACTIONS)
    assert {(entry.point, entry.action) for entry in entries} == {(p, a) for p in POINTS for a in ACTIONS}


def test_every_process_of_a_failpoint_is_explored_where_that_is_asked_for() -> None:
    entries = product(every_process=True)
    assert len(set(entries)) == len(entries) == sum(len(place.processes) * 3 for place in PLACES.values())
    assert set(product()) <= set(entries)


def test_each_entry_names_a_process_of_the_stack_and_a_provocation_that_there_is() -> None:
    names = {process.name for process in PROCESSES} | {REBUILD}
    for entry in product(every_process=True):
        assert entry.process in names
        assert entry.provocation in PROVOCATIONS
        assert parsed(str(entry.armed)) == {entry.point: entry.armed}


@pytest.mark.parametrize("of", [1, 5, 7])
def test_shards_are_all_entries_and_each_once(of: int) -> None:
    found = product()
    shards = [chosen(found, (), (), (number + 1, of)) for number in range(of)]
    assert sorted(map(str, found)) == sorted(str(entry) for shard in shards for entry in shard)
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


@pytest.mark.parametrize("at_once", [1, 3])
def test_entries_of_a_round_are_in_different_processes(at_once: int) -> None:
    found = rounds(product(), at_once)
    assert sorted(str(entry) for each in found for entry in each) == sorted(map(str, product()))
    for each in found:
        assert len({entry.process for entry in each}) == len(each) <= at_once


def test_points_and_actions_narrow_what_is_explored() -> None:
    assert [str(entry) for entry in chosen(product(True), ["seal.signed"], ["kill"], (1, 1))] == [
        "seal.signed=kill in audit-sealer"
    ]


def test_an_entry_whose_failpoint_was_not_reached_is_not_good_although_nothing_is_wrong() -> None:
    assert not Explored(ENTRY).is_good
    assert "not reached" in str(Explored(ENTRY))
    assert Explored(ENTRY, reached=True).is_good
    assert not Explored(ENTRY, reached=True, wrong=["an order is lost"]).is_good


def test_the_report_says_what_need_not_be_explored_again(tmp_path: Path) -> None:
    report = tmp_path / "entries.jsonl"
    assert explored_before(report) == {}
    append(report, Explored(ENTRY))
    assert explored_before(report) == {ENTRY: False}
    append(report, Explored(ENTRY, reached=True, orders=["1"], seconds=2))
    assert explored_before(report) == {ENTRY: True}


def test_a_report_whose_last_line_was_not_written_to_its_end_can_be_continued(tmp_path: Path) -> None:
    report = tmp_path / "entries.jsonl"
    append(report, Explored(ENTRY, reached=True))
    with report.open("a") as file:
        file.write('{"entry": {"po')
    assert explored_before(report) == {ENTRY: True}


@pytest.mark.parametrize(
    ("given", "code"), [([], 1), ([True], 0), ([False], 1), ([False, True], 1)], ids=["none", "good", "bad", "once bad"]
)
def test_with_nothing_left_to_explore_a_bad_verdict_is_not_forgotten(
    tmp_path: Path, given: list[bool], code: int
) -> None:
    path = tmp_path / "verdicts.jsonl"
    for good in given:
        with path.open("a") as file:
            file.write(json.dumps([{"name": "money", "good": good}]) + "\n")
    assert nothing_left(path, Console(quiet=True)) == code
