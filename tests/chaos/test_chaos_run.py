"""A short chaos run on a real stack: faults by their schedule, every verdict good, and a report; and Ctrl-C."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.chaos.faults.catalogue import FAULTS
from devstack.chaos.schedule import schedule
from devstack.state import ROOT
from tests.support.wait import until

SEED = 3
FEW = ("kill-process", "stop-process", "kill-backend", "two-relays")
RUN = [sys.executable, "-P", "-m", "devstack", "chaos", "run", "--rate", "3"]
FILES = {"report.html", "report.json", "history.jsonl", "timeline.jsonl", "samples.jsonl", "memory.jsonl"}


def command(directory: Path, seed: int, minutes: float) -> list[str]:
    faults = [word for name in FEW for word in ("--fault", name)]
    options = ["--seed", str(seed), "--minutes", str(minutes), "--directory", str(directory), "--json"]
    return [*RUN, *options, *faults]


@pytest.mark.timeout(400)
def test_a_run_injects_what_its_seed_says_ends_with_good_verdicts_and_leaves_a_report(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    done = subprocess.run(command(directory, SEED, 1), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    report = json.loads(done.stdout)
    planned = schedule(SEED, 60, [FAULTS[name] for name in FEW])
    assert [each["fault"] for each in report["faults"]] == [each.name for each in planned]
    assert report["good"]
    assert {path.name for path in directory.iterdir()} >= FILES
    assert not (directory / "state").exists()
    assert report["commands"]["place_order"]["ok"] > 100


@pytest.mark.timeout(400)
def test_ctrl_c_heals_drains_and_reports(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    with subprocess.Popen(
        command(directory, SEED, 30), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as run:
        timeline = directory / "timeline.jsonl"
        until(lambda: timeline.exists() and '"inject"' in timeline.read_text(), 120, every=0.2)
        run.send_signal(signal.SIGINT)
        said, _ = run.communicate(timeout=200)
    report = json.loads(said)
    assert run.returncode == 130
    assert (report["interrupted"], report["good"]) == (True, True)
    events = [json.loads(line)["event"] for line in timeline.read_text().splitlines()]
    assert events.count("heal") == events.count("inject") > 0
