"""`ordersaga topology`: declare exchanges, queues and bindings before anything publishes."""

import click
from pika.exceptions import AMQPError

from ordersaga.broker.provisioning import OtherArguments, OtherQueues, command_to_complete, declare
from ordersaga.cli.app import PROVISIONER, Application
from ordersaga.cli.errors import Failed
from ordersaga.runtime.settings import Settings, read_settings


@click.command()
@click.option(
    "--replace-events",
    is_flag=True,
    help="Delete the exchange `events` first, which an older version made with other arguments. Queues and what is in "
    "them stay; what a relay publishes in that moment is refused, kept and published again.",
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...")
@click.pass_obj
def topology(application: Application, services: tuple[str, ...], replace_events: bool) -> None:
    """Declare the exchanges, and the queues and bindings of all services, or of those named.

    Needs a user who may declare. Declaring again changes nothing. QUEUES_PER_GROUP (1, 2, 4, 8 or 16; default 2) is
    the number of queues over which a new group is spread. A group that exists keeps what it has; if QUEUES_PER_GROUP
    is set and says otherwise, nothing is declared: `queues set` changes the number without breaking the order of
    messages. A group whose change was interrupted is left as it is, which works.
    """
    groups = {service.group: service.consumer_group for service in application.chosen(services)}
    if replace_events and services:
        raise click.UsageError("--replace-events is for all services: bindings of those left out would be lost.")
    wanted = read_settings(Settings).queues_per_group
    try:
        declared, interrupted = declare(application.amqp_url(PROVISIONER), groups, wanted, replace_events)
    except OtherQueues as error:
        raise Failed(str(error)) from None
    except OtherArguments as error:
        raise Failed(
            f"The exchange `events` was made by another version: {error}. Run this once with --replace-events.\n"
            "A queue `unrouted` of that version is no longer used: check its messages, then delete it."
        ) from None
    except AMQPError as error:
        raise Failed(f"The broker refused or is away: {error!r}. Check AMQP_URL and the user's permissions.") from None
    click.echo(f"declared {sum(len(group.queue_names) + 1 for group in declared)} queues")
    for name in interrupted:
        click.echo(
            f"topology: the number of queues of {name} is being changed, or a change was interrupted: the group is "
            f"left as it is and works. To complete the change: {command_to_complete(name)}",
            err=True,
        )
