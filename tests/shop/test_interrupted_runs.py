"""A test run that is interrupted ends all that it has started: servers, workers, relays; see tests/chaos too."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.state import ROOT
from tests.shop.support import interrupted
from tests.shop.support.interrupted import STARTED
from tests.support.wait import until
from tests.support.watchdog import processes_of

SERVERS = {"postgres", "beam.smp", "epmd"}


@pytest.mark.timeout(300)
def test_a_run_whose_master_is_killed_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    check_interrupted(tmp_path, "test_of_servers", ["-n", "1"], signal.SIGKILL)


def check_interrupted(directory: Path, test: str, options: list[str], number: signal.Signals) -> None:
    run, started = directory / "run", directory / "started"
    run.mkdir(mode=0o711)
    environment = {**os.environ, "TMPDIR": str(run), STARTED: str(started)}
    environment.pop("PYTEST_XDIST_WORKER", None)
    command = [sys.executable, "-m", "pytest", "-q", "--timeout=280", f"{interrupted.__file__}::{test}", *options]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    until(lambda: started.exists() or process.poll() is not None, seconds=150)
    assert process.poll() is None, (directory / "log").read_text()
    assert {each.name() for each in processes_of(run)} > SERVERS
    process.send_signal(number)
    until(lambda: process.poll() is not None and not processes_of(run), seconds=60)
    assert not any(run.iterdir())
