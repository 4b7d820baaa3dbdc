"""The demo, as a newcomer runs it."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from devstack.state import ROOT


def test_the_demo_ends_with_books_that_balance() -> None:
    with tempfile.TemporaryDirectory(prefix="ordersaga-demo-") as directory:
        command = [sys.executable, "-m", "devstack", "demo", "--json", "--state", str(Path(directory) / "state")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["violations"] == []
    assert result["orders"] == result["confirmed"] + result["cancelled"] == 65
    assert set(result["by_reason"]) >= {"payment_declined", "out_of_stock", "changed_my_mind", "timed_out"}
