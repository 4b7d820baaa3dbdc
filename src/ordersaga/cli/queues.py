"""`ordersaga queues show | set`: the number of queues of each consumer group."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict

import click
from pika.exceptions import AMQPError

from ordersaga.broker.bound_contracts import stale_contracts
from ordersaga.broker.change import QueueChange
from ordersaga.broker.connecting import connect
from ordersaga.broker.group_status import GroupStatus, group_status
from ordersaga.broker.pause_locks import ChangeFailed
from ordersaga.broker.topology import QUEUE_COUNTS, parameters
from ordersaga.cli.app import PROVISIONER, RELAY, Application
from ordersaga.cli.errors import Failed, full_command
from ordersaga.cli.options import OneOfGroups, json_option
from ordersaga.cli.paused import how_to_resume, pauses
from ordersaga.cli.stale import stale_text
from ordersaga.cli.text import printable
from ordersaga.service import Service

GroupAndStale = tuple[GroupStatus, list[str]]
"""A group, and the contracts that its queues are bound to without a reaction."""

groups_option = click.option(
    "--group",
    "chosen",
    multiple=True,
    type=OneOfGroups(),
    metavar="GROUP",
    help="Only this group; may be given several times.",
)


@contextmanager
def errors_as_failures(advice: str) -> Iterator[None]:
    """Raises Failed, with this advice, for errors of the broker and of the change."""
    try:
        yield
    except ChangeFailed as error:
        raise Failed(str(error)) from None
    except (AMQPError, OSError) as error:
        raise Failed(f"The broker is away or refused: {error!r}. {advice}") from None


@click.group()
def queues() -> None:
    """Show or change the number of queues of each consumer group.

    The keys of a group are spread over its queues, and one worker at a time serves a queue: so a group keeps at most
    as many workers busy as it has queues.
    """


@queues.command(short_help="Say how many queues each group has, and how full they are.")
@groups_option
@json_option
@click.pass_obj
def show(application: Application, chosen: tuple[Service, ...], as_json: bool) -> None:
    """Say how many queues each group has, what is ready in them, and how many workers are subscribed.

    READY does not count the messages that workers hold. A group that is still bound to contracts without a reaction is
    named with them, a group that is being seeded too, and a paused group with who paused it. Exit code 1 when a group
    is not declared.
    """
    services = chosen or application.services
    found = statuses(application, services)
    paused = pauses(application, services)
    if as_json:
        data = [{**as_data(status, stale), "paused": status.group in paused} for status, stale in found]
        click.echo(json.dumps({"groups": data}))
    else:
        click.echo("\n".join(table(found)))
        for group, pause in paused.items():
            click.echo(printable(f"{group} is {pause}. {how_to_resume(services, group)} ends it."))
    raise SystemExit(0 if all(status.queues for status, _ in found) else 1)


def statuses(application: Application, services: Sequence[Service]) -> list[GroupAndStale]:
    with errors_as_failures("Check AMQP_URL."):
        connection = connect(parameters(application.amqp_url(PROVISIONER), "queues show"))
        with closing(connection):
            return [
                (group_status(connection, each.group), stale_contracts(connection, each.group, each.contracts))
                for each in services
            ]


def as_data(status: GroupStatus, stale: list[str]) -> dict[str, object]:
    return {
        "group": status.group,
        "queues": len(status.queues),
        "ready": status.ready,
        "workers": status.workers,
        "dead_letters": status.dead_letters,
        "changing": status.changing,
        "seeding": status.seeding,
        "stale_contracts": stale,
        "each": [asdict(queue) for queue in status.queues],
    }


def table(found: list[GroupAndStale]) -> list[str]:
    """Columns with a heading."""
    lines = [f"{'GROUP':20}{'QUEUES':>8}{'READY':>10}{'WORKERS':>9}{'DEAD LETTERS':>14}"]
    for status, stale in found:
        figures = f"{len(status.queues):>8}{status.ready:>10}{status.workers:>9}{status.dead_letters:>14}"
        missing = f"  is not declared: run {full_command('topology')}"
        lines.append(f"{status.group:20}{figures if status.queues else missing}")
        if status.changing:
            advice = f"run {full_command('queues set N')}"
            lines.append(f"{'':20}  a change of their number is under way, or interrupted: {advice}")
        if status.seeding:
            advice = f"{full_command(f'seed {status.group}')} completes it"
            lines.append(f"{'':20}  is to be seeded, or is being seeded: {advice}")
        if stale:
            lines.append(f"{'':20}  {stale_text(stale)}")
    return lines


@queues.command("set", short_help="Change how many queues groups have, while everything runs.")
@click.argument("number", type=click.Choice([str(number) for number in QUEUE_COUNTS]), metavar="N")
@groups_option
@click.option(
    "--timeout",
    type=click.FloatRange(1, 86_400),
    default=60,
    show_default=True,
    help="Seconds for the queues to become empty.",
)
@json_option
@click.pass_obj
def set_(application: Application, number: str, chosen: tuple[Service, ...], timeout: float, as_json: bool) -> None:
    """Give every group, or those named, N queues: 1, 2, 4, 8 or 16. Relays and workers may keep running.

    The relays are paused, the queues drained, the workers paused; then queues are declared, bound and deleted, and
    relays and workers continue. Requests are accepted meanwhile. If the queues do not become empty in time, nothing is
    changed and the exit code is 1. An interruption loses nothing; run the command again to complete the change.
    """
    services = chosen or application.services
    for group, pause in pauses(application, services).items():
        raise Failed(f"{group} is {pause}. Its queues cannot be drained: {how_to_resume(services, group)} first.")
    groups = [service.consumer_group(int(number)) for service in services]
    change = QueueChange(
        groups,
        application.amqp_url(PROVISIONER),
        {each.name: application.database_url(each.database, RELAY) for each in application.with_outbox},
        {each.group: application.database_url(each.database, each.role) for each in services},
        timeout,
        lambda text: click.echo(text, err=True),
    )
    with errors_as_failures("Run the command again; nothing is lost meanwhile."):
        change.run()
    if as_json:
        click.echo(json.dumps({"groups": [{"group": group.name, "queues": group.queues} for group in groups]}))
    else:
        click.echo(f"{', '.join(group.name for group in groups)}: {number} queues")
