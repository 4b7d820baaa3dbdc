"""`./ordersaga audit why`: what a message came from and all that came of it."""

import sys
from uuid import UUID

import click
from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from ordersaga.cli.app import OWNER, Application
from ordersaga.cli.databases import connected
from ordersaga.cli.errors import Failed, run_this
from ordersaga.cli.text import to_json
from projections.audit import why as causes
from projections.audit.why import Node
from projections.service import projections


@click.command()
@click.argument("message_id", type=click.UUID)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, effects inside their cause.")
@click.pass_obj
def why(application: Application, message_id: UUID, as_json: bool) -> None:
    """Print the causes of MESSAGE_ID up to the request that began it, and everything that it caused.

    Message ids are shown by `audit trail --json` and in every log line.
    """
    with connected(application, projections, OWNER) as connection:
        first = causes.why(connection, message_id)
    if first is None:
        advice = f"{run_this('audit trail --json')} shows the ids."
        raise Failed(f"No message {message_id} is in the event log. {advice}")
    if as_json:
        click.echo(to_json(first.model_dump()))
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
