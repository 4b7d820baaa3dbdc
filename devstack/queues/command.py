"""`ordersaga queues show | set`: over how many queues each consumer group is spread."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict

import click
import pika
from pika.exceptions import AMQPError

from devstack.application import environments_of_running, services
from devstack.environment import Environments
from devstack.options import state_option
from devstack.processes import GROUPS, RELAY_ROLE, SERVICES, TOPOLOGY
from devstack.state import State
from ordersaga.broker.change import QueueChange
from ordersaga.broker.group_status import GroupStatus, group_status
from ordersaga.broker.pause_locks import ChangeFailed
from ordersaga.broker.topology import QUEUE_COUNTS, parameters
from ordersaga.cli.errors import Failed
from ordersaga.cli.options import json_option

group_option = click.option(
    "--group", "chosen", multiple=True, type=click.Choice(GROUPS), help="Only this group; may be given several times."
)


@contextmanager
def told(then: str) -> Iterator[None]:
    """What the broker refuses, said to a person."""
    try:
        yield
    except ChangeFailed as error:
        raise Failed(str(error)) from None
    except (AMQPError, OSError) as error:
        raise Failed(f"The broker is away or refused: {error!r}. {then}") from None


@click.group()
def queues() -> None:
    """See over how many queues each consumer group is spread, or change it.

    A group's keys are spread over its queues, and each queue is served by one worker at a time: so a group can keep as
    many workers busy as it has queues.
    """


@queues.command(short_help="Say how many queues each group has, and how full they are.")
@state_option
@group_option
@json_option
def show(state: State, chosen: tuple[str, ...], as_json: bool) -> None:
    """Say how many queues each group has, what is ready in them, and how many workers are subscribed.

    READY does not count what workers have in hand. Exit code 1 when a group is not declared.
    """
    found = statuses(environments_of_running(state), chosen or GROUPS)
    if as_json:
        print(json.dumps({"groups": [as_data(status) for status in found]}))
    else:
        print("\n".join(table(found)))
    raise SystemExit(0 if all(status.queues for status in found) else 1)


def statuses(environments: Environments, groups: tuple[str, ...]) -> list[GroupStatus]:
    with told("Check AMQP_URL."):
        connection = pika.BlockingConnection(parameters(environments.amqp_url(TOPOLOGY.amqp_user), "queues show"))
        with closing(connection):
            return [group_status(connection, group) for group in groups]


def as_data(status: GroupStatus) -> dict[str, object]:
    return {
        "group": status.group,
        "queues": len(status.queues),
        "ready": status.ready,
        "workers": status.workers,
        "dead_letters": status.dead_letters,
        "changing": status.changing,
        "each": [asdict(queue) for queue in status.queues],
    }


def table(found: list[GroupStatus]) -> list[str]:
    """Columns with a heading."""
    lines = [f"{'GROUP':20}{'QUEUES':>8}{'READY':>10}{'WORKERS':>9}{'DEAD LETTERS':>14}"]
    for status in found:
        lines.append(
            f"{status.group:20}{len(status.queues):>8}{status.ready:>10}{status.workers:>9}{status.dead_letters:>14}"
            if status.queues
            else f"{status.group:20}  is not declared: run `./ordersaga topology`"
        )
        if status.changing:
            lines.append(
                f"{'':20}  a change of their number is under way, or interrupted: run `./ordersaga queues set N`"
            )
    return lines


@queues.command("set", short_help="Change how many queues groups have, while everything runs.")
@state_option
@click.argument("number", type=click.Choice([str(number) for number in QUEUE_COUNTS]), metavar="N")
@group_option
@click.option(
    "--timeout",
    type=click.FloatRange(1, 86_400),
    default=60,
    show_default=True,
    help="Seconds for the queues to become empty.",
)
@json_option
def set_(state: State, number: str, chosen: tuple[str, ...], timeout: float, as_json: bool) -> None:
    """Give every group, or those named, N queues: 1, 2, 4, 8 or 16. Relays and workers may run all the while.

    The relays are stopped, the queues worked off, the workers sent away; then queues are declared, bound and deleted,
    and all go on. Orders are accepted meanwhile. If the queues do not become empty in time, nothing is changed and the
    exit code is 1. Interrupted at any point, it loses nothing; run it again to complete it.
    """
    environments = environments_of_running(state)
    groups = [each.consumer_group(int(number)) for each in services() if each.group in (chosen or GROUPS)]
    change = QueueChange(
        groups,
        environments.amqp_url(TOPOLOGY.amqp_user),
        {service: environments.database_url(service, RELAY_ROLE) for service in SERVICES},
        {group.name: environments.database_url(group.name, group.name) for group in groups},
        timeout,
        lambda text: click.echo(text, err=True),
    )
    with told("Run the command again; nothing is lost meanwhile."):
        change.run()
    if as_json:
        print(json.dumps({"groups": [{"group": group.name, "queues": group.queues} for group in groups]}))
    else:
        print(f"{', '.join(group.name for group in groups)}: {number} queues")
