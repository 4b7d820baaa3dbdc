"""Failpoints: each is in the table, acts once and only where a file arms it, and is seen by whoever looks."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ordersaga.runtime import armed_failpoints, failpoints, health
from ordersaga.runtime.armed_failpoints import Armed, mark_of, parsed
from ordersaga.runtime.failpoints import POINTS, VARIABLE, FailpointReached, reach
from ordersaga.runtime.settings import MissingSetting

LIBRARY = Path(failpoints.__file__).parent.parent
REACHED = re.compile(r'failpoints\.reach\("([^"]+)"\)')
POINT, OTHER = "relay.confirmed", "relay.published"


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "armed"
    failpoints.armed = None


def arm(file: Path, *lines: str) -> None:
    new = file.with_suffix(".new")
    new.write_text("\n".join(lines))
    new.chmod(0o600)
    new.replace(file)


def begin(file: Path) -> None:
    failpoints.begin({VARIABLE: str(file)})


def test_the_code_reaches_every_failpoint_of_the_table_and_no_other() -> None:
    reached = {name for path in LIBRARY.rglob("*.py") for name in REACHED.findall(path.read_text())}
    assert reached == POINTS.keys()


def test_every_failpoint_is_reached_by_a_literal_name_that_the_table_check_can_see() -> None:
    calls = sum(path.read_text().count("failpoints.reach(") for path in LIBRARY.rglob("*.py"))
    assert calls == sum(len(REACHED.findall(path.read_text())) for path in LIBRARY.rglob("*.py"))


def test_without_the_variable_nothing_is_armed_whatever_lies_about(file: Path) -> None:
    arm(file, f"{POINT}=exception")
    failpoints.begin({})
    failpoints.begin({VARIABLE: ""})
    assert failpoints.armed is None
    assert failpoints.warnings() == []
    for name in POINTS:
        reach(name)


def test_an_exception_is_raised_at_the_wanted_passage_and_never_again(file: Path) -> None:
    arm(file, f"{POINT}=exception@3")
    begin(file)
    reach(POINT)
    reach(POINT)
    reach(OTHER)
    with pytest.raises(FailpointReached, match=POINT):
        reach(POINT)
    for _ in range(5):
        reach(POINT)
    assert json.loads(mark_of(file, POINT).read_text())["pid"] == os.getpid()


def test_a_process_that_is_started_again_does_not_act_again(file: Path) -> None:
    arm(file, f"{POINT}=exception")
    begin(file)
    with pytest.raises(FailpointReached):
        reach(POINT)
    begin(file)
    reach(POINT)


def test_a_running_process_heeds_what_is_armed_later_and_disarmed(file: Path) -> None:
    begin(file)
    reach(POINT)
    arm(file, "# a comment", f"{POINT}=exception@2  # at the second passage from now on")
    reach(POINT)
    with pytest.raises(FailpointReached):
        reach(POINT)
    arm(file, f"{OTHER}=exception")
    file.unlink()
    reach(OTHER)


def test_kill_ends_the_process_with_sigkill(file: Path) -> None:
    arm(file, f"{POINT}=kill")
    program = (
        f"from ordersaga.runtime import failpoints; failpoints.begin(); failpoints.reach({POINT!r}); print('alive')"
    )
    command = [sys.executable, "-c", program]
    environment = {**os.environ, VARIABLE: str(file), "PYTHONPATH": str(LIBRARY.parent)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, "")
    assert f"failpoint {POINT} acts: kill" in ended.stderr


def test_a_stall_lasts_as_long_as_it_says(file: Path) -> None:
    arm(file, f"{POINT}=stall:0.05")
    begin(file)
    began = time.monotonic()
    reach(POINT)
    assert time.monotonic() - began >= 0.05


def test_readyz_warns_for_as_long_as_a_file_may_arm_failpoints(file: Path) -> None:
    arm(file, f"{POINT}=kill@9")
    begin(file)
    _, _, body = health.respond("/readyz", list)
    [warning] = json.loads(body)["warnings"]
    assert "Failpoints are on" in warning
    assert f"{POINT}=kill@9" in warning
    assert VARIABLE in warning


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (f"{POINT}", "is not NAME=ACTION"),
        (f"{POINT}=burn", "is not NAME=ACTION"),
        (f"{POINT}=kill@0", "is not NAME=ACTION"),
        ("relay.nowhere=kill", "no failpoint relay.nowhere"),
    ],
)
def test_a_process_does_not_start_with_a_file_that_names_no_failpoint(file: Path, line: str, complaint: str) -> None:
    arm(file, line)
    with pytest.raises(MissingSetting, match=complaint):
        begin(file)


def test_a_running_process_arms_nothing_of_a_file_that_is_wrong(file: Path) -> None:
    arm(file, f"{POINT}=exception")
    begin(file)
    arm(file, f"{POINT}=exception", "nonsense")
    reach(POINT)


def test_what_was_armed_is_armed_no_more_when_the_file_cannot_be_looked_at(file: Path) -> None:
    folder = file.parent / "folder"
    folder.mkdir()
    arm(folder / "armed", f"{POINT}=exception")
    begin(folder / "armed")
    (folder / "armed").unlink()
    folder.rmdir()
    folder.touch()
    reach(POINT)


@pytest.mark.timeout(10)
def test_a_process_does_not_start_with_a_fifo_in_place_of_the_file(file: Path) -> None:
    """Reading a FIFO blocks until another process writes to it."""
    os.mkfifo(file, 0o600)
    with pytest.raises(MissingSetting, match="must be a file"):
        begin(file)


def test_a_file_that_takes_the_place_of_another_while_it_is_looked_at_is_not_trusted_unseen(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = armed_failpoints.require_private

    def exchanged(found: os.stat_result) -> None:
        real(found)
        arm(file, f"{POINT}=exception")
        file.chmod(0o666)

    begin(file)
    arm(file, "# nothing")
    monkeypatch.setattr(armed_failpoints, "require_private", exchanged)
    reach(POINT)
    monkeypatch.setattr(armed_failpoints, "require_private", real)
    reach(POINT)


def test_a_file_that_others_may_write_arms_nothing(file: Path) -> None:
    arm(file, f"{POINT}=exception")
    file.chmod(0o666)
    with pytest.raises(MissingSetting, match="nobody else may write it"):
        begin(file)


def test_a_line_has_a_name_an_action_seconds_and_a_passage() -> None:
    found = parsed(f"{POINT}=stall:1.5@2\n\n{OTHER}=kill\n")
    assert found == {POINT: Armed(POINT, "stall", 2, 1.5), OTHER: Armed(OTHER, "kill")}
    assert str(found[POINT]) == f"{POINT}=stall:1.5@2"
