"""Every way to interrupt a test run, with and without xdist."""

import signal
from pathlib import Path

import pytest

from tests.shop.test_interrupted_runs import check_interrupted


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["alone", "xdist"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
@pytest.mark.parametrize("test", ["test_of_servers", "test_of_a_whole_stack"])
def test_an_interrupted_run_leaves_no_process_and_no_file(
    tmp_path: Path, test: str, options: list[str], number: signal.Signals
) -> None:
    check_interrupted(tmp_path, test, options, number)
