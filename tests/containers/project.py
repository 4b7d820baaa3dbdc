"""Project: a Compose project of one test, with a name, ports and volumes of its own."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from secrets import token_hex

import requests

from devstack.demo.shop import Addresses, Shop
from devstack.ports import LOOPBACK, choose
from devstack.servers import docker
from devstack.state import ROOT
from tests.support.wait import until

PORTS = ("ORDERS_PORT", "PAYMENTS_PORT", "INVENTORY_PORT", "READ_SIDE_PORT")
READY = ("healthy", "")
"""The second is that of a container without a health check, such as the traffic."""


def problem() -> str:
    """Why no project can be started here; empty: it can."""
    if found := docker.problem():
        return found
    done = subprocess.run(["docker", "compose", "version"], capture_output=True, text=True)
    return "" if done.returncode == 0 else "`docker compose` is not installed"


def ports() -> dict[str, str]:
    taken: set[int] = set()
    for _ in PORTS:
        taken.add(choose(taken))
    return dict(zip(PORTS, map(str, taken), strict=True))


@dataclass
class Project:
    """Started by `up`, removed with its volumes by `down`. The shell's variables and `.env` choose no password."""

    name: str = field(default_factory=lambda: f"ordersaga-test-{token_hex(3)}")
    variables: Mapping[str, str] = field(default_factory=lambda: {"DEV": "1", **ports()})
    profiles: tuple[str, ...] = ()

    def compose(self, *arguments: str, seconds: float = 600) -> subprocess.CompletedProcess[str]:
        """The output of one command of Compose, whatever its exit code."""
        kept = {name: value for name, value in os.environ.items() if not name.endswith("_PASSWORD") and name != "DEV"}
        options = ["--env-file", os.devnull]
        options += [f"--profile={profile}" for profile in self.profiles]
        command = ["docker", "compose", "--ansi=never", "--progress=quiet", *options, *arguments]
        environment = {
            **kept,
            **self.variables,
            "COMPOSE_PROJECT_NAME": self.name,
        }  # with --project-name, `down` differs
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=seconds)

    def run(self, *arguments: str, seconds: float = 600) -> str:
        """The output of a command that must succeed."""
        done = self.compose(*arguments, seconds=seconds)
        assert done.returncode == 0, f"{arguments}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def ops(self, *command: str) -> str:
        """The output of an operators' command that must succeed."""
        return self.run("run", "--rm", "-T", "ops", *command)

    def token(self, role: str, subject: str) -> str:
        return self.run("run", "--rm", "-T", "token", "--role", role, "--subject", subject).strip()

    def up(self) -> None:
        """Start it, and wait until every container is healthy or has done its step."""
        self.run("up", "--detach", "--no-build")
        until(lambda: not self.unready(), seconds=120, every=1)

    def unready(self) -> list[str]:
        """Services that are neither healthy nor ended with exit code 0."""
        lines = self.run("ps", "--all", "--format", "json").splitlines()
        containers = [json.loads(line) for line in lines]
        done = [each for each in containers if each["State"] == "exited" and each["ExitCode"] == 0]
        ready = [each for each in containers if each["State"] == "running" and each["Health"] in READY]
        return [each["Service"] for each in containers if each not in (*done, *ready)]

    def down(self) -> None:
        """Remove everything, as docs/GETTING_STARTED.md says."""
        self.profiles = ("*",)
        self.run("down", "--volumes", "--timeout", "5")
        assert not self.left()

    def left(self) -> list[str]:
        """Ids and names of its containers, networks and volumes."""
        mine = f"--filter=label=com.docker.compose.project={self.name}"
        kinds = (["ps", "--all"], ["network", "ls"], ["volume", "ls"])
        asked = [["docker", *kind, "--quiet", mine] for kind in kinds]
        return [line for each in asked for line in subprocess.check_output(each, text=True).splitlines()]

    def url(self, port: str) -> str:
        return f"http://{LOOPBACK}:{self.variables[port]}"

    def shop(self) -> Shop:
        """A client over the published ports, for one thread."""
        orders, payments, inventory = map(self.url, PORTS[:3])
        return Shop(Addresses(orders, payments, inventory, simulator=""), self.kept_token, simulator_key="")

    @cached_property
    def kept_token(self) -> Callable[[str, str], str]:
        """One token for each person: to print one takes a container seconds."""
        return cache(self.token)

    def stock_of(self, sku: str) -> dict[str, int]:
        headers = {"Authorization": f"Bearer {self.token('operator', 'test')}"}
        answer = requests.get(f"{self.url('INVENTORY_PORT')}/stock/{sku}", headers=headers, timeout=10)
        return {name: answer.json()[name] for name in ("on_hand", "reserved")}
