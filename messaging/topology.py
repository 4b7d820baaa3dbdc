"""`python -m messaging.topology GROUP ...`: declare exchanges, queues and bindings, once, before anything publishes."""

import sys
from importlib import import_module

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker

from messaging import broker
from messaging.reactions import Reactions
from messaging.settings import MissingSetting, read_settings

PRECONDITION_FAILED = 406
USAGE = """usage: python -m messaging.topology [--replace-events] GROUP ...

Declares what the groups need on the broker at AMQP_URL. A group is a package with a module `reactions`
that has a registry of the same name, such as order_service. QUEUES_PER_GROUP (1, 2, 4, 8 or 16) says
over how many queues a group's partitions are spread.

  --replace-events  delete the exchange `events` first, which an older version made with other arguments.
                    Name every group: bindings of those that are not named are lost. Queues and what is in them
                    stay; what a relay publishes in that moment is refused, kept and published again by itself.
"""
REPLACE = "--replace-events"


class OtherArguments(Exception):
    """The exchange `events` is there with other arguments than ours."""


def group_of(name: str, queues: int) -> broker.Group:
    """The consumer group that a package's registry of reactions describes."""
    registry: Reactions = import_module(f"{name}.reactions").reactions
    return broker.Group(registry.group, tuple(registry.contracts), queues)


def declare(amqp_url: str, groups: list[broker.Group], replace_events: bool = False) -> None:
    """Connect as the provisioner and declare the whole topology.

    Raises:
        OtherArguments: the exchange is there with other arguments.
    """
    connection = pika.BlockingConnection(broker.parameters(amqp_url, "topology"))
    try:
        channel = connection.channel()
        if replace_events:
            channel.exchange_delete(broker.EVENTS)
        broker.declare(channel, groups)
    except ChannelClosedByBroker as error:
        if error.reply_code == PRECONDITION_FAILED and f"for exchange '{broker.EVENTS}'" in error.reply_text:
            raise OtherArguments(error.reply_text) from error
        raise
    finally:
        if connection.is_open:
            connection.close()


def main(arguments: list[str]) -> int:
    names = [argument for argument in arguments if argument != REPLACE]
    if not names or names[0] in ("-h", "--help"):
        sys.stdout.write(USAGE)
        return 0 if names else 2
    settings = read_settings()
    if not settings.amqp_url:
        raise MissingSetting("AMQP_URL is not set. Set it to amqp://user:password@host:port/vhost")
    groups = [group_of(name, settings.queues_per_group) for name in names]
    declare(settings.amqp_url, groups, replace_events=REPLACE in arguments)
    sys.stdout.write(f"declared {sum(len(group.queue_names) + 1 for group in groups)} queues\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (MissingSetting, ValueError) as wrong:
        sys.exit(f"topology: {wrong}")
    except OtherArguments as error:
        sys.exit(
            f"topology: the exchange `events` was made by another version: {error}. Run this once with {REPLACE} and "
            f"every group: python -m messaging.topology {REPLACE} {' '.join(sys.argv[1:])}\n"
            "A queue `unrouted` of that version is used no more: look what is in it, then delete it."
        )
    except AMQPError as error:
        sys.exit(f"topology: the broker refused or is away: {error!r}. Check AMQP_URL and the user's permissions.")
