"""What the tests say of each mutant: `python -m tests.mutation.judge RESULTS < MUTANTS`, one line of JSON for each."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.mutation.fork import TestRun, import_others, run_tests
from tests.mutation.targets import TARGETS

ROOT = Path(__file__).parents[2]
COPIED = [
    "contracts",
    "devstack",
    "docs",
    "inventory_service",
    "order_service",
    "payment_service",
    "projections",
    "relay",
    "shop",
    "src",
    "tests",
]
FIRST_LIMIT = 240.0
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


@contextmanager
def scratch() -> Iterator[Path]:
    """A copy of the tree, whose files may be changed."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        prefix="ordersaga-mutation-", dir=memory if memory.is_dir() else None
    ) as directory:
        tree = Path(directory, "tree")
        tree.parent.chmod(0o711)
        for name in COPIED:
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        shutil.copy2(ROOT / "pyproject.toml", tree)
        yield tree


@contextmanager
def servers(tree: Path) -> Iterator[None]:
    """Postgres and RabbitMQ for all test runs of this process."""
    directory = tree.parent / "servers"
    command = [sys.executable, "-m", "tests.mutation.servers", str(directory)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        try:
            if process.stdout.readline() != b"ready\n":
                raise SystemExit("The servers did not start.")
            os.environ["TEST_SERVERS_STATE"] = str(directory)
            # Not the run of a user: `tests.conftest` makes no directory and no watchdog of its own.
            os.environ["PYTEST_XDIST_WORKER"] = "gw0"
            os.environ["TMPDIR"] = str(tree.parent)
            yield
        finally:
            process.stdin.close()


def judge(tree: Path, mutant: dict[str, Any], limit: float) -> TestRun:
    """The tests on the tree with this one change."""
    path = tree / mutant["file"]
    original, times = path.read_text(), path.stat()
    path.write_text(mutant["text"])
    try:
        return run_tests(tree, TARGETS[mutant["file"]], limit)
    finally:
        path.write_text(original)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def verdict(run: TestRun) -> dict[str, Any]:
    by = FAILED.search(run.said)
    outcome = {"passed": "survived", "failed": "killed"}.get(run.outcome, run.outcome)
    return {"outcome": outcome, "seconds": run.seconds, "by": by[1] if by else run.said[-300:] * (outcome == "killed")}


def baseline(tree: Path, file: str) -> float:
    """Seconds that a mutant of this file may take. Raises SystemExit when a test fails without any change."""
    for _ in range(2):
        run = run_tests(tree, TARGETS[file], FIRST_LIMIT, keep_bytecode=True)
        if run.outcome != "passed":
            raise SystemExit(f"The tests of {file} fail without a mutation:\n{run.said}")
    say(f"{file}: {run.seconds} s without a mutation")
    return 10 + 4 * run.seconds


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main(results: Path) -> None:
    """Continues where an earlier run with the same results was interrupted."""
    os.nice(19)
    mutants = [json.loads(line) for line in sys.stdin]
    done = {(each["file"], each["number"]) for each in map(json.loads, results.open())} if results.exists() else set()
    left = [mutant for mutant in mutants if (mutant["file"], mutant["number"]) not in done]
    import_others()
    limits: dict[str, float] = {}
    with scratch() as tree, servers(tree), results.open("a") as file:
        for mutant in left:
            limit = limits.get(mutant["file"]) or limits.setdefault(mutant["file"], baseline(tree, mutant["file"]))
            found = verdict(judge(tree, mutant, limit))
            say(f"{mutant['file']}:{mutant['line']} {mutant['operator']}: {found['outcome']}")
            file.write(json.dumps({**mutant, "text": None, **found}) + "\n")
            file.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
