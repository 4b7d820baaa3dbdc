"""`python -m messaging.topology GROUP ...`: declare exchanges, queues and bindings, once, before anything publishes."""

import sys
from importlib import import_module

import pika
from pika.exceptions import AMQPError

from messaging import broker
from messaging.reactions import Reactions
from messaging.settings import MissingSetting, read_settings

USAGE = """usage: python -m messaging.topology GROUP ...

Declares what the groups need on the broker at AMQP_URL. A group is a package with a module `reactions`
that has a registry of the same name, such as order_service. QUEUES_PER_GROUP (1, 2, 4, 8 or 16) says
over how many queues a group's partitions are spread.
"""


def group_of(name: str, queues: int) -> broker.Group:
    """The consumer group that a package's registry of reactions describes."""
    registry: Reactions = import_module(f"{name}.reactions").reactions
    return broker.Group(registry.group, tuple(registry.contracts), queues)


def declare(amqp_url: str, groups: list[broker.Group]) -> None:
    """Connect as the provisioner and declare the whole topology."""
    connection = pika.BlockingConnection(broker.parameters(amqp_url, "topology"))
    try:
        broker.declare(connection.channel(), groups)
    finally:
        if connection.is_open:
            connection.close()


def main(names: list[str]) -> int:
    if not names or names[0] in ("-h", "--help"):
        sys.stdout.write(USAGE)
        return 0 if names else 2
    settings = read_settings()
    if not settings.amqp_url:
        raise MissingSetting("AMQP_URL is not set. Set it to amqp://user:password@host:port/vhost")
    groups = [group_of(name, settings.queues_per_group) for name in names]
    declare(settings.amqp_url, groups)
    sys.stdout.write(f"declared {sum(len(group.queue_names) + 1 for group in groups) + 1} queues\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (MissingSetting, ValueError) as wrong:
        sys.exit(f"topology: {wrong}")
    except AMQPError as error:
        sys.exit(f"topology: the broker refused or is away: {error!r}. Check AMQP_URL and the user's permissions.")
