"""`ordersaga topology`: declare exchanges, queues and bindings before anything publishes."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

import click
from pika.exceptions import AMQPError

from ordersaga.broker import provisioning
from ordersaga.broker.provisioning import OtherArguments, OtherQueues, command_to_complete, declare, stale_bindings
from ordersaga.broker.topology import Group
from ordersaga.cli.app import PROVISIONER, Application
from ordersaga.cli.errors import Failed
from ordersaga.cli.options import OneOfServices, json_option
from ordersaga.cli.stale import stale_text
from ordersaga.cli.text import to_json
from ordersaga.envelope.versions import every_version_of
from ordersaga.runtime.settings import Settings, read_settings
from ordersaga.service import Service


@click.command()
@click.option(
    "--replace-events",
    is_flag=True,
    help="Delete the exchange `events` first, which an older version made with other arguments. Queues and what is in "
    "them stay; what a relay publishes in that moment is refused, kept and published again.",
)
@click.option(
    "--prune",
    is_flag=True,
    help="Unbind queues from contracts that their group has no reaction to any more. Only when no worker of the older "
    "code runs, and no rollback to it is planned: it would miss these messages.",
)
@click.argument("services", nargs=-1, type=OneOfServices(), metavar="[SERVICE]...")
@json_option
@click.pass_obj
def topology(
    application: Application, services: tuple[Service, ...], replace_events: bool, prune: bool, as_json: bool
) -> None:
    """Declare the exchanges, and the queues and bindings of all services, or of those named.

    Needs a user who may declare. Declaring again changes nothing. QUEUES_PER_GROUP (1, 2, 4, 8 or 16; default 2) is
    the number of queues over which a new group is spread. A group that exists keeps what it has; if QUEUES_PER_GROUP
    is set and says otherwise, nothing is declared: `queues set` changes the number without breaking the order of
    messages. A group whose change or seeding was interrupted is left as it is, which works.

    GROUPS_TO_SEED names new groups that receive nothing before `seed` has given them the history of their contracts.

    Bindings of a reaction that was removed stay, and are named: during a rollout, workers of the older code need them.
    """
    groups = {service.group: service.consumer_group for service in services or application.services}
    if replace_events and services:
        raise click.UsageError("--replace-events is for all services: bindings of those left out would be lost.")
    settings = read_settings(Settings)
    wanted, to_seed = settings.queues_per_group, settings.groups_to_seed.split()
    if unknown := {*to_seed} - {service.group for service in application.services}:
        raise click.UsageError(f"GROUPS_TO_SEED names {', '.join(sorted(unknown))}, which no service has as its group.")
    url = application.amqp_url(PROVISIONER)
    with errors_as_failures():
        declared, interrupted = declare(url, groups, wanted, replace_events, to_seed)
        stale = stale_bindings(url, declared) if not prune else {}
        seeding = provisioning.being_seeded(url, interrupted) if interrupted else []
        pruned = provisioning.prune(url, declared, known_contracts(application)) if prune else {}
    if as_json:
        click.echo(to_json(as_data(declared, interrupted, stale, pruned)))
    else:
        click.echo(f"declared {sum(len(group.queue_names) + 1 for group in declared)} queues")
        for name, contracts in pruned.items():
            click.echo(f"unbound {name} from {', '.join(contracts)}")
    for line in warnings(interrupted, seeding, stale):
        click.echo(f"topology: {line}", err=True)


@contextmanager
def errors_as_failures() -> Iterator[None]:
    """Raises Failed for errors of the broker and of the declaration."""
    try:
        yield
    except OtherQueues as error:
        raise Failed(str(error)) from None
    except OtherArguments as error:
        raise Failed(
            f"The exchange `events` was made by another version: {error}. Run this once with --replace-events.\n"
            "A queue `unrouted` of that version is no longer used: check its messages, then delete it."
        ) from None
    except AMQPError as error:
        raise Failed(f"The broker refused or is away: {error!r}. Check AMQP_URL and the user's permissions.") from None


def known_contracts(application: Application) -> list[str]:
    """Every contract that a service of the application announces or receives by name, alone and in every version."""
    announced = {name for service in application.services for name in service.announcements.contracts}
    received = {name for service in application.services for name in service.contracts}
    return sorted(announced | received | {every_version_of(name) for name in announced})


def as_data(
    declared: Iterable[Group], interrupted: list[str], stale: dict[str, list[str]], pruned: dict[str, list[str]]
) -> dict[str, object]:
    queues = {group.name: group.queues for group in declared}
    return {"queues": queues, "interrupted": interrupted, "stale_contracts": stale, "pruned": pruned}


def warnings(interrupted: Iterable[str], seeding: Collection[str], stale: dict[str, list[str]]) -> Iterator[str]:
    for name in seeding:
        yield (
            f"{name} is to be seeded, is being seeded, or its seeding was interrupted: the group receives nothing new "
            f"until {command_to_complete(name, is_seeding=True)} has completed it"
        )
    for name in (name for name in interrupted if name not in seeding):
        yield (
            f"the number of queues of {name} is being changed, or a change was interrupted: the group is "
            f"left as it is and works. To complete the change: {command_to_complete(name)}"
        )
    for name, contracts in stale.items():
        yield f"{name} {stale_text(contracts)}"
