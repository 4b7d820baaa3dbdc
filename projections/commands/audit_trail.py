"""`./ordersaga audit trail`: who did what, when, why, where, and the outcome."""

from datetime import UTC
from typing import Any

import click

from ordersaga.cli.app import Application
from ordersaga.cli.text import printable
from projections.audit.text import to_json_line
from projections.audit.trail import TrailEntry
from projections.commands.trail_options import asked, filter_options, opened_trail


@click.command()
@filter_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.pass_obj
def trail(application: Application, /, as_json: bool, **filters: Any) -> None:
    """Print the messages of all services and what operators did to them, oldest first.

    WHO is the actor of the first request, WHY the reason given and the contract of the message that caused this one.
    OUTCOME is the current state of the order; for an operator's action it is the error of the message.

    Example: ./ordersaga audit trail --actor alice --since 2026-03-01
    """
    wanted = asked(**filters)
    with opened_trail(application, wanted) as found:
        if not as_json:
            click.echo(HEADING)
        for entry in found.entries(wanted):
            click.echo(to_json_line(entry) if as_json else line(entry) + "\n", nl=False)


HEADING = f"{'WHEN':27}{'WHO':16}{'WHAT':34}{'FROM':20}{'KEY':38}WHY | OUTCOME"


def line(entry: TrailEntry) -> str:
    when = entry.time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    because = " | ".join(text for text in (entry.why, entry.outcome) if text)
    text = f"{when:27}{entry.who or '-':15} {entry.what:33} {entry.where:19} {entry.key or '-':37} {because}"
    return printable(text).rstrip()
