"""The whole stack as a user starts it, for tests that look at it from outside."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
import psycopg
from click.testing import CliRunner

from devstack.demo.books import read_books
from devstack.demo.customers import token
from devstack.demo.shop import Addresses, Shop
from devstack.demo.verdict import Violation, violations
from devstack.environment import Environments, simulator_key
from devstack.external_servers import ExternalServers
from devstack.ports import LOOPBACK
from devstack.records import Records
from devstack.servers import docker
from devstack.state import ROOT, State
from devstack.status import status
from tests.support.containers import in_containers
from tests.support.wait import until

START_SECONDS = 120
RUNNING = "The stack is running."
"""What `up` prints in the end."""


class WholeStack:
    """A stack that `ordersaga up` runs in another process, with the code under `root`."""

    def __init__(self, state: State, root: Path = ROOT) -> None:
        self.state = state
        self.root = root

    @cached_property
    def urls(self) -> dict[str, str]:
        """Database -> URL as its owner."""
        return Environments(self.state, ExternalServers()).owner_urls()

    def url(self, process: str) -> str:
        return f"http://{LOOPBACK}:{self.state.port(process)}"

    def token(self, role: str, subject: str) -> str:
        return token(self.state, role, subject)

    def shop(self) -> Shop:
        addresses = Addresses(*map(self.url, ("orders-api", "payments-api", "inventory-api", "simulator")))
        return Shop(addresses, self.token, simulator_key(self.state))

    def command(self, *arguments: str) -> dict[str, Any]:
        """What `ordersaga` prints with these arguments and --json, whatever its exit code."""
        done = subprocess.run(
            [sys.executable, "-m", "devstack", *arguments, "--json", "--state", str(self.state.directory)],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def status(self) -> dict[str, Any]:
        """What `ordersaga status` says, in this process: a process of its own takes a second of CPU to start."""
        said = CliRunner().invoke(status, ["--json", "--state", str(self.state.directory)])
        assert isinstance(said.exception, SystemExit | None), said.exception
        found: dict[str, Any] = json.loads(said.stdout)
        return found

    def kill(self, process: str) -> None:
        """kill -9, as a crash would."""
        record = Records(self.state).find(process)
        assert record
        os.kill(record.pid, signal.SIGKILL)

    def rows(self, database: str, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.urls[database], autocommit=True) as connection:
            return connection.execute(query, parameters).fetchall()

    def violations(self) -> list[Violation]:
        return violations(read_books(self.urls, self.shop().ledger()))


@contextmanager
def whole_stack(directory: Path, root: Path = ROOT, **settings: str) -> Iterator[WholeStack]:
    """`ordersaga up` in this directory, ready, for as long as the block lasts."""
    command = [sys.executable, "-m", "devstack", "up", "--state", str(directory)]
    if in_containers():
        command.append("--docker")
    with (directory.parent / f"{directory.name}.log").open("w") as log:
        process = subprocess.Popen(command, cwd=root, env=os.environ | settings, stdout=log, stderr=log)
    try:
        stack = WholeStack(State(directory), root)
        until(lambda: process.poll() is not None or RUNNING in Path(log.name).read_text(), START_SECONDS, every=0.1)
        assert process.poll() is None, Path(log.name).read_text()
        until(lambda: stack.status()["ready"], seconds=START_SECONDS, every=0.5)
        yield stack
    finally:
        process.send_signal(signal.SIGINT)
        psutil.wait_procs([psutil.Process(process.pid)], timeout=60)
        if in_containers():
            docker.remove_data(State(directory))
        assert process.wait(60) == 0
