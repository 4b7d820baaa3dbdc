"""`./ordersaga logs`: the logs of the processes of a stack."""

import os
from shutil import which

import click

from devstack.options import state_option
from devstack.state import State
from ordersaga.cli.errors import CannotRunHere, Failed


@click.command()
@state_option
@click.argument("name", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on showing what is added, until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(0), default=20, show_default=True, help="Lines of each log.")
def logs(state: State, name: str | None, follow: bool, lines: int) -> None:
    """Show the end of one process's log, or of all.

    NAME is a process as `ordersaga status` lists it, or: supervisor, migrate, topology.
    """
    found = sorted(state.logs.glob("*.log"))
    if not found:
        raise Failed(f"There are no logs in {state.logs}: no stack has run there yet.")
    if name:
        names = [path.stem for path in found]
        if name not in names:
            raise Failed(f"There is no log of {name!r} in {state.logs}. There are: {', '.join(names)}.")
        found = [state.log(name)]
    tail = which("tail")
    if tail is None:
        raise CannotRunHere(f"The command `tail` is missing. The logs are in {state.logs}.")
    os.execv(tail, [tail, f"--lines={lines}", *(["--follow=name"] if follow else []), *map(str, found)])
