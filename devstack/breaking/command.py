"""`./ordersaga break`: which scenarios there are."""

import json

import click

from ordersaga.cli.lazy_group import LazyGroup
from ordersaga.cli.options import json_option

SCENARIOS = {
    "poison": ("devstack.breaking.poison:command", "A reaction refuses a message, which is parked"),
    "stop-worker": ("devstack.breaking.stop_worker:command", "A worker runs and handles nothing"),
    "slow-card": ("devstack.breaking.slow_card:command", "The card processor does not answer"),
    "lose-broker": ("devstack.breaking.lose_broker:command", "RabbitMQ is killed, and stays away"),
    "oversell": ("devstack.breaking.oversell:command", "200 buyers order the last 10 pieces at once"),
}
TABLE = {"list": ("devstack.breaking.command:list_", "List the scenarios"), **SCENARIOS}


@click.group("break", cls=LazyGroup, table=TABLE)
def break_() -> None:
    """Break something of a running stack on purpose, say where to look, and watch it until it has healed.

    A scenario places orders of its own, of products whose names begin with `break-`, and touches only what this stack
    has started. Ctrl-C removes the cause at once.

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
        click.echo("\n".join(f"{name:14}{text}" for name, (_, text) in SCENARIOS.items()))
