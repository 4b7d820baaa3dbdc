"""`./ordersaga break`: which scenarios there are."""

import json

import click

from ordersaga.cli.lazy_group import LazyGroup
from ordersaga.cli.options import json_option

SCENARIOS = {
    "poison": ("devstack.breaking.poison:command", "A message that its reaction refuses: it is parked"),
    "stop-worker": ("devstack.breaking.stop_worker:command", "A worker that is alive and does nothing"),
    "slow-card": ("devstack.breaking.slow_card:command", "A card processor that does not answer"),
    "lose-broker": ("devstack.breaking.lose_broker:command", "RabbitMQ is killed, and stays away"),
    "oversell": ("devstack.breaking.oversell:command", "200 buyers at once for the last 10 pieces"),
}
TABLE = {"list": ("devstack.breaking.command:list_", "List the scenarios"), **SCENARIOS}


@click.group("break", cls=LazyGroup, table=TABLE)
def break_() -> None:
    """Break something of a running stack on purpose, say where to look, and watch it until it has healed.

    A scenario places orders of its own, of products whose names begin with `break-`, and touches only what this stack
    has started. Ctrl-C ends the cause at once.

    \b
    Example: ./ordersaga up              (in another terminal)
             ./ordersaga break stop-worker --seconds 30

    Exit codes: 0 healed, 1 not within the limit, 2 not possible here, 130 interrupted and mended.
    """


@click.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the scenarios."""
    if as_json:
        click.echo(json.dumps({"scenarios": [{"name": name, "what": text} for name, (_, text) in SCENARIOS.items()]}))
    else:
        click.echo("\n".join(f"{name:14}{text}" for name, (_, text) in SCENARIOS.items()))
