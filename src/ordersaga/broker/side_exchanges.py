"""Finds out, before a relay publishes around a queue, whether the exchanges of the groups can be used."""

from collections.abc import Iterable
from contextlib import closing

from pika.adapters.blocking_connection import BlockingConnection
from pika.exceptions import ChannelClosedByBroker

from ordersaga.broker.connecting import connect
from ordersaga.broker.topology import (
    ACCESS_REFUSED,
    exchange_exists,
    is_being_seeded,
    parameters,
    queue_exists,
    side_exchange_of,
)

NO_PARTITION = "checked"
"""Ends a routing key that no queue is bound for."""


class NoSideExchange(Exception):
    """A group cannot be reached alone; the text says why and what to do."""


def reachable(amqp_url: str, name: str, groups: Iterable[str], contract: str | None) -> set[str]:
    """The groups that can be reached alone; a group without queues, or that is being seeded, is none of them.

    Args:
        contract: one that the user may publish; without any, permissions are not checked.

    Raises:
        NoSideExchange: the exchange of a group is missing, or the user may not publish to it.
        AMQPError: the broker is away.
    """
    with closing(connect(parameters(amqp_url, f"{name} asks"))) as connection:
        found = {group for group in groups if exists(connection, group)}
        for group in found if contract else ():
            require_permission(connection, group, f"{contract}.{NO_PARTITION}")
    return found


def exists(connection: BlockingConnection, group: str) -> bool:
    """Whether the group has an exchange for relays. Raises NoSideExchange when it has only queues.

    The exchange of a group that is being seeded gets history alone: a newer message would overtake it.
    """
    if is_being_seeded(connection, group):
        return False
    if exchange_exists(connection, side_exchange_of(group)):
        return True
    if queue_exists(connection, f"{group}.0"):
        raise NoSideExchange(f"The exchange {side_exchange_of(group)} is missing: run `ordersaga topology`")
    return False


def require_permission(connection: BlockingConnection, group: str, routing_key: str) -> None:
    """Publish a message that no queue gets. Raises NoSideExchange when the user may not."""
    channel = connection.channel()
    channel.confirm_delivery()
    try:
        channel.basic_publish(side_exchange_of(group), routing_key, b"")
    except ChannelClosedByBroker as error:
        if error.reply_code != ACCESS_REFUSED:
            raise
        raise NoSideExchange(f"Give the relay's user write permission for {side_exchange_of(group)}") from error
    channel.close()
