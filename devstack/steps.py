"""The steps between the start of the servers and of the processes: databases, migrations, topology."""

import signal
import time
from collections.abc import Callable

from devstack import children
from devstack.environment import Environments
from devstack.external_servers import ExternalServers
from devstack.managed import last_lines
from devstack.processes import MIGRATE, TOPOLOGY, Process
from devstack.servers.databases import create_databases, create_roles
from devstack.servers.postgres import Postgres
from devstack.state import ROOT, State
from devstack.supervisor import Step
from ordersaga.cli.errors import Failed
from ordersaga.runtime.reasons import reason_of
from ordersaga.runtime.settings import amqp_urls, url_variable

POLL = 0.05
FRESH = "To start with empty databases: `./ordersaga up --fresh` deletes all data of the state directory."


def steps(
    state: State,
    external: ExternalServers,
    environments: Environments,
    postgres: Postgres | None,
    say: Callable[[str], None],
) -> list[Step]:
    """In the order in which they run."""
    postgres_first = ("postgres",) if postgres else ()
    broker_first = () if external.amqp else ("rabbitmq",)
    reach = [Step("broker", (), lambda stop: reach_broker(external.amqp))] if external.amqp else []
    return [
        *reach,
        Step("databases", postgres_first, lambda stop: prepare_databases(external, postgres)),
        Step("migrate", postgres_first, lambda stop: run_process(MIGRATE, state, environments, stop)),
        Step("topology", broker_first, lambda stop: declare(state, environments, stop, say)),
    ]


def prepare_databases(external: ExternalServers, postgres: Postgres | None) -> None:
    """Make the private ones; raises Failed when an external one cannot be reached."""
    import psycopg

    if postgres:
        create_roles(postgres)
        create_databases(postgres)
    for database, url in external.databases.items():
        try:
            psycopg.connect(url, connect_timeout=10).close()
        except psycopg.Error as error:
            raise Failed(
                f"{url_variable(database)} names a database that cannot be reached: {reason_of(error)}"
            ) from None


def reach_broker(url: str) -> None:
    """Raises Failed when the external broker cannot be reached."""
    import pika
    from pika.exceptions import AMQPError

    try:
        pika.BlockingConnection([pika.URLParameters(node) for node in amqp_urls(url)]).close()
    except (AMQPError, OSError, ValueError) as error:
        raise Failed(f"AMQP_URL names a broker that cannot be reached: {error!r}") from None


def declare(state: State, environments: Environments, stop: Callable[[], bool], say: Callable[[str], None]) -> None:
    """Run the topology step and pass its warnings on."""
    log = state.log(TOPOLOGY.name)
    before = log.stat().st_size if log.exists() else 0
    run_process(TOPOLOGY, state, environments, stop)
    for line in log.read_bytes()[before:].decode(errors="replace").splitlines():
        if line.startswith(f"{TOPOLOGY.name}: "):
            say(line)


def run_process(process: Process, state: State, environments: Environments, stop: Callable[[], bool]) -> None:
    """Run a process to its end; raises Failed, with the end of its log, when it fails."""
    log = state.log(process.name)
    command = [*children.python(), *environments.arguments(process)]
    running = children.spawn(command, environments.of(process), log, ROOT)
    while running.poll() is None:
        if stop():
            return children.end(running, (signal.SIGTERM, 5))
        time.sleep(POLL)
    if running.returncode:
        advice = f"\n{FRESH}" if process is MIGRATE else ""
        raise Failed(f"{process.name} failed with exit code {running.returncode}. {last_lines(log)}{advice}")
    return None
