"""`./ordersaga psql`: psql on the database of a service."""

import os
import sys
from shutil import which
from typing import Any

import click
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from devstack.application import environments_of_running
from devstack.options import state_option
from devstack.processes import GROUPS
from devstack.read_only import read_only
from devstack.servers import postgres
from devstack.state import State
from ordersaga.cli.errors import CannotRunHere
from ordersaga.cli.names import OneOf

WARNING = "You are the owner of {}: a change or deletion takes effect at once, and no service learns of it."


@click.command(context_settings={"ignore_unknown_options": True})
@state_option
@click.option(
    "--owner", is_flag=True, help="Sign in as the owner of the database, who may change and delete everything."
)
@click.argument("service", type=OneOf(GROUPS), metavar="SERVICE")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[ARGUMENT OF PSQL]...")
def psql(state: State, owner: bool, service: str, arguments: tuple[str, ...]) -> None:
    """Open psql on the database of SERVICE, as the role of the service, in a read-only session.

    With your own servers it signs in as their URL says. psql comes with the packages of .venv. What follows SERVICE
    goes to psql, and the exit code is psql's.

    \b
    Example: ./ordersaga psql order_service
             ./ordersaga psql projections -c 'select state, count(*) from saga_view group by state'
    """
    environments = environments_of_running(state)
    if owner:
        click.echo(WARNING.format(service), err=True)
        url = environments.database_url(service, postgres.OWNER)
    else:
        url = read_only(environments.database_url(service, service))
    place: dict[str, Any] = conninfo_to_dict(url)
    # Not in the arguments, which every user of this machine can read.
    secret = {"PGPASSWORD": str(password)} if (password := place.pop("password", None)) else {}
    program = find_psql()
    sys.stderr.flush()
    command = [program, f"--dbname={make_conninfo(**place)}", *arguments]
    os.execve(program, command, {"PGAPPNAME": "ordersaga psql", **os.environ, **secret})


def find_psql() -> str:
    """The psql of the Python packages, else of this machine. Raises CannotRunHere."""
    own = postgres.binaries() / "psql"
    found = str(own) if own.exists() else which("psql")
    if found is None:
        raise CannotRunHere("The command `psql` is missing. Install it:  apt-get install postgresql-client")
    return found
