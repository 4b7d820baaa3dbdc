"""`python -m ordersaga.broker.provisioning GROUP ...`: declare exchanges, queues and bindings before the first use."""

import sys
from importlib import import_module
from typing import NamedTuple

import pika
from pika.exceptions import AMQPError, ChannelClosedByBroker

from ordersaga.broker import topology as broker
from ordersaga.inbox.reactions import Reactions
from ordersaga.runtime.settings import MissingSetting, Settings, read_settings

USAGE = """usage: python -m ordersaga.broker.provisioning [--replace-events] GROUP ...

Declares exchanges, queues and bindings on the broker at AMQP_URL, as a user who may declare. Declaring
them again changes nothing. A GROUP is a package whose module `reactions` has a registry of reactions
called `reactions`.

QUEUES_PER_GROUP (1, 2, 4, 8 or 16; default 2) is the number of queues over which a new group is spread.
A group that exists keeps what it has; if QUEUES_PER_GROUP is set and says otherwise, nothing is declared
and the exit code is 1: `./ordersaga queues set` changes the number without breaking the order of messages.
A group whose change was interrupted is left as it is, which works; a line on stderr says how to complete it.

  --replace-events  delete the exchange `events` first, which an older version made with other arguments.
                    Name every group: bindings of those that are not named are lost. Queues and what is in them
                    stay; what a relay publishes in that moment is refused, kept and published again by itself.
"""
REPLACE = "--replace-events"


class OtherArguments(Exception):
    """The exchange `events` is there with other arguments than ours."""


class OtherQueues(ValueError):
    """A group's queues are not those that it is to be declared with."""


class Declared(NamedTuple):
    """`interrupted` are groups that were left as they are: a change of the number of their queues is not complete."""

    groups: list[broker.Group]
    interrupted: list[str]


def group_of(name: str, queues: int) -> broker.Group:
    """The consumer group that a package's registry of reactions describes."""
    registry: Reactions = import_module(f"{name}.reactions").reactions
    return broker.Group(registry.group, tuple(registry.contracts), queues)


def queues_to_declare(found: int, wanted: int | None, group: str) -> int:
    """As many as there are, else as many as are wanted. Raises OtherQueues when there are others."""
    if found and wanted and found != wanted:
        raise OtherQueues(
            f"{group} has {found} queues and QUEUES_PER_GROUP is {wanted}. Run `./ordersaga queues set {wanted}`, "
            f"which waits until they are empty, or set QUEUES_PER_GROUP to {found} or to nothing"
        )
    return found or wanted or broker.DEFAULT_QUEUES


def declare(amqp_url: str, names: list[str], wanted: int | None, replace_events: bool = False) -> Declared:
    """Connect as the provisioner and declare the topology of all groups but those whose queues are being changed.

    What a change has left so far works and keeps order, as each partition is bound; another binding, before the
    queues are drained, would let a message overtake those of its key that are still in another queue.

    Raises:
        OtherQueues: a group exists with another number of queues, or is being changed and would lose its bindings;
            nothing was declared.
        OtherArguments: the exchange is there with other arguments.
    """
    connection = pika.BlockingConnection(broker.parameters(amqp_url, "topology"))
    try:
        found = {name: len(broker.queues_of(connection, name)) for name in names}
        interrupted = [name for name in names if is_interrupted(connection, name, found[name])]
        groups = [
            group_of(name, queues_to_declare(found[name], wanted, name)) for name in names if name not in interrupted
        ]
        channel = connection.channel()
        if replace_events:
            if interrupted:
                raise OtherQueues(f"first complete a change: {', '.join(map(to_complete, interrupted))}")
            channel.exchange_delete(broker.EVENTS)
        broker.declare(channel, groups)
    except ChannelClosedByBroker as error:
        if error.reply_code == broker.PRECONDITION_FAILED and f"for exchange '{broker.EVENTS}'" in error.reply_text:
            raise OtherArguments(error.reply_text) from error
        raise
    finally:
        if connection.is_open:
            connection.close()
    return Declared(groups, interrupted)


def is_interrupted(connection: pika.BlockingConnection, group: str, found: int) -> bool:
    return broker.is_changing(connection, group) or (found > 0 and found not in broker.QUEUE_COUNTS)


def to_complete(group: str) -> str:
    return f"`./ordersaga queues set N --group {group}`, with N one of {', '.join(map(str, broker.QUEUE_COUNTS))}"


def main(arguments: list[str]) -> int:
    names = [argument for argument in arguments if argument != REPLACE]
    if not names or names[0] in ("-h", "--help"):
        sys.stdout.write(USAGE)
        return 0 if names else 2
    for name in names:
        if name.startswith("-"):
            raise MissingSetting(f"There is no option {name}. See python -m ordersaga.broker.provisioning --help")
    settings = read_settings(Settings)
    if not settings.amqp_url:
        raise MissingSetting("AMQP_URL is not set. Set it to amqp://user:password@host:port/vhost")
    groups, interrupted = declare(settings.amqp_url, names, settings.queues_per_group, REPLACE in arguments)
    sys.stdout.write(f"declared {sum(len(group.queue_names) + 1 for group in groups)} queues\n")
    for group in interrupted:
        sys.stderr.write(
            f"topology: the number of queues of {group} is being changed, or a change was interrupted: the group is "
            f"left as it is and works. To complete the change: {to_complete(group)}\n"
        )
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (MissingSetting, ValueError) as wrong:
        sys.exit(f"topology: {wrong}")
    except OtherArguments as error:
        sys.exit(
            f"topology: the exchange `events` was made by another version: {error}. Run this once with {REPLACE} and "
            f"every group: python -m ordersaga.broker.provisioning {REPLACE} {' '.join(sys.argv[1:])}\n"
            "A queue `unrouted` of that version is used no more: look what is in it, then delete it."
        )
    except AMQPError as error:
        sys.exit(f"topology: the broker refused or is away: {error!r}. Check AMQP_URL and the user's permissions.")
