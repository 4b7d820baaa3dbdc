"""What is kept of a process that a rolling restart has found stuck."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import psutil
import pytest

from devstack.chaos.faults import rolling
from devstack.chaos.faults.rolling import RollingRestart
from devstack.chaos.stage import Stage
from devstack.records import Records
from devstack.state import State
from tests.support.wait import until

NAME = "orders-relay"


@pytest.fixture
def stopped() -> Iterator[subprocess.Popen[bytes]]:
    """It gets SIGTERM only when somebody lets it continue."""
    with subprocess.Popen(["sleep", "60"]) as process:
        process.send_signal(signal.SIGSTOP)
        until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED, seconds=5)
        yield process
        process.kill()


def test_a_process_that_stays_leaves_the_state_and_the_signals_of_its_threads(
    stopped: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rolling, "READY_SECONDS", 0.1)
    state = State(tmp_path / "state").create()
    records = Records(state)
    records.add(NAME, stopped.pid)
    stack, scene = SimpleNamespace(state=state), SimpleNamespace(records=records)
    fault = RollingRestart(Stage(cast("Any", stack), cast("Any", scene), tmp_path), Random(1))
    fault.order = [NAME]
    fault.inject()
    until(lambda: bool(fault.stuck), seconds=5)
    with pytest.raises(RuntimeError, match=f"{NAME}: not ready as a new process"):
        fault.heal()
    kept = (tmp_path / f"stuck-{NAME}.txt").read_text()
    assert "Name:\tsleep" in kept
    assert "State:\tT (stopped)" in kept
    assert "ShdPnd:\t0000000000004000" in kept
