"""A connection to the broker, whose every failure is an AMQPError or an OSError."""

from collections.abc import Sequence

import pika
from pika.adapters.blocking_connection import BlockingConnection
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPConnectionError


def connect(nodes: pika.URLParameters | Sequence[pika.URLParameters]) -> BlockingConnection:
    """Connect to the first of these nodes that answers.

    pika has other errors for a node that hangs: its kernel takes the connection, and nobody says a word on it.

    Raises:
        AMQPConnectionError, OSError: none answers.
    """
    try:
        return pika.BlockingConnection(nodes)
    except AMQPConnectorException as error:
        raise AMQPConnectionError(str(error)) from error
    except ValueError as error:
        if not was_reset_at_once(error):
            raise
        raise AMQPConnectionError(str(error.__context__)) from error


def was_reset_at_once(error: ValueError) -> bool:
    """Whether pika says with it that a connection was reset between the connect and pika's next look at it."""
    return isinstance(error.__context__, OSError)
