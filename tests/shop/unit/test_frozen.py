"""A process that a scenario has stopped goes on, also when the scenario is killed."""

import os
import signal
import subprocess
import sys

import psutil

from devstack.breaking import frozen as module
from devstack.breaking.frozen import frozen
from devstack.children import Identity
from devstack.state import IMPORT_PATH
from tests.support.wait import until


def test_it_is_stopped_for_the_block_and_goes_on_after_an_error() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            with frozen(Identity.of(process.pid), 60):
                until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED, seconds=5)
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            pass
        assert psutil.Process(process.pid).status() != psutil.STATUS_STOPPED
        process.kill()


def test_the_guard_lets_it_go_on_when_the_one_who_stopped_it_is_killed() -> None:
    code = """
import os, signal
from devstack.breaking import frozen
from devstack.children import Identity
frozen.MARGIN_SECONDS = 0
with frozen.frozen(Identity.of({pid}), 0.3):
    print("stopped", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    with subprocess.Popen(["sleep", "60"]) as process:
        killed = subprocess.run(
            [sys.executable, "-c", code.format(pid=process.pid)],
            env=os.environ | {"PYTHONPATH": IMPORT_PATH},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        assert killed.returncode == -signal.SIGKILL
        assert module.MARGIN_SECONDS > 0
        until(lambda: psutil.Process(process.pid).status() != psutil.STATUS_STOPPED, seconds=5)
        process.kill()
