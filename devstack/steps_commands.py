"""`ordersaga migrate` and `topology`: the suite's own modules, told where the stack's servers are."""

import os
import sys
from dataclasses import replace
from typing import NoReturn

import click

from devstack import processes
from devstack.options import environments_of_running, state_option
from devstack.processes import Process
from devstack.state import State


def become(process: Process, state: State) -> NoReturn:
    """Replace this program by the process, so that signals and exit code are its own."""
    environments = environments_of_running(state)
    arguments = environments.arguments(process)
    os.execve(sys.executable, [sys.executable, "-P", *arguments], environments.of(process))


@click.command()
@state_option
def migrate(state: State) -> None:
    """Bring the schemas of the four databases up to date."""
    become(processes.MIGRATE, state)


@click.command()
@state_option
@click.option(
    "--replace-events", is_flag=True, help="Delete the exchange `events` first, where an older version made it."
)
def topology(state: State, replace_events: bool) -> None:
    """Declare exchanges, queues and bindings on the broker."""
    arguments = (*processes.TOPOLOGY.arguments, *(["--replace-events"] if replace_events else []))
    become(replace(processes.TOPOLOGY, arguments=arguments), state)
