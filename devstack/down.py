"""`./ordersaga down`: stop the stack of a state directory from another terminal."""

import signal

import click

from devstack.options import state_option
from devstack.records import Records
from devstack.state import State
from ordersaga.cli.errors import Failed

SECONDS = 60


@click.command()
@state_option
def down(state: State) -> None:
    """Stop the stack of this state directory, and end the processes that a killed stack has left."""
    records = Records(state)
    supervisor = records.supervisor()
    if supervisor is not None:
        supervisor.identity.signal(signal.SIGTERM)
        if not supervisor.identity.wait(SECONDS):
            raise Failed(f"The stack (process {supervisor.pid}) has not stopped within {SECONDS} s.")
        print("Stopped.")
    elif not state.exists():
        print(f"No stack is running in {state.directory}.")
    else:
        with state.locked():
            ended = records.end_leftovers()
        print(f"Ended what was left running: {', '.join(ended)}." if ended else "No stack is running.")
