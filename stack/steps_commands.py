"""`ordersaga migrate` and `topology`: the suite's own modules, told where the stack's servers are."""

import os
import sys
from typing import NoReturn

import click

from stack import processes
from stack.options import environments_of_running, state_option
from stack.processes import Process
from stack.state import State


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
def topology(state: State) -> None:
    """Declare exchanges, queues and bindings on the broker."""
    become(processes.TOPOLOGY, state)
