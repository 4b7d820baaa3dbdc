"""`./ordersaga doctor`: what this machine has and lacks, and what stalls a running stack."""

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

import click

from devstack.application import StackApplication
from devstack.external_servers import ExternalServers
from devstack.options import state_option
from devstack.ports import CANDIDATES, is_free
from devstack.process_findings import process_findings
from devstack.records import Records
from devstack.servers import docker, postgres, rabbitmq_install
from devstack.servers.account import Account
from devstack.state import State
from ordersaga.cli.diagnosis_text import as_data, exit_code, lines
from ordersaga.cli.doctor import ask_servers, limit_options, locks_option
from ordersaga.cli.errors import CannotRunHere
from ordersaga.cli.options import json_option
from ordersaga.cli.text import to_json
from ordersaga.diagnosis.diagnose import Diagnosis
from ordersaga.diagnosis.limits import DiagnosisLimits
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
@limit_options
@locks_option
@json_option
def doctor(state: State, transaction: float, wait: float, timeout: float, locks: bool, as_json: bool) -> None:
    """Check what this machine lacks; name what stalls a running stack, since when, who causes it, and what to do.

    A running stack, or the servers that AMQP_URL and the four *_DATABASE_URL name, are asked at the same time and
    nothing is changed: processes, transactions, locks, migrations, queues, bindings, relays, workers and more. It ends
    within the timeout also when a server hangs.

    Exit code 0 when the stack can run here and nothing was found, 1 when something was, 2 when something is missing
    here, or could not be seen.
    """
    checks = list(examine(state))
    found = diagnosis_of(state, DiagnosisLimits(transaction=transaction, wait=wait), timeout)
    if as_json:
        print(to_json({"checks": list(map(asdict, checks)), **(as_data(found) if found else {})}))
    else:
        for check in checks:
            mark = {True: "ok", False: "MISSING", None: "-"}[check.fine]
            print(f"{mark:10}{check.what:12} {check.text}")
        if found:
            print("\n".join(lines(found, locks)))
    raise SystemExit(2 if any(check.fine is False for check in checks) else exit_code(found) if found else 0)


def diagnosis_of(state: State, limits: DiagnosisLimits, seconds: float) -> Diagnosis | None:
    """What stalls the running stack; None when none runs and the environment names no servers."""
    external = ExternalServers.from_environment(os.environ)
    runs = Records(state).supervisor() is not None
    if not runs and not (external.databases and external.amqp):
        return None
    of_processes = process_findings(state) if runs else []
    found = ask_servers(StackApplication(state), limits, seconds)
    return replace(found, findings=[*of_processes, *found.findings])


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


def disk(state: State) -> Check:
    """Of the file system that the state directory is, or will be, on."""
    place = next(path for path in (state.directory, *state.directory.parents) if path.exists())
    gib = shutil.disk_usage(place).free / 2**30
    return Check("disk", gib >= DISK_GIB, f"{gib:.0f} GiB free at {place}; at least {DISK_GIB} are needed")
