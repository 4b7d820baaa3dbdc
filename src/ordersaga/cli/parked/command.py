"""`ordersaga parked list | show | actions | retry | dry-run | edit | skip`."""

import sys
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
from ordersaga.cli.parked.outcome import report, wait_until_gone
from ordersaga.cli.parked.selection import Chosen, act, choose, each, find, one_or_all, refused_by_option, selecting
from ordersaga.cli.text import to_json
from ordersaga.parked import dry_run as dry_runs
from ordersaga.parked import inspection, listing, operations
from ordersaga.parked.listing import ParkedFilter
from ordersaga.parked.operator import ActionRefused, Operator, UnknownMessage
from ordersaga.parked.refused_by import RefusedBy
from ordersaga.service import Service

LONGEST_LIST = 100


@contextmanager
def errors_as_failures() -> Iterator[None]:
    """Raises Failed for what the library refuses."""
    try:
        yield
    except (UnknownMessage, ActionRefused) as error:
        raise Failed(f"Nothing was done: {error}.") from None


@click.group()
def parked() -> None:
    """Look at messages that a reaction or the broker refused, and deal with them.

    A refused message holds up the later messages of its key, and nothing else. Remove the cause, then retry; every
    action is recorded with who and why.

    A reaction refuses a message by raising an exception; a worker of its group retries it. The broker refuses one that
    the relay of a service publishes; it is nacked (a queue did not take it), returned (no queue is bound for it) or
    too_large, and the active relay retries it.
    """


@parked.command("list")
@group_option
@refused_by_option
@click.option("--failure", metavar="ID", help="Of this failure group only.")
@click.option("--key", help="Messages of this key only; with --messages.")
@click.option("--messages", "singly", is_flag=True, help="List the messages instead of their failure groups.")
@click.option("--limit", type=click.IntRange(min=1), default=LONGEST_LIST, show_default=True, help="Messages listed.")
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
    """List failures: who refused, the error and its place, how many messages, since when, what waits.

    The place of an exception is the line that raised it, that of the broker's refusal is the contract.
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


@parked.command()
@group_option
@refused_by_option
@click.argument("message", type=click.UUID)
@json_option
@click.pass_obj
def show(
    application: Application, group: Service | None, refused_by: RefusedBy | None, message: UUID, as_json: bool
) -> None:
    """Show one message: headers, body, failure with traceback, what waits behind it, what was done to it."""
    service, refused_by = find(application, message, group, refused_by)
    with connected(application, service, service.role) as connection, errors_as_failures():
        found = {"group": service.group, **inspection.show(connection, message, refused_by)}
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
@click.option(
    "--wait", type=click.FloatRange(min=0), default=0, metavar="SECONDS", help="Wait, and say what came of it."
)
@actor_option
@reason_option
@json_option
@click.pass_obj
def retry(application: Application, /, wait: float, actor: str, reason: str, as_json: bool, **selection: Any) -> None:
    """Make messages due now, with all their attempts; dead ones too. The messages behind them follow in order.

    Workers retry what a reaction refused, the active relay what the broker refused, within a second. Remove the cause
    first: mend the reaction; bind the queue, make room in it, or start the relays with a larger
    RELAY_MAX_MESSAGE_BYTES. With --wait the exit code is 1 when one of the messages is still parked.
    """
    chosen = choose(application, **selection)
    done = act(application, chosen, operations.retry, Operator(actor, reason), "retry")
    left = wait_until_gone(application, chosen, wait) if wait else None
    report(application, done, as_json, left)
    raise SystemExit(1 if left else 0)


@parked.command()
@selecting
@actor_option
@reason_option
@click.option("--yes", is_flag=True, help="Do not ask when it is for more than one message.")
@json_option
@click.pass_obj
def skip(application: Application, /, actor: str, reason: str, yes: bool, as_json: bool, **selection: Any) -> None:
    """Give messages up: they never take effect, or are never published. This cannot be undone.

    The messages behind them go on. The event that a message of the broker tells of stays recorded: `reconcile` names
    the message as missing at its receivers, and `relay republish` announces it again.
    """
    chosen = choose(application, **selection)
    number = sum(len(found.targets) for found in chosen)
    if number > 1 and not yes:
        click.confirm(f"Skip {number} messages for good?", abort=True, err=True)
    done = act(application, chosen, operations.skip, Operator(actor, reason), "skip")
    report(application, [{**each, "state": each["state"] or "skipped"} for each in done], as_json)


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
    """Replace the body of one message that a reaction refused, and retry it.

    The original is kept; the new body has to meet the contract. The body of a message that the broker refused is
    explained by the event store and is not edited.
    """
    service, refused_by = find(application, message, group, None)
    with connected(application, service, service.role) as connection, errors_as_failures():
        body = read_body(source, inspection.show(connection, message, refused_by)["body"])
        operator = Operator(actor, reason)
        contracts = service.handler().contracts
        state = operations.edit(connection, message, body, contracts, operator, refused_by=refused_by)
    done = {"group": service.group, "message_id": message, "refused_by": refused_by, "state": state}
    report(application, [done], as_json)


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
    if not selection["messages"]:
        chosen = [refused_by_reactions(found) for found in chosen]
    handlers = {found.service: found.service.handler() for found in chosen}
    resources = {
        found.service: open_resources(application, found.service) if outside else dry_runs.NO_OUTSIDE
        for found in chosen
    }
    for service, target, connection in each(application, chosen):
        with errors_as_failures():
            run = dry_runs.dry_run(connection, target.message, handlers[service], resources[service])
        failed = failed or run.failure is not None
        if as_json:
            runs.append({"group": service.group, **run.as_json()})
        else:
            click.echo("\n".join(display.dry_run_text(service.group, run)))
    click.echo(to_json({"dry_runs": runs}) if as_json else "Everything was rolled back.")
    raise SystemExit(1 if failed else 0)


def refused_by_reactions(found: Chosen) -> Chosen:
    """A message that the broker refused has no reaction to run."""
    return Chosen(found.service, [target for target in found.targets if target.refused_by == "reaction"])


def open_resources(application: Application, service: Service) -> Any:
    """What the outside steps of the service's worker talk to, by the worker's own settings."""
    click.echo(f"Outside steps of {service.name} are called for real.", err=True)
    return service.resources(application.worker_settings(service))
