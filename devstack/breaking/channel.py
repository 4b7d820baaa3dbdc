"""A channel to the broker of a stack, past relays and workers, as one of its users."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from devstack.environment import Environments
from ordersaga.cli.app import PROVISIONER


@contextmanager
def broker_channel(environments: Environments, user: str = PROVISIONER) -> Iterator[BlockingChannel]:
    """Open for as long as the block lasts, for one thread; what it publishes is confirmed.

    The provisioner may write everywhere. Raises AMQPError when the broker is away or refuses the user.
    """
    connection = pika.BlockingConnection(pika.URLParameters(environments.amqp_url(user)))
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel
    finally:
        with suppress(AMQPError):
            connection.close()
