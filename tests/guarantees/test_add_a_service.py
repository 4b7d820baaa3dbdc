"""The service that docs/ADD_A_SERVICE.md adds does what the page says, with the code as it stands there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from stack.state import ROOT

BLOCK = re.compile(r"```python\n# (?P<path>\S+)\n(?P<code>.*?)```", re.DOTALL)
TEST = "tests/unit/test_delivery_service.py"


def test_the_service_of_the_page_passes_the_tests_of_the_page(tmp_path: Path) -> None:
    for package in ("contracts", "tests/support"):
        shutil.copytree(ROOT / package, tmp_path / package)
    for block in BLOCK.finditer((ROOT / "docs" / "ADD_A_SERVICE.md").read_text()):
        file = tmp_path / block["path"]
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(block["code"])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", TEST],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert "4 passed" in done.stdout, done.stdout + done.stderr
