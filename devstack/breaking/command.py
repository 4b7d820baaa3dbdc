"""`./ordersaga break`: which scenarios there are."""

import json

import click

from devstack.breaking.scenarios.table import commands
from ordersaga.cli.lazy_group import LazyGroup
from ordersaga.cli.options import json_option

SCENARIOS = commands("on_running_stack")
TABLE = {"list": ("devstack.breaking.command:list_", "List the scenarios"), **SCENARIOS}


@click.group("break", cls=LazyGroup, table=TABLE)
def break_() -> None:
    """Break something of a running stack on purpose, say where to look, and watch it until it has healed.

    A scenario places orders of its own, of products whose names begin with `break-`, and touches only what this stack
    has started. Ctrl-C removes the cause at once. `./ordersaga chaos NAME` runs the same scenario on a stack of its
    own, and tells all of it, service by service.

    \b
    Example: ./ordersaga up              (in another terminal)
             ./ordersaga break stop-worker --seconds 30

    Exit codes: 0 healed, 1 not within the limit, 2 not possible here, 130 interrupted, and the
    cause is removed.
    """


@click.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the scenarios."""
    if as_json:
        click.echo(json.dumps({"scenarios": [{"name": name, "what": text} for name, (_, text) in SCENARIOS.items()]}))
    else:
        click.echo("\n".join(f"{name:18}{text}" for name, (_, text) in SCENARIOS.items()))
