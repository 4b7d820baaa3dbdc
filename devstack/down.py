"""`./ordersaga down`: stop the stack of a state directory from another terminal."""

import json
import signal

import click

from devstack.options import state_option
from devstack.records import Record, Records
from devstack.state import State
from ordersaga.cli.errors import Failed
from ordersaga.cli.options import json_option

SECONDS = 60


@click.command()
@state_option
@json_option
def down(state: State, as_json: bool) -> None:
    """Stop the stack of this state directory, and end the processes that a killed stack has left.

    The data stays; `up` goes on with it. Exit codes: 0 nothing runs any more, 1 it has not stopped within a minute.
    """
    records = Records(state)
    supervisor = records.supervisor()
    ended: list[str] = []
    if supervisor is not None:
        stop(supervisor)
    elif state.exists():
        with state.locked():
            ended = records.end_leftovers()
    if as_json:
        print(json.dumps({"stopped": supervisor is not None, "ended": ended}))
    elif supervisor is not None:
        print("Stopped.")
    else:
        left = f"Ended what was left running: {', '.join(ended)}."
        print(left if ended else f"No stack is running in {state.directory}.")


def stop(supervisor: Record) -> None:
    """Raises Failed when it takes too long."""
    supervisor.identity.signal(signal.SIGTERM)
    if not supervisor.identity.wait(SECONDS):
        raise Failed(f"The stack (process {supervisor.pid}) has not stopped within {SECONDS} s.")
