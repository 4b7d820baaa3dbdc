"""Every way to interrupt a test run, with and without xdist."""

import signal
from pathlib import Path

import pytest

from tests.shop.test_interrupted_runs import check_interrupted


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["alone", "xdist"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_an_interrupted_run_with_a_whole_stack_leaves_nothing(
    tmp_path: Path, options: list[str], number: signal.Signals
) -> None:
    check_interrupted(tmp_path, "test_of_a_whole_stack", options, number)
