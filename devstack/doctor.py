"""`./ordersaga doctor`: what this machine has and lacks."""

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import click
from pika.exceptions import AMQPError

from devstack.application import StackApplication
from devstack.external_servers import ExternalServers
from devstack.options import state_option
from devstack.ports import CANDIDATES, is_free
from devstack.records import Records
from devstack.servers import docker, postgres, rabbitmq_install
from devstack.servers.account import Account
from devstack.state import State
from ordersaga.broker.provisioning import stale_bindings
from ordersaga.broker.topology import DEFAULT_QUEUES
from ordersaga.cli.app import PROVISIONER, Application
from ordersaga.cli.errors import CannotRunHere, Failed
from ordersaga.cli.stale import stale_text
from ordersaga.runtime.settings import url_variable

DISK_GIB = 1


@dataclass(frozen=True)
class Check:
    """The result of one check; `fine` is None when the stack can do without it."""

    what: str
    fine: bool | None
    text: str


@click.command()
@state_option
def doctor(state: State) -> None:
    """Look at what the stack needs here. Exit code 0 when it can run, else 2."""
    checks = list(examine(state))
    for check in checks:
        mark = {True: "ok", False: "MISSING", None: "-"}[check.fine]
        print(f"{mark:8} {check.what:12} {check.text}")
    raise SystemExit(2 if any(check.fine is False for check in checks) else 0)


def examine(state: State) -> Iterator[Check]:
    external = ExternalServers.from_environment(os.environ)
    yield Check("python", True, f"{platform.python_version()} on {platform.platform()}")
    yield Check("setpriv", shutil.which("setpriv") is not None, shutil.which("setpriv") or "install util-linux")
    yield external_postgres() if external.databases else private_postgres()
    yield Check("rabbitmq", True, "named in AMQP_URL") if external.amqp else private_rabbitmq()
    engine = docker.problem()
    yield Check("docker", None if engine else True, engine or "an engine answers; `up --docker` is possible")
    yield disk(state)
    free = sum(map(is_free, CANDIDATES[:100]))
    yield Check("ports", free > 20, f"{free} of 100 tried loopback ports are free")
    supervisor = Records(state).supervisor()
    yield Check(
        "stack", None, f"{state.directory}: {f'running, process {supervisor.pid}' if supervisor else 'not running'}"
    )
    if supervisor:
        yield bindings(StackApplication(state))


def tried(what: str, find: Callable[[], str]) -> Check:
    try:
        return Check(what, True, find())
    except CannotRunHere as error:
        return Check(what, False, error.message)


def external_postgres() -> Check:
    return Check("postgres", True, f"named in {url_variable('order_service')}")


def private_postgres() -> Check:
    def find() -> str:
        account = Account.for_postgres()
        return f"{postgres.binaries()}, runs as user {account.uid}"

    return tried("postgres", find)


def private_rabbitmq() -> Check:
    if not rabbitmq_install.find_server() and not rabbitmq_install.obstacle():
        return Check("rabbitmq", None, "not installed; `up` and `demo` install it with apt")
    return tried("rabbitmq", rabbitmq_install.server_program)


def bindings(application: Application) -> Check:
    """Whether queues are bound to contracts that their group has no reaction to."""
    groups = [service.consumer_group(DEFAULT_QUEUES) for service in application.services]
    try:
        found = stale_bindings(application.amqp_url(PROVISIONER), groups)
    except (AMQPError, Failed) as error:
        return Check("bindings", None, f"the broker did not answer: {error!r}")
    stale = [f"{name} {stale_text(contracts)}" for name, contracts in found.items()]
    return Check("bindings", None if stale else True, "; ".join(stale) or "each is for a reaction")


def disk(state: State) -> Check:
    """Of the file system that the state directory is, or will be, on."""
    place = next(path for path in (state.directory, *state.directory.parents) if path.exists())
    gib = shutil.disk_usage(place).free / 2**30
    return Check("disk", gib >= DISK_GIB, f"{gib:.0f} GiB free at {place}; at least {DISK_GIB} are needed")
