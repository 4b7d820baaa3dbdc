"""Every program says what it is for and what it reads, and refuses what it does not know."""

import os
import subprocess
import sys

import pytest

from devstack.state import IMPORT_PATH, ROOT

WORKERS = ("order_service", "payment_service", "inventory_service", "projections")
PROGRAMS = (*WORKERS, "relay", "ordersaga.audit")


def run(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", program, *arguments]
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": IMPORT_PATH, **environment}
    return subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_is_answered_without_any_environment(program: str) -> None:
    done = run(program, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: python -m {program}")
    assert "_DATABASE_URL" in done.stdout or "AMQP_URL" in done.stdout


@pytest.mark.parametrize("program", PROGRAMS)
def test_an_option_that_does_not_exist_is_refused_and_nothing_is_started(program: str) -> None:
    done = run(program, "--hepl")
    assert done.returncode in (1, 2)
    assert f"python -m {program}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("program", ["order_service", "relay"])
def test_an_impossible_log_level_is_named_with_those_that_there_are(program: str) -> None:
    done = run(program, LOG_LEVEL="loud")
    assert done.returncode == 2
    assert "LOG_LEVEL: Input should be 'DEBUG', 'INFO', 'WARNING', 'ERROR' or 'CRITICAL'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_log_level_may_be_written_small() -> None:
    assert "LOG_LEVEL" not in run("order_service", LOG_LEVEL="debug").stderr
