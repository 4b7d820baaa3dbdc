"""`chaos run` when its directory, its disk or its terminal is not as it should be: it says so and loses nothing."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from devstack import running, terminal
from devstack.chaos import run_command
from devstack.chaos.fault import Fault
from devstack.chaos.faults.catalogue import FAULTS
from devstack.chaos.own_directory import claimed, own_directory
from devstack.chaos.run import ChaosRun, Plan
from devstack.chaos.run_command import run
from devstack.chaos.run_verdicts import recorded
from devstack.chaos.schedule import Scheduled
from devstack.chaos.stage import Stage
from devstack.chaos.timeline import Timeline
from devstack.chaos.torturer import Torturer
from devstack.chaos.verdict import Verdict
from devstack.chaos.watch import Watch
from devstack.display import say_and_log
from devstack.running import Stack, running_stack
from devstack.state import State
from ordersaga.cli.errors import CannotRunHere, Failed
from tests.support.wait import until

FULL = Path("/dev/full")
Show = Any


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "run"


def started(directory: Path, *options: str) -> Result:
    return CliRunner().invoke(run, ["--seed", "7", "--directory", str(directory), *options])


def performs(monkeypatch: pytest.MonkeyPatch, does: Any) -> None:
    """Instead of a run on a stack; every verdict is good."""

    def perform(chaos: ChaosRun, show: Show) -> None:
        chaos.verdicts.append(Verdict("money", "Is it?"))
        does(chaos, show)

    monkeypatch.setattr(ChaosRun, "perform", perform)
    monkeypatch.setattr(run_command, "interrupt_by_signal", lambda: None)
    monkeypatch.setattr("devstack.chaos.report.page.page", lambda _: "<html>")


def test_a_second_run_with_the_directory_of_one_that_goes_on_is_refused_and_changes_nothing(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    performs(monkeypatch, lambda *_: None)
    with claimed(directory):
        done = started(directory)
        assert (done.exit_code, "Another run is using" in done.output) == (2, True)
        assert not list(directory.iterdir())


def test_a_run_in_a_directory_that_is_not_empty_is_refused_and_changes_nothing(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    performs(monkeypatch, lambda *_: None)
    directory.mkdir()
    (directory / "report.json").write_text("of another run")
    done = started(directory)
    assert (done.exit_code, "is not empty" in done.output) == (2, True)
    assert [path.read_text() for path in directory.iterdir()] == ["of another run"]


def test_a_claim_ends_with_its_run_and_holds_for_every_kind_of_run(directory: Path) -> None:
    with own_directory(directory) as chosen, pytest.raises(CannotRunHere), claimed(chosen):
        pass
    with claimed(directory):
        pass


def fill_the_disk(chaos: ChaosRun, _: Show) -> None:
    """From now on nothing can be written to the file."""
    (chaos.plan.directory / "report.html.new").symlink_to(FULL)


def test_a_report_that_finds_the_disk_full_names_its_file_and_the_verdicts_are_said_all_the_same(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    performs(monkeypatch, fill_the_disk)
    done = started(directory)
    assert done.exit_code == 1
    assert f"Error: {directory}/report.html cannot be written: No space left on device." in done.output
    assert "everything is stopped. Make room, or name another place with --directory" in done.output
    assert "All 1 verdicts are good." in done.output
    assert "report.html\n" not in done.output
    assert json.loads((directory / "report.json").read_text())["good"]
    assert not list(directory.glob("report.html*"))


def test_the_verdicts_of_a_report_that_cannot_be_written_are_there_as_json(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    performs(monkeypatch, fill_the_disk)
    done = started(directory, "--json")
    assert (done.exit_code, json.loads(done.stdout)["good"]) == (1, True)


def test_a_report_whose_directory_has_vanished_names_its_file(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    performs(monkeypatch, lambda *_: shutil.rmtree(directory))
    done = started(directory)
    assert done.exit_code == 1
    assert f"Error: {directory}/report.json cannot be written: No such file or directory." in done.output


class Healed(Fault):
    """Notes that it was healed."""

    name, does = "healed", "It does nothing."
    seen: list[str]

    def inject(self) -> str:
        return "Harmed."

    def heal(self) -> str:
        self.seen.append(self.name)
        return "Healed."


def test_a_full_disk_keeps_no_fault_from_being_healed_and_is_an_offence(directory: Path) -> None:
    directory.mkdir()
    (directory / "timeline.jsonl").symlink_to(FULL)
    timeline = Timeline(directory / "timeline.jsonl")
    Healed.seen = []
    scheduled = [Scheduled(1, "healed", 0.0, 60.0, "1"), Scheduled(2, "healed", 0.0, 60.0, "2")]
    stage = Stage(cast("Stack", None), cast("Any", None), directory)
    torturer = Torturer(stage, scheduled, {"healed": Healed}, timeline)
    timeline.begin()
    torturer.start()
    until(lambda: len(torturer.active) == 2, seconds=5)
    torturer.finish()
    timeline.close()
    assert Healed.seen == ["healed", "healed"]
    assert [moment.event for moment in timeline.moments] == ["inject", "inject", "heal", "heal"]
    [offence] = recorded(timeline.lacks(), "").offences
    assert offence.detail.startswith(f"{directory}/timeline.jsonl cannot be written: OSError(28")


def test_samples_that_cannot_be_written_are_an_offence(tmp_path: Path) -> None:
    stage = Stage(cast("Stack", None), cast("Any", None), tmp_path / "gone")
    timeline = Timeline(tmp_path / "timeline.jsonl")
    with Watch(stage, timeline, lambda: (0, 0, 0)) as watch:
        until(watch.lacks, seconds=5)
    timeline.close()
    assert not recorded(timeline.lacks(), watch.lacks()).is_good
    assert recorded(timeline.lacks(), "").is_good


def test_a_run_ends_when_its_stack_has_ended_and_heals_all_the_same(directory: Path) -> None:
    chaos = ChaosRun(Plan(7, 60, 5, FAULTS, directory), Console(file=StringIO()), {}, lambda _: None)
    done: list[str] = []
    ended = SimpleNamespace(ended=SimpleNamespace(is_set=lambda: True), failure=OSError(28, "No space left on device"))
    torturer = SimpleNamespace(start=lambda: None, is_alive=lambda: True, finish=lambda: done.append("healed"))
    load = SimpleNamespace(start=lambda: None)
    stage = Stage(cast("Stack", SimpleNamespace(supervisor=ended)), cast("Any", None), directory)
    with pytest.raises(Failed, match=r"The stack has ended: OSError.*No space left"):
        chaos.torture(stage, cast("Any", load), cast("Any", torturer), lambda _: None)
    chaos.timeline.close()
    assert done == ["healed"]


def test_a_stack_is_stopped_although_its_log_and_its_records_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    state = State(tmp_path / "state").create()
    state.log("supervisor").symlink_to(FULL)
    supervisor = SimpleNamespace(start=lambda: None, shut_down=lambda: done.append("stopped"))
    stack = Stack(state, cast("Any", None), cast("Any", supervisor), [])
    monkeypatch.setattr(running, "make_servers", lambda *_: [])
    monkeypatch.setattr(running, "assemble", lambda *_: stack)
    monkeypatch.setattr(running, "show_start", lambda *_: None)
    with running_stack(state, Console(file=StringIO()), caller={}):
        shutil.rmtree(state.directory)
    assert done == ["stopped"]


def test_what_is_said_is_shown_although_the_log_cannot_be_written() -> None:
    shown = StringIO()
    say_and_log(Console(file=shown), FULL)("Stopping")
    assert shown.getvalue() == "Stopping\n"


@contextmanager
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Standard output is a terminal; to close the file descriptor is to close its window."""
    window, inside = os.openpty()
    with os.fdopen(inside, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        yield window


def test_a_console_takes_what_is_said_after_its_terminal_was_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    with on_terminal(monkeypatch) as window:
        console = terminal.console()
        assert console.is_terminal
        os.close(window)
        for _ in range(2):
            console.print("Nobody reads this.")
        sys.stdout.write("Nor this, which Python would write when it ends.")
        sys.stdout.flush()


def test_a_run_whose_terminal_is_closed_writes_its_report_and_ends_as_after_ctrl_c(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang_up(chaos: ChaosRun, show: Show) -> None:
        show(chaos)
        os.close(window)
        chaos.interrupted = True
        chaos.timeline.note("phase", "Interrupted: everything is healed, drained and checked.")
        show(chaos)

    performs(monkeypatch, hang_up)
    with on_terminal(monkeypatch) as window:
        assert run_command.perform(Plan(7, 3, 5, FAULTS, directory), keep=False, as_json=False) == 130
    assert json.loads((directory / "report.json").read_text())["interrupted"]
    assert (directory / "report.html").exists()
