"""`ordersaga parked retry | skip | edit | dry-run`: act on refused messages."""

import sys
from pathlib import Path
from typing import Any

import click

from ordersaga.cli.app import Application
from ordersaga.cli.databases import connected
from ordersaga.cli.errors import Failed
from ordersaga.cli.ids import IdDigits
from ordersaga.cli.options import actor_option, group_option, json_option, reason_option
from ordersaga.cli.parked import display, runs
from ordersaga.cli.parked.outcome import report, wait_until_gone
from ordersaga.cli.parked.refused import errors_as_failures
from ordersaga.cli.parked.runs import RunLimits, first_option, max_failed_option, rate_option, watch_option
from ordersaga.cli.parked.selection import Chosen, act, choose, connected_targets, find, selecting
from ordersaga.cli.text import to_json
from ordersaga.parked import dry_run as dry_runs
from ordersaga.parked import inspection, operations, running_attempt
from ordersaga.parked.listing import ParkedFilter
from ordersaga.parked.operator import Operator
from ordersaga.service import Service


@click.command()
@selecting
@click.option(
    "--wait", type=click.FloatRange(min=0), default=0, metavar="SECONDS", help="Wait, and say what came of it."
)
@first_option
@rate_option
@max_failed_option
@watch_option
@actor_option
@reason_option
@json_option
@click.pass_obj
def retry(
    application: Application,
    /,
    wait: float,
    first: int | None,
    rate: float | None,
    max_failed: int,
    watch: bool,
    actor: str,
    reason: str,
    as_json: bool,
    **selection: Any,
) -> None:
    """Make messages due now, with all their attempts; dead ones too. The messages behind them follow in order.

    Workers retry what a reaction refused, the active relay what the broker refused, within a second. Remove the cause
    first: fix the reaction; bind the queue, make room in it, or start the relays with a larger
    RELAY_MAX_MESSAGE_BYTES. With --wait the exit code is 1 when one of the messages is still parked.

    With --first, --rate or --watch a run retries them: the first ones at once, the others at the rate, and none when
    too many of the first fail again. A worker advances the run, also after this command has ended. With --watch the
    exit code is 1 when the run was stopped or a message failed again.
    """
    chosen = choose(application, **selection)
    operator = Operator(actor, reason)
    if watch or first is not None or rate is not None:
        limits = RunLimits(5 if first is None else first, rate or 10.0, max_failed / 100)
        raise SystemExit(run(application, chosen, selection, operator, limits, watch, as_json))
    done = act(application, chosen, operations.retry, operator, "retry")
    left = wait_until_gone(application, chosen, wait) if wait else None
    report(application, done, as_json, left)
    raise SystemExit(1 if left else 0)


def run(
    application: Application,
    chosen: list[Chosen],
    selection: dict[str, Any],
    operator: Operator,
    limits: RunLimits,
    watched: bool,
    as_json: bool,
) -> int:
    """Start a run of retries at each service. Returns the exit code."""
    if selection["messages"]:
        raise click.UsageError("A run retries a failure, a key or everything: give --failure ID, --key KEY or --all.")
    wanted = ParkedFilter(selection["failure"], None, selection["key"], selection["refused_by"], failed=True)
    started = runs.start_all(application, chosen, wanted, operator, limits)
    ended = runs.watch_all(application, started) if watched else started
    runs.report(ended, as_json)
    return int(watched and any(each.run.state == "stopped" or each.run.failed for each in ended))


@click.command()
@selecting
@actor_option
@reason_option
@click.option("--yes", is_flag=True, help="Do not ask when it is for more than one message.")
@json_option
@click.pass_obj
def skip(application: Application, /, actor: str, reason: str, yes: bool, as_json: bool, **selection: Any) -> None:
    """Drop messages: they never take effect, or are never published. This cannot be undone.

    The messages behind them follow. The event of a message that the broker refused stays recorded: `reconcile` names
    the message as missing at its receivers, and `relay republish` announces it again.
    """
    chosen = choose(application, **selection)
    number = sum(len(found.targets) for found in chosen)
    if number > 1 and not yes:
        click.confirm(f"Skip {number} messages for good?", abort=True, err=True)
    done = act(application, chosen, operations.skip, Operator(actor, reason), "skip")
    report(application, [{**each, "state": each["state"] or "skipped"} for each in done], as_json)


@click.command()
@group_option
@click.argument("message", type=IdDigits())
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
    message: str,
    source: Path | None,
    actor: str,
    reason: str,
    as_json: bool,
) -> None:
    """Replace the body of one message that a reaction refused, and retry it.

    The original is kept; the new body must satisfy the contract. A message that the broker refused cannot be edited:
    its body follows from the event store.
    """
    service, (message_id, refused_by) = find(application, message, group, None)
    with connected(application, service, service.role) as connection, errors_as_failures():
        body = read_body(source, inspection.show(connection, message_id, refused_by)["body"])
        operator = Operator(actor, reason)
        contracts = service.handler().contracts
        running_attempt.await_end(connection, [message_id])
        state = operations.edit(connection, message_id, body, contracts, operator, refused_by=refused_by)
    done = {"group": service.group, "message_id": message_id, "refused_by": refused_by, "state": state}
    report(application, [done], as_json)


def read_body(source: Path | None, now: bytes) -> bytes:
    if source is not None:
        return sys.stdin.buffer.read() if str(source) == "-" else source.read_bytes()
    edited = click.edit(now.decode(errors="replace"), extension=".json")
    if edited is None:
        raise Failed("The body was not changed, so nothing was done.")
    return edited.strip().encode()


@click.command("dry-run")
@selecting
@click.option("--outside", is_flag=True, help="Call outside steps too, for real: what they do there is not undone.")
@json_option
@click.pass_obj
def dry_run(application: Application, /, outside: bool, as_json: bool, **selection: Any) -> None:
    """Run the reaction, show the rows it writes, and roll back. Exit code 1 when a reaction fails.

    Outside steps (calls to other systems) and their reactions are skipped unless --outside is given. Each message is
    tried independently of the others.
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
    for service, target, connection in connected_targets(application, chosen):
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
    """Only the messages that reactions refused: others have no reaction to run."""
    return Chosen(found.service, [target for target in found.targets if target.refused_by == "reaction"])


def open_resources(application: Application, service: Service) -> Any:
    """The resources of the service's outside steps, opened with the worker's settings."""
    click.echo(f"Outside steps of {service.name} are called for real.", err=True)
    return service.resources(application.worker_settings(service))
