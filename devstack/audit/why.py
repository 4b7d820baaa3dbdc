"""`ordersaga audit why`: what a message came from and all that came of it."""

import json
import sys
from uuid import UUID

import click
from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from devstack.databases import all_connected
from devstack.options import environments_of_running, state_option
from devstack.processes import READ_SIDE
from devstack.state import State
from ordersaga.cli.errors import Failed
from projections.audit import why as causes
from projections.audit.text import as_text
from projections.audit.why import Node


@click.command()
@state_option
@click.argument("message_id", type=click.UUID)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, effects inside their cause.")
def why(state: State, message_id: UUID, as_json: bool) -> None:
    """Print the causes of MESSAGE_ID up to the request that began it, and everything that it caused.

    Message ids are shown by `./ordersaga audit trail --json` and in every log line.
    """
    with all_connected(environments_of_running(state), READ_SIDE) as connections:
        first = causes.why(connections[READ_SIDE], message_id)
    if first is None:
        raise Failed(f"No message {message_id} is in the event log. `./ordersaga audit trail --json` shows the ids.")
    if as_json:
        print(json.dumps(first.model_dump(), default=as_text))
    else:
        console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
        actor = escape(first.actor) or "nobody named"
        root = Tree(f"request {first.correlation} by {actor}")
        grow(root, first)
        console.print(root)


def grow(tree: Tree, node: Node) -> None:
    reason = f", {escape(node.reason)}" if node.reason else ""
    time = node.time.strftime("%H:%M:%S.%f")
    text = f"{node.contract} {node.id} of {escape(node.key)} at {time}{reason}"
    below = tree.add(f"[bold]{text}  <- asked for[/]" if node.asked else text)
    for effect in node.effects:
        grow(below, effect)
