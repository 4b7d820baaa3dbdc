"""A forked process is what Python would have started."""

import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.mutation.reach import Reach, Tracer
from tests.mutation.session import with_shared_processes
from tests.support.forked import Forked
from tests.support.wait import until

SAYS = """
import os, sys
print(sys.argv, __name__, os.environ["ONLY"], sorted(os.environ), flush=True)
sys.exit(int(sys.stdin.read() or 7))
"""


def forked(log: Path, *command: str, **environment: str) -> Forked:
    """Its log is closed here as soon as it is started."""
    with log.open("wb") as output:
        return Forked(command, environment, output.fileno())


def test_it_is_a_child_with_its_own_arguments_variables_output_and_exit_code(tmp_path: Path) -> None:
    running = forked(tmp_path / "log", "-c", SAYS, "one", ONLY="this")
    assert running.wait(20) == 7
    assert (tmp_path / "log").read_text() == "['-c', 'one'] __main__ this ['ONLY']\n"


def test_a_module_is_run_as_the_main_one(tmp_path: Path) -> None:
    running = forked(tmp_path / "log", "-m", "ordersaga.relay.daemon", "--help")
    assert running.wait(20) == 0
    assert "python -m ordersaga.relay.daemon" in (tmp_path / "log").read_text()


def test_each_start_is_seen_by_an_audit_as_that_of_any_process(tmp_path: Path) -> None:
    """By it a mutation run knows which tests reach what another process runs."""
    tracer = Tracer([])
    for _ in range(2):
        with tracer.of(reach := Reach()):
            running = forked(tmp_path / "log", "-c", "")
        assert running.wait(20) == 0
        assert reach.others


def test_a_process_of_one_test_may_serve_the_others_of_its_file() -> None:
    reached = with_shared_processes({"a.py::one": Reach(), "a.py::two": Reach(others=True), "b.py::one": Reach()})
    assert [name for name, reach in reached.items() if reach.others] == ["a.py::one", "a.py::two"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_it_as_any_child(tmp_path: Path, number: signal.Signals) -> None:
    running = forked(tmp_path / "log", "-c", "import signal; signal.pause()")
    assert running.poll() is None
    assert psutil.Process(running.pid).ppid() == os.getpid()
    running.send_signal(number)
    assert running.wait(20) == -number


def test_who_is_orphaned_in_a_test_is_not_adopted_by_it(tmp_path: Path) -> None:
    assert forked(tmp_path / "log", "-c", "").wait(20) == 0
    orphan = subprocess.run(["sh", "-c", "sleep 30 >/dev/null 2>&1 & echo $!"], capture_output=True, check=True)
    process = psutil.Process(int(orphan.stdout))
    until(lambda: process.ppid() != os.getpid())
    process.kill()
