"""Does the broker take messages from publishers?"""

from contextlib import suppress

import pika
from pika.adapters.blocking_connection import BlockingConnection
from pika.exceptions import AMQPError

from ordersaga.broker.connecting import connect
from ordersaga.diagnosis.broker.asked import BLOCKED_SECONDS, PLACE, AskedBroker, parameters
from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers

NOTICE_SECONDS = 0.2
"""Time between the confirm of a message and the notice that the connection is blocked."""
NOBODY = "ordersaga.nobody"
"""No queue has this name, so the default exchange drops the message."""


def blocked_publishers(asked: AskedBroker) -> Answers:
    """Publish a message to no queue, because RabbitMQ tells a connection that it is blocked only after it publishes."""
    if reason := blocked(asked.amqp_url):
        yield DiagnosisFinding(
            "critical",
            "blocked publishers",
            PLACE,
            f"RabbitMQ takes no message from anybody: {reason}. Relays publish nothing until that ends",
            "give it disk or memory, or empty a queue that nobody reads (rabbitmq-diagnostics alarms)",
        )


def blocked(amqp_url: str) -> str:
    """The reason why the broker blocks a new connection; empty while it does not."""
    found: list[str] = []
    connection = connect(parameters(amqp_url))
    connection.add_on_connection_blocked_callback(lambda _, method: found.append(str(method.method.reason)))
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("", NOBODY, b"")
        connection.process_data_events(NOTICE_SECONDS)
    except pika.exceptions.ConnectionBlockedTimeout:
        return "it is low on memory, disk or file descriptors"
    finally:
        leave(connection, found)
    return found[0] if found else ""


def leave(connection: BlockingConnection, is_blocked: object) -> None:
    """Close the connection; the broker reads nothing from a blocked one, so that one ends by its timeout."""
    with suppress(AMQPError):
        if is_blocked and connection.is_open:
            connection.process_data_events(2 * BLOCKED_SECONDS)
        elif connection.is_open:
            connection.close()
