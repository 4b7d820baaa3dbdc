"""`ordersaga doctor`: what this machine has and lacks."""

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import click

from devstack.given import Given, variable
from devstack.options import state_option
from devstack.ports import CANDIDATES, is_free
from devstack.records import Records
from devstack.servers import docker, postgres, rabbitmq_install
from devstack.servers.account import Account
from devstack.state import State
from ordersaga.cli.errors import CannotRunHere

DISK_GIB = 1


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `fine` is None when the stack can do without it."""

    what: str
    fine: bool | None
    text: str


@click.command()
@state_option
def doctor(state: State) -> None:
    """Look at what the stack needs here. Exit code 0 when it can run, else 2."""
    findings = list(examine(state))
    for finding in findings:
        mark = {True: "ok", False: "MISSING", None: "-"}[finding.fine]
        print(f"{mark:8} {finding.what:12} {finding.text}")
    raise SystemExit(2 if any(finding.fine is False for finding in findings) else 0)


def examine(state: State) -> Iterator[Finding]:
    given = Given.from_environment(os.environ)
    yield Finding("python", True, f"{platform.python_version()} on {platform.platform()}")
    yield Finding("setpriv", shutil.which("setpriv") is not None, shutil.which("setpriv") or "install util-linux")
    yield Finding("postgres", True, f"given in {variable('order_service')}") if given.databases else private_postgres()
    yield Finding("rabbitmq", True, "given in AMQP_URL") if given.amqp else private_rabbitmq()
    engine = docker.problem()
    yield Finding("docker", None if engine else True, engine or "an engine answers; `up --docker` is possible")
    yield disk(state)
    free = sum(map(is_free, CANDIDATES[:100]))
    yield Finding("ports", free > 20, f"{free} of 100 tried loopback ports are free")
    supervisor = Records(state).supervisor()
    yield Finding(
        "stack", None, f"{state.directory}: {f'running, process {supervisor.pid}' if supervisor else 'not running'}"
    )


def tried(what: str, find: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, find())
    except CannotRunHere as error:
        return Finding(what, False, error.message)


def private_postgres() -> Finding:
    def find() -> str:
        account = Account.for_postgres()
        return f"{postgres.binaries()}, runs as user {account.uid}"

    return tried("postgres", find)


def private_rabbitmq() -> Finding:
    if not rabbitmq_install.find_server() and not rabbitmq_install.obstacle():
        return Finding("rabbitmq", None, "not installed; `up` and `demo` install it with apt")
    return tried("rabbitmq", rabbitmq_install.server_program)


def disk(state: State) -> Finding:
    """Of the file system that the state directory is, or will be, on."""
    place = next(path for path in (state.directory, *state.directory.parents) if path.exists())
    gib = shutil.disk_usage(place).free / 2**30
    return Finding("disk", gib >= DISK_GIB, f"{gib:.0f} GiB free at {place}; at least {DISK_GIB} are wanted")
