"""`ordersaga parked list | show | actions`: look at refused messages, and at what people did to them."""

from operator import itemgetter
from typing import Any

import click

from ordersaga.cli.app import Application
from ordersaga.cli.databases import connected
from ordersaga.cli.ids import IdDigits, KeyText
from ordersaga.cli.options import group_option, json_option
from ordersaga.cli.parked import display
from ordersaga.cli.parked.refused import errors_as_failures
from ordersaga.cli.parked.selection import find, one_or_all, refused_by_option, whole_id
from ordersaga.cli.text import to_json
from ordersaga.parked import by_digits, inspection, listing
from ordersaga.parked.listing import ParkedFilter
from ordersaga.parked.refused_by import RefusedBy
from ordersaga.service import Service

DEFAULT_LIMIT = 100


@click.command("list")
@group_option
@refused_by_option
@click.option("--failure", metavar="ID", help="Of this failure group only.")
@click.option("--key", type=KeyText(), help="List the messages of this key.")
@click.option("--messages", "singly", is_flag=True, help="List the messages instead of their failure groups.")
@click.option("--limit", type=click.IntRange(min=1), default=DEFAULT_LIMIT, show_default=True, help="Messages listed.")
@json_option
@click.pass_obj
def list_(
    application: Application,
    group: Service | None,
    refused_by: RefusedBy | None,
    failure: str | None,
    key: str | None,
    singly: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List failures: who refused, contract, error and place, how many messages, since when, what waits.

    A failure is a contract, an error, and the file and function that raised it. The line is that of the newest message:
    a deploy that moves it makes no other failure.
    """
    singly = singly or key is not None
    wanted = ParkedFilter(failure=failure, key=key, refused_by=refused_by)
    groups: list[tuple[str, inspection.FailureGroup]] = []
    messages: list[dict[str, Any]] = []
    for service in one_or_all(application, group):
        with connected(application, service, service.role) as connection:
            if singly:
                messages += [{"group": service.group, **row} for row in listing.messages(connection, wanted, limit)]
            else:
                found = [each for each in inspection.failure_groups(connection) if failure in (None, each.failure)]
                groups += [(service.group, each) for each in found if refused_by in (None, each.refused_by)]
    if as_json:
        click.echo(to_json({"messages": messages[:limit]} if singly else {"failures": display.groups_json(groups)}))
    elif messages or groups:
        lines = display.messages_table(messages[:limit]) if singly else display.groups_table(groups)
        click.echo("\n".join(lines))
    else:
        click.echo("Nothing is parked.")


@click.command()
@group_option
@refused_by_option
@click.argument("message", type=IdDigits())
@json_option
@click.pass_obj
def show(
    application: Application, group: Service | None, refused_by: RefusedBy | None, message: str, as_json: bool
) -> None:
    """Show one message: headers, body, failure with traceback, what waits behind it, what was done to it."""
    service, target = find(application, message, group, refused_by)
    with connected(application, service, service.role) as connection, errors_as_failures():
        found = {"group": service.group, **inspection.show(connection, *target)}
    click.echo(to_json(found) if as_json else "\n".join(display.message_text(found)))


@click.command()
@group_option
@click.argument("message", type=IdDigits(), required=False)
@click.option("--limit", type=click.IntRange(min=1), default=DEFAULT_LIMIT, show_default=True, help="The newest.")
@json_option
@click.pass_obj
def actions(application: Application, group: Service | None, message: str | None, limit: int, as_json: bool) -> None:
    """List who retried, edited or skipped what, when and why; also of messages that are no longer parked."""
    found: list[dict[str, Any]] = []
    asked = whole_id(application, message, group, by_digits.acted_on) if message else None
    for service in one_or_all(application, group):
        with connected(application, service, service.role) as connection:
            found += [{"group": service.group, **row} for row in inspection.actions(connection, asked, limit)]
    found = sorted(found, key=itemgetter("acted_at"), reverse=True)[:limit]
    click.echo(to_json({"actions": found}) if as_json else "\n".join(display.actions_table(found) or ["None."]))
