"""`ordersaga parked list | show | actions | retry | dry-run | edit | skip`."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from ordersaga.cli.app import Application
from ordersaga.cli.databases import connected
from ordersaga.cli.errors import Failed
from ordersaga.cli.options import actor_option, group_option, json_option, reason_option
from ordersaga.cli.parked import display
from ordersaga.cli.parked.selection import act, choose, each, find, one_or_all, selecting
from ordersaga.cli.text import to_json
from ordersaga.parked import dry_run as dry_runs
from ordersaga.parked import inspection, operations
from ordersaga.parked.operations import Operator, Refused, UnknownMessage
from ordersaga.service import Service

LONGEST_LIST = 100


@contextmanager
def errors_as_failures() -> Iterator[None]:
    """Raises Failed for what the library refuses."""
    try:
        yield
    except (UnknownMessage, Refused) as error:
        raise Failed(f"Nothing was done: {error}.") from None


def report(done: list[dict[str, Any]], as_json: bool, state: str | None = None) -> None:
    """`state` is the new state of messages that are no longer there."""
    done = [{**one, "state": one["state"] or state} for one in done]
    if as_json:
        click.echo(to_json({"messages": done}))
        return
    for (group, name), number in Counter((one["group"], one["state"]) for one in done).items():
        click.echo(f"{group}: {number} {display.STATES[name]}")
    if not done:
        click.echo("Nothing is parked.")


@click.group()
def parked() -> None:
    """Look at messages that could not be handled, and deal with them.

    A message that fails holds up the later messages of its key, and nothing else. Remove the cause, then retry; every
    action is recorded with who and why.
    """


@parked.command("list")
@group_option
@click.option("--failure", metavar="ID", help="Of this failure group only.")
@click.option("--messages", "singly", is_flag=True, help="List the messages instead of their failure groups.")
@click.option("--limit", type=click.IntRange(min=1), default=LONGEST_LIST, show_default=True, help="With --messages.")
@json_option
@click.pass_obj
def list_(
    application: Application, group: Service | None, failure: str | None, singly: bool, limit: int, as_json: bool
) -> None:
    """List failures, each an exception and the place that raised it: how many messages, since when, what waits."""
    groups: list[tuple[str, inspection.FailureGroup]] = []
    messages: list[dict[str, Any]] = []
    for service in one_or_all(application, group):
        with connected(application, service, service.role) as connection:
            if singly:
                messages += [{"group": service.group, **row} for row in inspection.messages(connection, failure, limit)]
            else:
                found = inspection.failure_groups(connection)
                groups += [(service.group, each) for each in found if failure in (None, each.failure)]
    if as_json:
        click.echo(to_json({"messages": messages[:limit]} if singly else {"failures": display.groups_json(groups)}))
    elif messages or groups:
        lines = display.messages_table(messages[:limit]) if singly else display.groups_table(groups)
        click.echo("\n".join(lines))
    else:
        click.echo("Nothing is parked.")


@parked.command()
@group_option
@click.argument("message", type=click.UUID)
@json_option
@click.pass_obj
def show(application: Application, group: Service | None, message: UUID, as_json: bool) -> None:
    """Show one message: headers, body, failure with traceback, what waits behind it, what was done to it."""
    service = find(application, message, group)
    with connected(application, service, service.role) as connection, errors_as_failures():
        found = {"group": service.group, **inspection.show(connection, message)}
    click.echo(to_json(found) if as_json else "\n".join(display.message_text(found)))


@parked.command()
@group_option
@click.argument("message", type=click.UUID, required=False)
@click.option("--limit", type=click.IntRange(min=1), default=LONGEST_LIST, show_default=True, help="The newest.")
@json_option
@click.pass_obj
def actions(application: Application, group: Service | None, message: UUID | None, limit: int, as_json: bool) -> None:
    """List who retried, edited or skipped what, when and why; also of messages that are no longer parked."""
    found: list[dict[str, Any]] = []
    for service in one_or_all(application, group):
        with connected(application, service, service.role) as connection:
            found += [{"group": service.group, **row} for row in inspection.actions(connection, message, limit)]
    found = sorted(found, key=itemgetter("acted_at"), reverse=True)[:limit]
    click.echo(to_json({"actions": found}) if as_json else "\n".join(display.actions_table(found) or ["None."]))


@parked.command()
@selecting
@actor_option
@reason_option
@json_option
@click.pass_obj
def retry(application: Application, /, actor: str, reason: str, as_json: bool, **selection: Any) -> None:
    """Try messages again now, with all their attempts; dead ones too. What waits behind them follows in order."""
    chosen = choose(application, **selection)
    report(act(application, chosen, operations.retry, Operator(actor, reason), "retry"), as_json)


@parked.command()
@selecting
@actor_option
@reason_option
@click.option("--yes", is_flag=True, help="Do not ask when it is for more than one message.")
@json_option
@click.pass_obj
def skip(application: Application, /, actor: str, reason: str, yes: bool, as_json: bool, **selection: Any) -> None:
    """Give messages up: they never take effect, and what waits behind them goes on. This cannot be undone."""
    chosen = choose(application, **selection)
    number = sum(len(found.messages) for found in chosen)
    if number > 1 and not yes:
        click.confirm(f"Skip {number} messages for good?", abort=True, err=True)
    report(act(application, chosen, operations.skip, Operator(actor, reason), "skip"), as_json, "skipped")


@parked.command()
@group_option
@click.argument("message", type=click.UUID)
@click.option(
    "--file",
    "source",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="The new body; - is standard input.  [default: opens $EDITOR]",
)
@actor_option
@reason_option
@json_option
@click.pass_obj
def edit(
    application: Application,
    group: Service | None,
    message: UUID,
    source: Path | None,
    actor: str,
    reason: str,
    as_json: bool,
) -> None:
    """Replace the body of one message and try it again. The original is kept; the contract has to be met."""
    service = find(application, message, group)
    with connected(application, service, service.role) as connection, errors_as_failures():
        body = read_body(source, inspection.show(connection, message)["body"])
        operator = Operator(actor, reason)
        new_state = operations.edit(connection, message, body, service.handler().contracts, operator)
    report([{"group": service.group, "message_id": message, "state": new_state}], as_json)


def read_body(source: Path | None, now: bytes) -> bytes:
    if source is not None:
        return sys.stdin.buffer.read() if str(source) == "-" else source.read_bytes()
    edited = click.edit(now.decode(errors="replace"), extension=".json")
    if edited is None:
        raise Failed("The body was not changed, so nothing was done.")
    return edited.strip().encode()


@parked.command("dry-run")
@selecting
@click.option("--outside", is_flag=True, help="Call outside steps too, for real: what they do there is not undone.")
@json_option
@click.pass_obj
def dry_run(application: Application, /, outside: bool, as_json: bool, **selection: Any) -> None:
    """Run the reaction, show the rows it makes, and roll everything back. Exit code 1 when one would fail.

    Outside steps (calls to other systems) are left out, and the reaction with them, unless --outside is given. Of
    several messages each is tried as if the others were not there.
    """
    runs: list[dict[str, Any]] = []
    failed = False
    chosen = choose(application, **selection)
    handlers = {found.service: found.service.handler() for found in chosen}
    resources = {
        found.service: open_resources(application, found.service) if outside else dry_runs.NO_OUTSIDE
        for found in chosen
    }
    for service, message, connection in each(application, chosen):
        with errors_as_failures():
            run = dry_runs.dry_run(connection, message, handlers[service], resources[service])
        failed = failed or run.failure is not None
        if as_json:
            runs.append({"group": service.group, **run.as_json()})
        else:
            click.echo("\n".join(display.dry_run_text(service.group, run)))
    click.echo(to_json({"dry_runs": runs}) if as_json else "Everything was rolled back.")
    raise SystemExit(1 if failed else 0)


def open_resources(application: Application, service: Service) -> Any:
    """What the outside steps of the service's worker talk to, by the worker's own settings."""
    click.echo(f"Outside steps of {service.name} are called for real.", err=True)
    return service.resources(application.worker_settings(service))
