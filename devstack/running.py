"""A stack that runs for the length of a block, as `up` and the demo need it."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console

from devstack.display import say_and_log, show_start
from devstack.environment import Change, Environments, unchanged
from devstack.external_servers import ExternalServers
from devstack.managed import Managed
from devstack.ports import LOOPBACK
from devstack.processes import PROCESSES, Process
from devstack.records import Records
from devstack.servers import docker, rabbitmq_install
from devstack.servers.postgres import Postgres
from devstack.servers.rabbitmq import RabbitMQ
from devstack.service_process import ServiceProcess
from devstack.state import State
from devstack.steps import steps
from devstack.supervisor import Supervisor


@dataclass(frozen=True)
class Stack:
    """Every process is ready; the supervisor restarts those that die."""

    state: State
    environments: Environments
    supervisor: Supervisor
    processes: Sequence[Managed]

    def url(self, name: str) -> str:
        """Base URL of a process that speaks HTTP, such as `orders-api`."""
        return f"http://{LOOPBACK}:{self.state.port(name)}"


@contextmanager
def running_stack(
    state: State,
    console: Console,
    *,
    fresh: bool = False,
    in_docker: bool = False,
    table: Sequence[Process] = PROCESSES,
    caller: Mapping[str, str] = os.environ,
    change: Change = unchanged,
) -> Iterator[Stack]:
    """Start everything, and stop it when the block ends, however it ends.

    `caller` is the caller's environment; `change` has the last word on that of each process.

    Raises:
        Failed: something did not start; the text has the end of its log.
        CannotRunHere: the machine lacks something.
    """
    external = ExternalServers.from_environment(caller)
    state.create()
    say = say_and_log(console, state.log("supervisor"))
    with state.locked():
        records = Records(state)
        for name in records.end_leftovers():
            say(f"Ended {name}, which a killed stack had left running")
        if fresh:
            clear_state(state, in_docker)
        say(f"Starting the stack of {state.directory}")
        servers = make_servers(state, records, external, in_docker, console)
        stack = assemble(state, records, external, Environments(state, external, caller, change), servers, table, say)
        records.begin(external, [managed.name for managed in (*servers, *stack.processes)])
        try:
            stack.supervisor.start()
            show_start(stack.supervisor, console)
            yield stack
        finally:
            say("Stopping")
            stack.supervisor.shut_down()
            end_records(records, say)


def end_records(records: Records, say: Callable[[str], None]) -> None:
    """A full disk must not hide what ended the stack; records of processes that are gone mislead nobody."""
    try:
        records.end()
    except OSError as error:
        say(f"The records of the processes cannot be written: {error}. Everything is stopped.")


def clear_state(state: State, in_docker: bool) -> None:
    if in_docker:
        docker.check_engine()
        docker.remove_data(state)
    state.clear()


def make_servers(
    state: State, records: Records, external: ExternalServers, in_docker: bool, console: Console
) -> list[Managed]:
    """The private servers that are needed, those that take longest to start first."""
    servers: list[Managed] = []
    if in_docker:
        docker.check_engine()
        docker.pull(console)
    if not external.amqp:
        if not in_docker:
            rabbitmq_install.ensure_installed(console)
        servers.append(docker.DockerRabbitMQ(state, records) if in_docker else RabbitMQ(state, records))
    if not external.databases:
        servers.append(docker.DockerPostgres(state, records) if in_docker else Postgres(state, records))
    return servers


def assemble(
    state: State,
    records: Records,
    external: ExternalServers,
    environments: Environments,
    servers: Sequence[Managed],
    table: Sequence[Process],
    say: Callable[[str], None],
) -> Stack:
    """The stack with everything that the supervisor will run; nothing is started yet."""
    postgres = next((server for server in servers if isinstance(server, Postgres)), None)
    for process in table:
        state.renew_port(process.name)
    running = [ServiceProcess(state, records, environments, process) for process in table]
    outside = [process for process in running if process.process.outside]
    inside = [process for process in running if not process.process.outside]
    todo = steps(state, external, environments, postgres, say)
    supervisor = Supervisor([*servers, *outside], todo, inside, say)
    return Stack(state, environments, supervisor, running)
