"""What the tests say of each mutant: `python -m tests.mutation.judge RESULTS < MUTANTS`, one line of JSON for each."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import IO

import pytest
from hypothesis import HealthCheck, settings

from tests.mutation.fork import OPTIONS, become, import_others, run_tests
from tests.mutation.session import APART, TEST_LIMIT, UNDECIDED, Found, Mutant, Session
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
LIMIT = 240.0
"""Seconds for all tests of a mutant that is judged apart."""
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


def judge_together(tree: Path, file: str, mutants: Sequence[Mutant], results: IO[str]) -> None:
    """Those whose change is within functions, in forks of one process. Raises SystemExit when tests fail."""
    said = os.fdopen(os.dup(2), "w")
    if pid := os.fork():
        if os.waitpid(pid, 0)[1]:
            raise SystemExit(f"The tests of {file} did not run.")
        return
    code = 99
    try:
        become(tree, tree.parent / "output", keep_bytecode=False)
        # On a busy machine these tell of its load, and would kill every mutant.
        settings.register_profile("mutation", deadline=None, suppress_health_check=list(HealthCheck))
        settings.load_profile("mutation")
        files, measured = [tree / each for each in TARGETS], tree.parent / "measured.json"
        session = Session(tree / file, files, measured, mutants, partial(tell, results, said))
        arguments = (*OPTIONS, f"--timeout={TEST_LIMIT}", f"--rootdir={tree}", *TARGETS[file])
        code = int(pytest.main(list(arguments), plugins=[session]))
    finally:
        said.write((tree.parent / "output").read_text()[-4000:] * bool(code))
        said.flush()
        os._exit(code)


def judge_apart(tree: Path, mutant: Mutant) -> Found:
    """One whose change is made when its module is imported: a default, or the body of a class."""
    path = tree / mutant["file"]
    original, times = path.read_text(), path.stat()
    path.write_text(mutant["text"])
    try:
        run = run_tests(tree, TARGETS[mutant["file"]], LIMIT)
    finally:
        path.write_text(original)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    by = FAILED.search(run.said)
    outcome = {"passed": "survived", "failed": "killed"}.get(run.outcome, run.outcome)
    said = run.said[-1000:] * (outcome == "killed")
    return {"outcome": outcome, "seconds": run.seconds, "by": by[1] if by else "", "said": said}


def tell(results: IO[str], said: IO[str], mutant: Mutant, found: Found) -> None:
    said.write(f"{mutant['file']}:{mutant['line']} {mutant['operator']}: {found['outcome']} ({found['seconds']} s)\n")
    said.flush()
    if found["outcome"] not in (APART, UNDECIDED):
        results.write(json.dumps({**mutant, "text": None, **found}) + "\n")
        results.flush()


def left(mutants: Sequence[Mutant], results: Path) -> list[Mutant]:
    done = {(each["file"], each["number"]) for each in map(json.loads, results.open())}
    return [mutant for mutant in mutants if (mutant["file"], mutant["number"]) not in done]


def main(results: Path) -> None:
    """Continues where an earlier run with the same results was interrupted."""
    os.nice(15)
    mutants = [json.loads(line) for line in sys.stdin]
    results.touch()
    import_others()
    with scratch() as tree, servers(tree), results.open("a") as file:
        for name, of_file in groupby(left(mutants, results), lambda mutant: mutant["file"]):
            judge_together(tree, name, list(of_file), file)
        for mutant in left(mutants, results):  # those whose change is outside of functions
            tell(file, sys.stderr, mutant, judge_apart(tree, mutant))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
