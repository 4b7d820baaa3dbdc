"""A test run in a fork of this process, which has imported what the tests need of others."""

import importlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

OTHERS = [
    "alembic.context",
    "click",
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "docker.errors",
    "eventsourcing.domain",
    "eventsourcing.persistence",
    "flask",
    "gunicorn",
    "hypothesis.strategies",
    "pika.adapters.select_connection",
    "psutil",
    "psycopg.types.json",
    "psycopg_pool",
    "pydantic_settings",
    "requests",
    "rich.console",
    "sqlalchemy.dialects.postgresql",
    "structlog",
    "testcontainers.core.container",
    "uuid_utils.compat",
    "xdist.scheduler.loadfile",
]
OURS = frozenset(
    [
        "contracts",
        "devstack",
        "inventory_service",
        "order_service",
        "ordersaga",
        "payment_service",
        "projections",
        "relay",
        "shop",
        "tests",
    ]
)
OPTIONS = (
    *("-x", "-q", "--no-header", "-p", "no:cacheprovider", "-p", "pytest_timeout"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)
POLL = 0.01


@dataclass(frozen=True)
class TestRun:
    """`outcome` is `passed`, `failed` or `timed out`; `said` the end of what pytest has printed."""

    __test__ = False

    outcome: str
    seconds: float
    said: str


def import_others() -> None:
    """Pay for these imports once."""
    for name in OTHERS:
        importlib.import_module(name)


def run_tests(tree: Path, tests: Sequence[str], limit: float, keep_bytecode: bool = False) -> TestRun:
    """Run the tests of the tree, in this order up to the first that fails, for at most `limit` seconds."""
    began = time.monotonic()
    output = tree.parent / "output"
    pid = os.fork()
    if not pid:
        _become(tree, tests, output, limit, keep_bytecode)
    status = _wait(pid, began + limit)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    outcome = "timed out" if status is None else "failed" if status else "passed"
    return TestRun(outcome, round(time.monotonic() - began, 2), output.read_text(errors="replace")[-4000:])


def _wait(pid: int, end: float) -> int | None:
    """Its status, or None when it was still running at `end` and was killed."""
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status
        time.sleep(POLL)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def _become(tree: Path, tests: Sequence[str], output: Path, limit: float, keep_bytecode: bool) -> None:
    """In the child: run pytest on the tree, and end."""
    code = 99
    try:
        become(tree, output, keep_bytecode)
        code = int(pytest.main([*OPTIONS, f"--timeout={int(limit)}", f"--rootdir={tree}", *tests]))
    except BaseException:  # noqa: BLE001 - nothing of the child may run on in the parent's name
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def become(tree: Path, output: Path, keep_bytecode: bool) -> None:
    """Make this process a group of its own that writes to `output` and imports ours from the tree, again."""
    os.setsid()
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.chdir(tree)
    for name in [name for name in sys.modules if name.partition(".")[0] in OURS]:
        del sys.modules[name]
    sys.path[:0] = [str(tree), str(tree / "src")]
    os.environ |= {"PYTHONPATH": f"{tree}:{tree / 'src'}", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    if not keep_bytecode:
        # The time of a file in whole seconds and its size tell whether bytecode is of it.
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        sys.dont_write_bytecode = True
