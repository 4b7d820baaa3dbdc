"""`ordersaga audit why`: the causes and effects of a message."""

from collections.abc import Iterator
from uuid import UUID

import click

from ordersaga.cli.app import OWNER, Application
from ordersaga.cli.databases import connected
from ordersaga.cli.errors import Failed
from ordersaga.cli.ids import MessageId
from ordersaga.cli.projections.read_side import read_side_of
from ordersaga.cli.text import printable, to_json
from ordersaga.readside import why as causes
from ordersaga.readside.why import Node


@click.command()
@click.argument("message_id", type=MessageId())
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, effects inside their cause.")
@click.pass_obj
def why(application: Application, message_id: UUID, as_json: bool) -> None:
    """Print the causes of MESSAGE_ID up to the request that began it, and everything that it caused.

    Message ids are in every log line, and in the event log of the read side; their first digits are enough.
    """
    with connected(application, read_side_of(application), OWNER) as connection:
        first = causes.why(connection, message_id)
    if first is None:
        raise Failed(f"No message {message_id} is in the event log. Every log line of a worker names its message.")
    if as_json:
        click.echo(to_json(first.model_dump()))
    else:
        click.echo(f"request {first.correlation} by {printable(first.actor) or 'nobody named'}")
        for line in tree([first]):
            click.echo(line)


def tree(nodes: list[Node], indent: str = "") -> Iterator[str]:
    """A line for each message, effects below their cause."""
    for number, node in enumerate(nodes, 1):
        is_last = number == len(nodes)
        yield f"{indent}{'└── ' if is_last else '├── '}{text(node)}"
        yield from tree(node.effects, indent + ("    " if is_last else "│   "))


def text(node: Node) -> str:
    reason = f", {printable(node.reason)}" if node.reason else ""
    time = node.time.strftime("%H:%M:%S.%f")
    line = f"{node.contract} {node.id} of {printable(node.key)} at {time}{reason}"
    return click.style(f"{line}  <- asked for", bold=True) if node.asked else line
